# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""The executor's side of the sentinel, which ends what a killed application leaves.

It is there before the first process is: an application may be killed right after that. So whoever
launches starts it, and the thread that turns the loop watches it from then on.
"""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

import signal
import time

from procession.core.stop import outline
from procession.errors import HostError
from procession.executor._events import log
from procession.executor._finish import Finisher
from procession.process import sentinel
from procession.process.containment import contained_trees
from procession.process.crowd import application_trees
from procession.process.handle import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import RLock
    from typing import Any

    from procession.executor._births import Births
    from procession.executor._handle import ExecHandle
    from procession.process.containment import ContainedTrees
    from procession.process.sentinel import Sentinel

_PAUSE = 1.0  # seconds between two starts of a sentinel


def _say(text: str) -> None:
    log.warning("%s", text.strip())


class Outlive(Finisher):
    """A part of the `Keeper`. The turning thread only, but for `prepare`."""

    _choosing: RLock  # of the choice, and of the start of a sentinel

    orphans: str
    containment: str
    token: str
    contained: ContainedTrees | None = None  # None: by marks, and the sentinel is a bare one
    sentinel: Sentinel | None = None
    _births: Births
    _chosen = False
    _sentinel_at = 0.0  # not before: one that somebody kills again and again
    _replaces = False  # it is to be tried again then

    def stirred(self, run: Any) -> None:
        raise NotImplementedError

    def watch_anew(self, handle: ExecHandle) -> None:
        raise NotImplementedError

    def prepare(self) -> None:
        """Before a launch, in any thread. Raises HostError where there is to be a control group,
        and none is to be had."""
        if not self._chosen:
            with self._choosing:
                if not self._chosen:
                    self._choose()
        if (
            self.sentinel is None
            and self.contained is None
            and time.monotonic() >= self._sentinel_at
        ):
            self._begin_sentinel()
        self.trees.prepare()

    def _choose(self) -> None:
        """Who tells what belongs to whom: for the first of those that live, and all after it."""
        if not self.trace:
            leave = self.orphans == "leave"
            self.contained = contained_trees(self.containment, self.token, leave=leave, say=_say)
            self.trees = self.contained or application_trees(self._births, self.stirred, leave)
            self._chosen = True

    def _wants_sentinel(self) -> bool:
        return self.orphans != "leave" and sentinel.is_possible()

    def _begin_sentinel(self) -> None:
        """In any thread, unless another one has done it just now. A starter is one as well, and
        there is one as soon as anything was started by it."""
        with self._choosing:
            if self.sentinel is not None or (self.contained is None and not self._wants_sentinel()):
                return
            self._sentinel_at = time.monotonic() + _PAUSE
            try:
                if self.contained is None:
                    self.sentinel = sentinel.start(self.token)
                else:
                    self.sentinel = self.contained.watched()
            except (OSError, HostError) as e:
                log.warning("no sentinel could be started, so a crash would leave processes: %s", e)
                return
        self.loop.post(self.resume_sentinel)

    def ensure_sentinel(self) -> None:
        """There is one, or will be: not before it is worth another try."""
        if self.loop.selector is None:
            return
        if self.sentinel is None:
            if self.contained is None and not self._wants_sentinel():
                return
            if time.monotonic() < self._sentinel_at:
                if not self._replaces:
                    self._replaces = True
                    self.loop.at(self._sentinel_at, self._replace)
                return
            self._begin_sentinel()
        self.resume_sentinel()

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
        cause = None if self.sentinel is None else self.sentinel.cause()
        self._drop()
        if self.contained is not None:
            log.warning(
                "the helper that starts processes was lost: another one takes its place",
                exc_info=cause,
            )
            for handle in list(self.trace):
                self.watch_anew(handle)
        self._replace()

    def _replace(self) -> None:
        self._replaces = False
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
            self._sentinel_at = 0.0  # it was not killed, so nobody need wait with the next
            if self.contained is not None:
                self.contained.end()
            self._chosen = False
        elif self.sentinel is not None and self.loop.selector is not None:
            self.loop.selector.unregister(self.sentinel.fd)

    def resume_sentinel(self) -> None:
        """Have this thread's loop watch it: it was just started, or another thread turned."""
        found, selector = self.sentinel, self.loop.selector
        if found is None or selector is None or found.fd in selector.get_map():
            return
        selector.register(found.fd, 1, self._gone)
        for handle in list(self.trace):
            if handle._posted:
                handle._posted = False
                self.post_to_sentinel(handle)

    def abandon_sentinel(self) -> None:
        """In a forked child, whose it is not."""
        if self.sentinel is not None:
            self.sentinel.abandon()
            self.sentinel = None
        if self.contained is not None:
            self.contained.abandon()
