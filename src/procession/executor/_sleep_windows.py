"""What the loop sleeps on where `select` knows no pipes: threads that read them, and a queue."""

from __future__ import annotations

from procession.logs._ears_windows import Ears

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors


class Sleep:
    """See `_sleep_posix`. Nothing of the system is held."""

    def __init__(self) -> None:
        self._ears = Ears(woken=int)  # a function, as all others have, that does nothing
        self.selector: selectors.BaseSelector = self._ears

    def wake(self) -> None:
        """From any thread, and from signal handlers."""
        self._ears.notify()

    def close(self) -> None:
        """Those who read are of their pipes."""

    def abandon(self) -> None:
        """Nothing forks here."""
