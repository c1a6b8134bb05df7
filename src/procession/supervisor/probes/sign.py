"""What a run says of itself: a line of its log, a newline on a descriptor, READY=1."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Sign:
    """Whether it has been said. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self.said = False
        self.never = ""  # why it will not be said any more, in words
        self._heard: Callable[[], object] | None = None

    def say(self) -> None:
        self.said = True
        if self._heard is not None:
            self._heard()

    def give_up(self, why: str) -> None:
        """It cannot be said any more."""
        if not self.said:
            self.never = why
            if self._heard is not None:
                self._heard()

    def listen(self, heard: Callable[[], object] | None) -> None:
        """Who is called when it is said, or given up; None: nobody any more."""
        self._heard = heard

    def take(self) -> bool:
        """Has it been said since the last call?"""
        said, self.said = self.said, False
        return said
