"""Where a configuration's text comes from, and how its mistakes are told.

A `Source` is text with a name; a `Mark` a place in it; a `Problem` one mistake at such a place,
as a value: the command line, an editor and a test all read the same fields.
"""

from __future__ import annotations

from procession._record import Record
from procession.errors import one_line, quoted

# A file of 1,000 tasks has about 200 KiB. Past this size the text is data that went astray, and
# reading it on would break the promise of an answer within 2 seconds.
MAX_BYTES = 1024 * 1024

MAX_DEPTH = 64  # of lists and mappings in each other; the model is 7 deep

# More than anybody reads; beyond it problems are counted, or the reading ends.
MAX_PROBLEMS = 500

_LINE_SHOWN = 120  # characters of a source line shown above a caret

# Longest first: the mark of UTF-32 LE begins with the one of UTF-16 LE.
_OTHER_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


class Mark(Record):
    """A place in a source. Both count from 1; columns are characters, not bytes or cells."""

    line: int
    column: int


class Problem(Record):
    """One mistake: where it is, what is there, what was expected, what was probably meant.

    `str()` is one line, `file:line:column: path: what; expected ...; did you mean ...?`, in the
    form terminals and editors make clickable. `suggestion` is the bare text to put instead.
    """

    file: str
    line: int
    column: int
    path: str  # such as `tasks.web.args[2]`; empty where there is none (broken YAML)
    what: str
    expected: str = ""
    suggestion: str = ""
    source_line: str = ""  # the line itself; empty for files that may hold secrets
    hidden: tuple[tuple[int, int], ...] = ()  # parts of it (from 0) that are not to be shown

    def __str__(self) -> str:
        text = f"{one_line(self.file)}:{self.line}:{self.column}: "
        if self.path:
            text += f"{one_line(self.path)}: "
        text += self.what
        if self.expected:
            text += f"; expected {self.expected}"
        if self.suggestion:
            text += f"; did you mean {quoted(self.suggestion)}?"
        return text

    def pointed(self) -> str:
        """The source line and, below it, a caret under the place. Empty without a line.

        Of a long line only the part around the caret is shown. Tabs stay tabs in both lines, so
        the caret stands right whatever the terminal's tab width; wide characters count two cells.
        """
        if not self.source_line:
            return ""
        start = max(0, self.column - 1 - _LINE_SHOWN // 2) if self.column > _LINE_SHOWN else 0
        part = self.source_line[start : start + _LINE_SHOWN]
        before = part[: self.column - 1 - start]
        if start:
            part, before = "..." + part, "..." + before
        if start + _LINE_SHOWN < len(self.source_line):
            part += "..."
        pad = "".join("\t" if c == "\t" else " " * _cells(c) for c in before)
        return "\t".join(map(one_line, part.split("\t"))) + "\n" + pad + "^"


def _cells(character: str) -> int:
    """How many terminal cells `one_line(character)` takes."""
    if not character.isprintable():
        return len(repr(character)) - 2
    if character.isascii():
        return 1
    import unicodedata  # 1 MB of tables that only a caret after such a character needs

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Source:
    """Text with the name people know it by (the path as they gave it). Not to be changed."""

    __slots__ = ("_lines", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._lines: list[str] | None = None  # split when the first problem asks for one

    def line(self, number: int) -> str:
        """Line `number` (from 1) without its end; empty past the last.

        Lines end where YAML ends them, which is where `str.splitlines` does in any text that
        YAML accepts: NEL and the separators U+2028 and U+2029 count too.
        """
        if self._lines is None:
            self._lines = self.text.splitlines()
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def mark(self, index: int) -> Mark:
        """The place of the character at `index` (from 0)."""
        lines = (self.text[:index] + "^").splitlines()
        return Mark(len(lines), len(lines[-1]))

    def text_at(self, mark: Mark) -> str:
        """What stands from `mark` to the end of its line."""
        return self.line(mark.line)[mark.column - 1 :]

    def problem(
        self, mark: Mark, what: str, expected: str = "", suggestion: str = "", path: str = ""
    ) -> Problem:
        """A `Problem` of this source."""
        text = self.line(mark.line)
        return Problem(self.name, mark.line, mark.column, path, what, expected, suggestion, text)


def decode_bytes(name: str, data: bytes) -> Source | Problem:
    """The source in `data`: UTF-8 with or without a byte order mark, at most `MAX_BYTES`."""
    if len(data) > MAX_BYTES:
        what = f"the file is larger than {MAX_BYTES // 2**20} MiB"
        return Problem(name, 1, 1, "", what, "a configuration file")
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            return Problem(
                name, 1, 1, "", f"the file is {encoding} text", "UTF-8: save it in that encoding"
            )
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        good = data[: error.start].decode()
        byte = data[error.start]
        # Latin-1 is the likely origin, and shows the whole line whatever its bytes are.
        shown = Source(name, good + data[error.start :].decode("latin-1"))
        place = shown.mark(len(good))
        what = f"byte 0x{byte:02x} is not UTF-8"
        return _alone(shown, place, what, "UTF-8: save the file in that encoding")
    nul = text.find("\0")
    source = Source(name, text)
    if nul >= 0:
        return _alone(source, source.mark(nul), "a NUL byte", "text in UTF-8")
    return source


def _alone(source: Source, mark: Mark, what: str, expected: str) -> Problem:
    """The one problem of text that cannot be read at all."""
    from procession.config.concealing import conceal

    return conceal(source, [source.problem(mark, what, expected)])[0]
