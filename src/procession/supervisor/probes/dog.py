"""The watchdog of a run: WATCHDOG=1 has to come again and again (sd_notify(3))."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.supervisor.loop import Loop


class Watchdog:
    """From `begin` on. `told(words)`: no words mean that it was heard; each is told once in a row.

    `now` is the loop's clock, in seconds. A message costs no timer: when the time is over it is
    looked at when the last one came.
    """

    def __init__(
        self,
        loop: Loop,
        now: Callable[[], float],
        key: str,
        seconds: float,
        told: Callable[[str], object],
    ) -> None:
        self._loop = loop
        self._now = now
        self._key = key
        self._seconds = seconds
        self._told = told
        self._heard_at = now()
        self._well: bool | None = None

    def begin(self) -> None:
        self._heard_at = self._now()
        self._arm()

    def end(self) -> None:
        self._loop.disarm(self._key)

    def alive(self) -> None:
        self._heard_at = self._now()
        if self._well is not True:
            if self._well is False:
                self._arm()
            self._well = True
            self._told("")

    def trigger(self) -> None:
        self._fail("the run itself says that something is wrong (WATCHDOG=trigger)")

    def change(self, seconds: float) -> None:
        """Another time from now on; infinite: none."""
        self._seconds = seconds
        self._heard_at = self._now()
        self._arm()

    def _arm(self) -> None:
        if self._seconds == float("inf"):
            self._loop.disarm(self._key)
        else:
            left = self._heard_at + self._seconds - self._now()
            self._loop.alarm(self._key, max(0.0, left), self._due)

    def _due(self) -> None:
        if self._now() < self._heard_at + self._seconds:
            self._arm()
        else:
            self._fail(f"nothing heard for {self._seconds:g} s")

    def _fail(self, words: str) -> None:
        self._loop.disarm(self._key)  # until it is heard again
        if self._well is not False:
            self._well = False
            self._told(f"watchdog: {words}")
