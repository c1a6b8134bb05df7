"""What ties an orphan to a run. Each kind of evidence, what it is worth, and when it is forgotten.

- Having been seen before as a descendant of a member (pid and start time): exact.
- The control group it is in, where each run has one: exact, but for who was moved to another.
- A leader's session: exact, since sessions pass by fork only, while that leader is on the table.
- The cookie in the environment it was executed with: can be emptied, or be unreadable; reading it
  waits for a fork under way in that process.
- A session or a group in which another orphan of a run, still on the table, is.
- A pipe that was given to one run alone, as its output, and that the process still holds.
"""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from procession.process._linux import ProcStat
    from procession.process._orphan_linux import Key, Orphan

SEEN_SPARE = 512  # descendants remembered before the dead among them are looked for


class Evidence:
    """Of all runs of one supervisor. Answers None where nothing tells."""

    def __init__(
        self, cookie_name: str, group_of: Callable[[int], str | None] | None = None
    ) -> None:
        self._cookie_name = cookie_name
        self._group_of = group_of  # the cookie of the run in whose control group a process is
        self._cookies: dict[str, Hashable] = {}
        self._sessions: dict[int, Hashable] = {}  # led by leaders that are on the table
        self._pipes: dict[int, Hashable] = {}  # by inode
        self._expected: dict[int, Hashable] = {}  # pids of leaders that are about to come to us
        self._seen: dict[Key, Hashable] = {}  # descendants that are not our children
        self._seen_limit = SEEN_SPARE
        self._of_run: dict[Hashable, tuple[str, tuple[int, ...], int | None]] = {}

    # --- what is known ---------------------------------------------------------------------------

    def plant(
        self, run: Hashable, cookie: str, session: int | None, pipes: Iterable[int] = ()
    ) -> None:
        cookie = cookie.rpartition(":")[2]  # ours is the last; what is before it is not us
        inodes = tuple(pipes)
        if cookie:
            self._cookies[cookie] = run
        if session is not None:
            self._sessions[session] = run
        for inode in inodes:
            self._pipes[inode] = run
        self._of_run[run] = cookie, inodes, session

    def expect(self, run: Hashable, pid: int) -> None:
        """The run's leader had this pid; good for the first look only, since pids come back."""
        self._expected[pid] = run

    def expect_no_more(self) -> None:
        self._expected.clear()

    def saw(self, stat: ProcStat, run: Hashable) -> None:
        """A living descendant of a member, and not our child."""
        self._seen[stat.pid, stat.start_time] = run
        if len(self._seen) > self._seen_limit:
            self._seen = {key: run for key, run in self._seen.items() if _is_there(key)}
            self._seen_limit = 2 * len(self._seen) + SEEN_SPARE

    def reaped(self, run: Hashable, pid: int) -> None:
        """A process of the run was taken off the table. If it was the leader, its session's
        number may be given away from now on."""
        cookie, inodes, session = self._of_run.get(run, ("", (), None))
        if session == pid:
            del self._sessions[pid]
            self._of_run[run] = cookie, inodes, None

    def forget(self, run: Hashable) -> None:
        """The run is over, or never was."""
        cookie, inodes, session = self._of_run.pop(run)
        self._cookies.pop(cookie, None)
        if session is not None:
            del self._sessions[session]
        for inode in inodes:
            self._pipes.pop(inode, None)
        self._seen = {key: other for key, other in self._seen.items() if other != run}

    # --- whose is it? ----------------------------------------------------------------------------

    def of(self, orphan: Orphan) -> Hashable:
        """What the process itself tells; of a dead one lineage is all there is. Raises
        BlockingIOError while it is being executed, and has nothing to tell yet."""
        run = self._expected.pop(orphan.pid, None)
        if run is not None:
            self._expect_session(orphan, run)
            return run
        if self._seen:
            run = self._seen.pop(orphan.key, None)
        if run is None and not orphan.dead:
            if self._group_of is not None:
                run = self._cookies.get(self._group_of(orphan.pid) or "")
            if run is None:
                run = self._sessions.get(orphan.stat.session)
            if run is None:
                run = self._by_cookie(orphan.pid)
        return run

    def _expect_session(self, orphan: Orphan, run: Hashable) -> None:
        if orphan.stat.session == orphan.pid:
            cookie, inodes, _ = self._of_run[run]
            self._sessions[orphan.pid] = run
            self._of_run[run] = cookie, inodes, orphan.pid

    def _by_cookie(self, pid: int) -> Hashable:
        try:
            value = _linux.environ_cookie(pid, self._cookie_name)
        except (PermissionError, ProcessLookupError):
            return None  # unreadable is not "not ours": other evidence may tell
        return self.run_of_cookie(value)

    def run_of_cookie(self, value: str | None) -> Hashable:
        """The run that this value of the variable names, None for a stranger's."""
        for part in value.split(":") if value else ():
            if part in self._cookies:
                return self._cookies[part]
        return None

    def by_others(self, lost: Iterable[Orphan], orphans: Iterable[Orphan]) -> dict[int, Hashable]:
        """pid -> run of those among `lost` whose company tells, or else what they hold.

        Company is who shares a session or a group, and is on our table: only there the number
        cannot have been given away. Whose run was found that way is company for the next.
        """
        runs = dict(self._sessions)
        for orphan in orphans:
            _note(orphan, orphan.run, runs)
        found: dict[int, Hashable] = {}
        todo = list(lost)
        while todo:
            left = []
            for orphan in todo:
                run = runs.get(orphan.stat.session, runs.get(orphan.stat.pgrp))
                if run is None:
                    left.append(orphan)
                else:
                    found[orphan.pid] = run
                    _note(orphan, run, runs)
            if len(left) == len(todo):
                one = self._first_by_pipe(left, found)
                if one is None:
                    break
                left.remove(one)
                _note(one, found[one.pid], runs)
            todo = left
        return found

    def _first_by_pipe(self, lost: list[Orphan], found: dict[int, Hashable]) -> Orphan | None:
        for orphan in lost if self._pipes else ():
            if orphan.asked:
                continue
            orphan.asked = True  # what it does not hold now it will never hold
            try:
                held = _linux.pipes_held(orphan.pid)
            except (PermissionError, ProcessLookupError):
                continue
            for inode in held & self._pipes.keys():
                found[orphan.pid] = self._pipes[inode]
                return orphan
        return None


def _note(orphan: Orphan, run: Hashable, runs: dict[int, Hashable]) -> None:
    if run is not None and orphan.stat.session not in (0, os.getsid(0)):
        runs.setdefault(orphan.stat.session, run)
        runs.setdefault(orphan.stat.pgrp, run)


def _is_there(key: Key) -> bool:
    try:
        return _linux.stat(key[0]).start_time == key[1]
    except ProcessLookupError:
        return False
