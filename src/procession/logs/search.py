"""Looking for regular expressions in the lines of a stream of bytes, however it comes in. Pure.

A line is what stands between two newlines, without a carriage return at its end; it is read as
UTF-8, and what is none is replaced. Where a block ends means nothing: a line that was cut there is
looked at when it is whole, or when `rest` is asked for, since its writer may be waiting for an
answer (a prompt has no newline). So any cutting of one stream gives the same answer.

Memory is bounded: of a line longer than `LONGEST` bytes, parts of that size are looked at, each
of which begins with the last `OVERLAP` bytes of the one before.
"""

from __future__ import annotations

import re

from procession.patterns.pattern import Pattern

LONGEST = 64 * 1024
OVERLAP = 4 * 1024


class Sought:
    """One regular expression that is looked for, in any number of streams of one thread.

    `found` stays True until somebody sets it to False, in any thread; meanwhile nothing is
    searched. Raises ValueError for a pattern that is none, or that could hold us up for ever.
    """

    __slots__ = ("_pattern", "found")

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = Pattern(pattern)
        except (re.error, OverflowError, RecursionError) as e:
            raise ValueError(f"{pattern!r} is no regular expression: {e}") from e
        self.found = False

    def look(self, line: str, begin: int = 0) -> None:
        """Is it in this line, from `begin` on? `^` stands for the true beginning of the line."""
        if self._pattern.search(line, begin):
            self.found = True

    def look_at_part(self, part: str, begin: int) -> None:
        """As `look`; but the line goes on after this part, so a match that needs its end counts
        for nothing: the next part, which begins before that end, tells."""
        if self._pattern.search(part, begin, cut=True):
            self.found = True


class Search:
    """The unfinished line of one stream, and what is looked for in all its lines."""

    __slots__ = ("_begin", "_held", "_longest", "_overlap", "_sought")

    def __init__(
        self, sought: tuple[Sought, ...], *, longest: int = LONGEST, overlap: int = OVERLAP
    ) -> None:
        self._sought = sought
        self._longest = longest
        self._overlap = overlap
        self._held = b""
        self._begin = 0  # 1 where a character of the part before stands first

    @property
    def holds(self) -> bool:
        """Is there an unfinished line?"""
        return len(self._held) > self._begin

    def feed(self, block: bytes) -> None:
        """What the stream gave."""
        lines, newline, rest = (self._held + block).rpartition(b"\n")
        if newline:
            first, *more = lines.split(b"\n", 1)
            self._line(first, self._begin, whole=True)
            self._begin = 0
            if more:
                self._lines(more[0])
        self._line(rest, self._begin, whole=False)

    def rest(self) -> None:
        """Nothing came for a while, or nothing comes any more: the unfinished line counts as it
        is now. It is held all the same."""
        if self.holds:
            self._look(self._held, self._begin)

    def _lines(self, lines: bytes) -> None:
        """Whole lines, from their beginnings."""
        if all(sought.found for sought in self._sought):
            return
        each = lines.split(b"\n")
        if max(map(len, each)) > self._longest:
            for line in each:
                self._line(line, 0, whole=True)
            return
        # no UTF-8 sequence, broken or not, takes a newline with it: all of them at once
        texts = lines.decode("utf-8", "replace").split("\n")
        for sought in self._sought:
            for text in texts:
                if sought.found:
                    break
                sought.look(text.removesuffix("\r"))

    def _line(self, line: bytes, begin: int, *, whole: bool) -> None:
        """Look at the parts of a line that is too long; then at its end, or hold that."""
        while len(line) - begin > self._longest:
            end = begin + self._longest
            part = line[:end].decode("utf-8", "replace")
            for sought in self._sought:
                if not sought.found:
                    sought.look_at_part(part, begin)
            line, begin = line[end - self._overlap - 1 :], 1
        if whole:
            self._look(line, begin)
        else:
            self._held, self._begin = line, begin

    def _look(self, line: bytes, begin: int) -> None:
        text = line.decode("utf-8", "replace").removesuffix("\r")
        for sought in self._sought:
            if not sought.found:
                sought.look(text, begin)
