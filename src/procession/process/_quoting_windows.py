"""A command line from words, for programs and for batch files. Pure.

Windows gives a program one text, which its C runtime takes apart
(https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments). A batch file has
other rules: CreateProcess gives the text to cmd.exe, which looks for `&`, `|`, `%NAME%` and more in
it, so that an argument could run a command (CVE-2024-24576). There is no escape for `%` on a
command line; `%cd:~,%` is the empty text, and so `%%cd:~,%` is a percent sign that begins no name.
"""

from __future__ import annotations

MOST = 32767 - 1  # UTF-16 units of a command line (CreateProcessW)
MOST_OF_CMD = 8191  # of one that cmd.exe takes, which ends in the middle of a word after that
BATCH = (".bat", ".cmd")

_PLAIN = frozenset("#$*+-./:?@\\_")


def is_batch(executable: str) -> bool:
    """Trailing dots and blanks are nothing to the file system, so they hide no ending."""
    return executable.rstrip(". ").lower().endswith(BATCH)


def for_program(argv: tuple[str, ...]) -> str:
    """Quoted so that `CommandLineToArgvW` and the C runtimes give `argv` back.

    Raises ValueError for NUL, a text too long for the system, and a first word with a quotation
    mark: the first word knows no escape.
    """
    if '"' in argv[0]:
        raise ValueError(f"a program's own name cannot hold a quotation mark: {argv[0]!r}")
    first = f'"{argv[0]}"' if not argv[0] or any(c in " \t" for c in argv[0]) else argv[0]
    return _checked(" ".join([first, *map(_word, argv[1:])]))


def _word(word: str) -> str:
    if word and not any(c in ' \t\n\v"' for c in word):
        return word
    made, backslashes = ['"'], 0
    for c in word:
        if c == "\\":
            backslashes += 1
        else:
            # backslashes are themselves, but in front of a quotation mark
            made.append("\\" * (backslashes * 2 + 1 if c == '"' else backslashes) + c)
            backslashes = 0
    made.append("\\" * (backslashes * 2) + '"')
    return "".join(made)


def for_batch(shell: str, script: str, arguments: tuple[str, ...]) -> str:
    """`cmd.exe /c` with words that reach the script as `%1`, `%2`... and start nothing else.

    Raises ValueError for line ends and NUL, which no quotation protects, for a script whose name
    has a quotation mark or ends in a backslash, and for more text than cmd.exe takes.
    """
    if '"' in script or script.endswith("\\"):
        raise ValueError(f"no name of a batch file: {script!r}")
    for word in (script, *arguments):
        if "\r" in word or "\n" in word:
            raise ValueError(f"cmd.exe takes no line end in an argument: {word!r}")
    words = [f'"{_percent(script)}"', *map(_batch_word, arguments)]
    # extensions on, for %cd:~,%; delayed expansion off, for `!`; no AutoRun
    line = f'"{shell}" /e:ON /v:OFF /d /c "{" ".join(words)}"'
    return _checked(line, MOST_OF_CMD, "cmd.exe")


def _batch_word(word: str) -> str:
    quoted = not word or word.endswith("\\") or not all(c.isalnum() or c in _PLAIN for c in word)
    made, backslashes = [], 0
    for c in word:
        if c == "\\":
            backslashes += 1
        else:
            if c == '"':
                made.append("\\" * backslashes + '"')  # doubled, for cmd.exe and the runtimes
            backslashes = 0
        made.append("%%cd:~,%" if c == "%" else c)
    return f'"{"".join(made)}{chr(92) * backslashes}"' if quoted else "".join(made)


def _percent(text: str) -> str:
    return text.replace("%", "%%cd:~,%")


def _checked(line: str, most: int = MOST, whose: str = "Windows") -> str:
    if "\0" in line:
        raise ValueError("embedded null character")
    length = len(line.encode("utf-16-le", "surrogatepass")) // 2
    if length > most:
        raise ValueError(f"a command line of {length} characters: {whose} takes {most}")
    return line
