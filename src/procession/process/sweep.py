"""What a guardian does when its supervisor is gone: end everything that is left, gracefully first.

Each process hears the stop signal of its run once, has its run's grace (capped) to end, and is
killed then, in rounds, until nothing is left or only what we may not signal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procession.process.link import Known, Posts

    class Ears(Protocol):
        """Wakes us when a child of ours ended, and when somebody loses patience."""

        fd: int

        def read(self) -> list[tuple[int, bool | None]]: ...


KILL_WAIT = 5.0  # seconds what was killed may take to vanish
ROUND = 0.05  # seconds between two rounds of killing: a fork may slip through each one


if sys.platform == "linux":
    from procession.process import _linux
    from procession.process._linux import ProcStat
    from procession.process._tree import COOKIE

    class _Found:
        """One process that was left."""

        __slots__ = ("deadline", "heard", "killed", "run", "stat")

        def __init__(self, stat: ProcStat, run: Known | None, deadline: float) -> None:
            self.stat = stat
            self.run = run
            self.deadline = deadline
            self.heard = False
            self.killed = False

    class _Sweep:
        def __init__(self, posts: Posts, cap: float) -> None:
            self._runs = posts.runs
            self._left = posts.left
            self._cap = cap
            self._by_pid = {
                known.pid: cookie
                for cookie, known in (*posts.runs.items(), *posts.left.items())
                if known.pid is not None
            }
            self._cookies: dict[tuple[int, int], str | None] = {}
            self._known: dict[tuple[int, int], _Found] = {}
            self.count = 0
            self.refused: dict[int, str] = {}

        def find(self, now: float) -> list[_Found]:
            """Everything alive below us that is ours to end; our own dead children are reaped."""
            found: list[_Found] = []
            todo: list[tuple[int, str | None, bool]] = [
                (pid, None, True) for pid in _children(os.getpid())
            ]
            while todo:
                pid, parents_cookie, ours = todo.pop()
                try:
                    stat = _linux.stat(pid)
                    if stat.dead:
                        if ours:
                            os.waitpid(pid, os.WNOHANG)
                        continue
                    cookie = self._cookie_of(stat) or parents_cookie
                    todo += [(child, cookie, False) for child in _children(pid)]
                except ProcessLookupError:
                    continue  # it ended while we looked; its children come to us
                if cookie not in self._left:
                    found.append(self._note(stat, cookie, now))
            return found

        def act(self, found: list[_Found], now: float) -> None:
            """Tell who has not heard, kill whose time is over."""
            for process in found:
                if now >= process.deadline:
                    if self._send(process, signal.SIGKILL):
                        process.killed = True
                elif not process.heard:
                    process.heard = True
                    run = process.run
                    if self._send(process, run.signal if run else signal.SIGTERM):
                        self._send(process, signal.SIGCONT)

        def _note(self, stat: ProcStat, cookie: str | None, now: float) -> _Found:
            key = stat.pid, stat.start_time
            if key not in self._known:
                run = self._runs.get(cookie) if cookie is not None else None
                grace = min(run.grace, self._cap) if run else self._cap
                self._known[key] = _Found(stat, run, now + grace)
                self.count += 1
            return self._known[key]

        def _cookie_of(self, stat: ProcStat) -> str | None:
            """Which run is it of? Asked once: the evidence does not get better."""
            key = stat.pid, stat.start_time
            if key not in self._cookies:
                self._cookies[key] = self._evidence(stat)
            return self._cookies[key]

        def _evidence(self, stat: ProcStat) -> str | None:
            for pid in (stat.pid, stat.session, stat.pgrp):
                if pid in self._by_pid:
                    return self._by_pid[pid]
            try:
                value = _linux.environ_cookie(stat.pid, COOKIE)
            except PermissionError:
                return None
            for part in reversed(value.split(":") if value else ()):
                if part in self._runs or part in self._left:
                    return part
            return None

        def _send(self, process: _Found, number: int) -> bool:
            stat = process.stat
            try:
                return _linux.signal_pinned(stat.pid, stat.start_time, number)
            except PermissionError:
                self.refused[stat.pid] = f"{stat.name} (pid {stat.pid})"
                return False

    def sweep(posts: Posts, cap: float, ears: Ears) -> tuple[int, list[str]]:
        """End all that is left below this process; (how many, who could not be killed).

        `cap`: seconds that no grace exceeds. Bounded by it, and KILL_WAIT.
        """
        work = _Sweep(posts, cap)
        poll = select.poll()
        poll.register(ears.fd, select.POLLIN)
        give_up = time.monotonic() + cap + KILL_WAIT
        while True:
            now = time.monotonic()
            found = [p for p in work.find(now) if p.stat.pid not in work.refused]
            if not found or now >= give_up:
                break
            work.act(found, now)
            due = min(p.deadline for p in found)
            poll.poll(1000 * (max(0.001, due - now) if due > now else ROUND))
            if any(number == signal.SIGINT and typed for number, typed in ears.read()):
                for process in found:
                    process.deadline = 0.0  # somebody does not want to wait
        survivors = list(work.refused.values())
        survivors += [f"{p.stat.name} (pid {p.stat.pid})" for p in found]
        return work.count, survivors

    def _children(pid: int) -> list[int]:
        from procession.process import host

        if host.has_children_files():
            return _linux.children(pid)
        return _linux.children_by_scan(pid)

elif sys.platform != "win32":

    def sweep(posts: Posts, cap: float, ears: Ears) -> tuple[int, list[str]]:
        """End the sessions of the runs that had not ended; (how many, who could not be killed).

        Without subreaper and /proc the leaders' groups are all that is known, and nothing tells
        of their end but asking. A group is signalled only while its leader still leads a session
        of its own number.
        """
        groups = [known for known in posts.runs.values() if _leads(known.pid)]
        for known in groups:
            _kill_group(known, known.signal)
        until = time.monotonic() + cap
        poll = select.poll()
        while any(_leads(k.pid) for k in groups) and (left := until - time.monotonic()) > 0:
            poll.poll(1000 * min(ROUND, left))
        for known in groups:
            _kill_group(known, signal.SIGKILL)
        return len(groups), []

    def _leads(pid: int | None) -> bool:
        try:
            return pid is not None and os.getsid(pid) == pid
        except OSError:
            return False

    def _kill_group(known: Known, number: int) -> None:
        if known.pid is None or not _leads(known.pid):
            return
        try:
            os.killpg(known.pid, number)
        except (ProcessLookupError, PermissionError):
            return
