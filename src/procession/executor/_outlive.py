# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""The executor's side of the sentinel, which ends what a killed application leaves."""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

import signal
import time

from procession.core.stop import outline
from procession.executor._events import log
from procession.executor._finish import Finisher
from procession.process import sentinel
from procession.process.handle import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.executor._handle import ExecHandle
    from procession.process.sentinel import Sentinel

_PAUSE = 1.0  # seconds between two starts of a sentinel


class Outlive(Finisher):
    """A part of the `Keeper`. The turning thread only."""

    orphans: str
    token: str
    sentinel: Sentinel | None = None
    _sentinel_at = 0.0  # not before: one that somebody kills again and again

    def ensure_sentinel(self) -> None:
        if self.orphans == "leave" or not sentinel.is_possible():
            return
        now = time.monotonic()
        if now < self._sentinel_at or self.loop.selector is None:
            return
        self._sentinel_at = now + _PAUSE
        try:
            found = self.sentinel = sentinel.start(self.token)
        except OSError as e:
            log.warning("no sentinel could be started, so a crash would leave processes: %s", e)
            return
        self.loop.selector.register(found.fd, 1, self._gone)
        for handle in list(self.trace):
            if handle._posted:
                handle._posted = False
                self.post_to_sentinel(handle)

    def post_to_sentinel(self, handle: ExecHandle) -> None:
        """Its session is evidence, besides its mark. Who lives for some milliseconds only is found
        by the mark alone: telling of each would cost more than it is worth."""
        if self.sentinel is None or handle._posted or handle not in self.trace:
            return
        try:
            start_time = handle._process.start_time
        except OSError as e:
            self.put_off(e, lambda: self.post_to_sentinel(handle))
            return
        handle._posted = True
        name, wait = outline(handle._request.stop)
        number = signal.SIGKILL if name is None else signal_number(name)
        link, cookie = self.sentinel.link, handle._cookie
        link.begins(cookie, number, wait)
        link.started(cookie, handle.pid, start_time=start_time)

    def forget_at_sentinel(self, handle: ExecHandle, left: bool) -> None:
        if left:
            self.post_to_sentinel(handle)
        if self.sentinel is not None and handle._posted:
            if left:
                self.sentinel.link.leaves(handle._cookie)
            else:
                self.sentinel.link.ended(handle._cookie)

    def _gone(self) -> None:
        """Somebody killed it."""
        self._drop()
        if self.trace:
            self.ensure_sentinel()

    def _drop(self) -> None:
        gone, self.sentinel = self.sentinel, None
        if gone is not None:
            if self.loop.selector is not None:
                self.loop.selector.unregister(gone.fd)
            gone.end()

    def close_sentinel(self) -> None:
        """One that has somebody to look after stays, for the thread that takes over."""
        if not self.trace:
            self._drop()
        elif self.sentinel is not None and self.loop.selector is not None:
            self.loop.selector.unregister(self.sentinel.fd)

    def resume_sentinel(self) -> None:
        """Another thread turns the loop."""
        selector = self.loop.selector
        if self.sentinel is None or selector is None or self.sentinel.fd in selector.get_map():
            return
        selector.register(self.sentinel.fd, 1, self._gone)

    def abandon_sentinel(self) -> None:
        """In a forked child, whose it is not."""
        if self.sentinel is not None:
            self.sentinel.abandon()
            self.sentinel = None
