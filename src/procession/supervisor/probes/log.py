"""Listening to what a run writes, for the probes that look for a line of it."""

from __future__ import annotations

from procession.errors import one_line
from procession.logs.search import Search, Sought
from procession.secrets import masked_words
from procession.supervisor.probes.sign import Sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IDLE = 0.1  # seconds without output after which an unfinished line counts as it is
WORDS = 120  # characters of a command's last words


class LineSign(Sign):
    """Of one regular expression. `lasting`: once it was found nobody looks again; else `take` has
    it looked for anew."""

    def __init__(self, pattern: str, *, lasting: bool) -> None:
        super().__init__()
        self.sought = Sought(pattern)
        self.lasting = lasting

    def take(self) -> bool:
        # the search goes on in the capture's thread: what is found from here on is for the next
        found, self.sought.found = self.sought.found, False
        return found


class LogEar:
    """The tap (`logs.pipes.Tap`) of one stream. `call` has something done in the loop's thread."""

    def __init__(
        self, signs: Iterable[LineSign], call: Callable[[Callable[[], object]], object]
    ) -> None:
        self._signs = tuple(signs)
        self._call = call
        self._search = Search(tuple(sign.sought for sign in self._signs))
        self._idle_at: float | None = None
        self._untold = [sign for sign in self._signs if sign.lasting]

    @property
    def closed(self) -> bool:
        return not self._untold and all(sign.lasting for sign in self._signs)

    def take(self, block: bytes, now: float) -> None:
        self._search.feed(block)
        self._idle_at = now + IDLE if self._search.holds else None
        self._tell()

    def deadline(self) -> float | None:
        return self._idle_at

    def due(self, now: float) -> None:
        if self._idle_at is not None and now >= self._idle_at:
            self.end()

    def end(self) -> None:
        self._idle_at = None
        self._search.rest()
        self._tell()

    def _tell(self) -> None:
        """Of those that last, once; also of what the other stream's ear has found."""
        for sign in [sign for sign in self._untold if sign.sought.found]:
            self._untold.remove(sign)
            self._call(sign.say)


class Tail:
    """The tap that keeps the last words of a command: what it says when it fails."""

    closed = False

    def __init__(self) -> None:
        self._kept = b""

    def take(self, block: bytes, now: float) -> None:
        self._kept = (self._kept + block[-4 * WORDS :])[-4 * WORDS :]

    def deadline(self) -> float | None:
        return None

    def due(self, now: float) -> None: ...

    def end(self) -> None: ...

    def last_line(self) -> str:
        """The last line that is not empty, for a message, without what looks like a secret. After
        the end of the pipe."""
        lines = self._kept.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return one_line(masked_words(last)[:WORDS])
