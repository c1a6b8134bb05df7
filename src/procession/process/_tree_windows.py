# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""Trees on Windows: each run's job object, which holds whatever the leader starts.

No process leaves its job (nothing here permits a breakaway), so there are no orphans to be found,
nothing is unclaimed, and the empty tree is told by the system: the job's completion port says that
no process is active any more. How a tree is asked to end depends on what its processes are, see
`WindowsTree.signal`.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

assert sys.platform == "win32"

from procession.errors import HostError
from procession.process import _messages_windows as messages
from procession.process import _win32 as win
from procession.process._handle_windows import KILLED, SIGKILL, WindowsHandle
from procession.process._reports_windows import Reports
from procession.process._spawn_windows import NESTING
from procession.process._tree import TARGETS, Member, Sent, Tree, Trees
from procession.process._typists_windows import CTRL_BREAK, CTRL_C, Typists, interpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from procession.process._messages_windows import Window
    from procession.process._typists_windows import Typed
    from procession.process.handle import Handle, Usage

SIGINT, SIGTERM, SIG_CLOSE, CLOSE_STDIN, SIGBREAK = 2, 15, 16, 17, 21
_HEARD = (SIGINT, SIGTERM, SIG_CLOSE, CLOSE_STDIN, SIGBREAK, SIGKILL)
_MOMENT = 0.1  # seconds until a process that is about to end can be seen to have ended
_CONSOLE_HOST = "conhost.exe"
_UNNAMED = "?"


class Wave:
    """What a number of trees that are told at the same time share."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows  # that any of their processes has
        self.consoles: list[Typed] = []


class WindowsTree(Tree):
    """The job of one run. See `_tree.Tree`."""

    def __init__(self, trees: WindowsTrees, run: Hashable, key: int, handle: WindowsHandle) -> None:
        self.run = run
        self.key = key
        self.handle = handle
        self.finished = False
        # Ends the leader's input, where that is a pipe of ours: what can be asked of who hears
        # nothing else. Called at most once, in the thread that signals or one of a typist's; must
        # not wait.
        self.close_input: Callable[[], object] | None = None
        self._trees = trees
        self._told: set[int] = set()  # pids that heard the last signal
        self._after_windows: set[int] = set()  # when these have ended, the others hear of it

    def is_empty(self) -> bool:
        if self.finished:
            return True
        if self.handle.poll_exit() is None:
            return False
        if not win.active(self.handle.job):
            return True
        # the console's own host is no work of the leader's, and goes with its last process
        left = self.members()
        if any(member.name == _UNNAMED for member in left):
            # It may be that host, which was only just begun: then nothing would tell that the tree
            # is empty, for the host of a console that nobody came to goes when it likes.
            self._trees.reports.tell_later(self.key)
        return not left

    def members(self) -> list[Member]:
        if self.finished or not self.handle.job:
            return []
        pids = win.members(self.handle.job)
        pids.sort(key=lambda pid: (pid != self.handle.pid, pid))
        return [found for pid in pids if (found := _member(pid, self.handle.job)) is not None]

    def signal(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        """WM_CLOSE (16): to the windows of its processes. SIGINT: Ctrl-C is typed in its console.
        SIGBREAK: Ctrl-Break is. CLOSE_STDIN (17): its leader's input ends, if `close_input` is
        set. SIGTERM: WM_CLOSE where any process of the tree has a window, and Ctrl-Break for the
        others once these have ended; Ctrl-Break where none has; where there is no console either,
        the leader's input ends. SIGKILL: the job is terminated.

        `leader` means its windows and input alone; consoles are for all who are attached.
        `Sent.pids` are those that were told: none where the tree has neither windows, nor a
        console of its own, nor that input, for then nothing but force can end it.
        """
        return self._trees.tell_many([(self, number, to, only_new)])[0]

    def hears(self, number: int, to: str, only_new: bool) -> list[Member]:
        """Those whom that call of `signal` speaks to."""
        if to not in TARGETS:
            raise ValueError(f"to={to!r}: expected one of {', '.join(TARGETS)}")
        if number not in _HEARD:
            raise ValueError(f"there is no signal {number} on Windows")
        if not only_new:
            self._told.clear()
            self._after_windows.clear()
        members = self.members()
        if to == "leader":
            members = [m for m in members if m.pid == self.handle.pid]
        return [m for m in members if m.pid not in self._told]

    def tell(self, number: int, fresh: list[Member], only_new: bool, wave: Wave) -> Sent:
        """As `signal`, to those that `hears` named."""
        if number == SIGKILL:
            return self.kill()
        if not fresh:
            return Sent()
        if number == CLOSE_STDIN:
            return self._end_input()
        sent = Sent()
        if number in (SIGTERM, SIG_CLOSE):
            sent = self._close_windows(fresh, wave.windows)
            if number == SIG_CLOSE:
                return sent
        if sent.pids or sent.refused:
            # Ctrl-Break now would reach these a second time, and some end at once by that
            self._after_windows = set(sent.pids)
            return sent
        if only_new and self._told:
            return sent  # a console tells all of its processes, those too that have heard
        sent = self._type(CTRL_C if number == SIGINT else CTRL_BREAK, fresh, wave, number)
        return self._end_input() if number == SIGTERM and not sent.pids else sent

    def press(self, event: int) -> bool:
        """Type CTRL_C or CTRL_BREAK in its console, for all who are attached there; in any
        thread. False: the console is ours, and the event would reach ourselves; or there is no
        interpreter that could do it."""
        wave = Wave([])
        return self._press(event, (self.handle.pid,), wave) and self._trees.typists.type_in(
            wave.consoles
        )

    def rest(self) -> None:
        """Something of it ended. Tell those without windows, when those that have some are gone."""
        if self._after_windows and not self.finished:
            members = self.members()
            if not self._after_windows.intersection(m.pid for m in members):
                self._after_windows.clear()
                wave = Wave([])
                if members:
                    self._type(CTRL_BREAK, members, wave, SIGTERM)
                    self._trees.typists.type_in(wave.consoles)

    def _close_windows(self, members: list[Member], seen: list[Window]) -> Sent:
        by_pid = {member.pid: member for member in members}
        told: dict[int, bool] = {}
        refused = []
        for window in messages.addressed([w for w in seen if w.pid in by_pid]):
            try:
                told[window.pid] = messages.ask_to_close(window) or told.get(window.pid, False)
            except PermissionError:
                refused.append(by_pid[window.pid])
        pids = tuple(pid for pid, well in told.items() if well)
        self._told.update(pids)
        return Sent(pids, tuple(dict.fromkeys(refused)))

    def _type(self, event: int, members: list[Member], wave: Wave, number: int) -> Sent:
        pids = tuple(member.pid for member in members)
        # programs for the desktop have no console, which is seen when it is looked for
        instead = self._end_input if number == SIGTERM else None
        if not self._press(event, pids, wave, instead):
            return Sent()
        self._told.update(pids)
        return Sent(pids)

    def _end_input(self) -> Sent:
        close, self.close_input = self.close_input, None
        if close is None:
            return Sent()
        close()
        self._told.add(self.handle.pid)
        return Sent((self.handle.pid,))

    def _press(
        self,
        event: int,
        pids: tuple[int, ...],
        wave: Wave,
        instead: Callable[[], object] | None = None,
    ) -> bool:
        console = self.handle.console
        if console == "own":
            wave.consoles.append((event, pids, instead))
            return bool(interpreter())
        if console == "group" and event == CTRL_BREAK and self.handle.poll_exit() is None:
            # It leads that group, and lives: any other number would break our console.
            win.console_event(CTRL_BREAK, self.handle.pid)
            return True
        return False  # ours: the event would reach ourselves, and whoever started us

    def kill(self) -> Sent:
        if self.finished or not self.handle.job:
            return Sent()
        pids = tuple(member.pid for member in self.members())
        if pids or win.active(self.handle.job):
            self.handle.killed()
            win.terminate_job(self.handle.job, KILLED)
        return Sent(pids)

    def finish(self) -> Usage | None:
        usage = self.handle.reap()
        if not self.finished:
            self.finished = True
            self._trees.drop(self)
            self.handle.close()
        return usage


def _own(tree: Tree) -> WindowsTree:
    assert isinstance(tree, WindowsTree), "planted here"
    return tree


class WindowsTrees(Trees):
    """See `_tree.Trees`. `changed(run)` is called, in a thread of our own, whenever a process of
    that run has ended, the last one too; not for one that has been finished."""

    def __init__(
        self, changed: Callable[[Hashable], object] | None = None, *, leave: bool = False
    ) -> None:
        self._changed = changed
        self._leave = leave  # what lives does not end with us
        self.reports = Reports(self._ended)
        self._trees: dict[int, WindowsTree] = {}
        self._by_run: dict[Hashable, WindowsTree] = {}
        self._left: dict[Hashable, WindowsTree] = {}
        self.typists = Typists()
        self._next = 1  # 0 is no key
        self._lock = allocate_lock()

    @property
    def again(self) -> bool:
        return False

    def prepare(self) -> None:
        """Nothing is needed; see `own_job` for what should hold the supervisor itself."""

    def plant(
        self, run: Hashable, cookie: str, handle: Handle, pipes: Iterable[int] = ()
    ) -> WindowsTree:
        assert isinstance(handle, WindowsHandle)
        with self._lock:
            if run in self._by_run:
                raise ValueError(f"the run {run!r} has been planted")
            self.reports.listen()
            key, self._next = self._next, self._next + 1
            tree = self._trees[key] = self._by_run[run] = WindowsTree(self, run, key, handle)
            try:
                self.reports.follow(handle.job, key)
            except BaseException:
                del self._trees[key], self._by_run[run]
                raise
        if self._leave:
            win.let_live(handle.job)
        if self._changed is not None and handle.poll_exit() is not None:
            self._changed(run)  # before there was a port to tell of it
        return tree

    def scan(self, ended: Iterable[Tree] = ()) -> list[Hashable]:
        """Tells those that were to hear later. No process comes to light here: all are known."""
        with self._lock:
            trees = list(self._trees.values())
        for tree in trees:
            tree.rest()
        return []

    def tell_many(self, asks: Iterable[tuple[Tree, int, str, bool]]) -> list[Sent]:
        """See `Trees`; at the price of one look at the windows of this desktop, and of one typist
        for some consoles."""
        wanted = [(_own(tree), number, to, only_new) for tree, number, to, only_new in asks]
        hearers = [tree.hears(number, to, only_new) for tree, number, to, only_new in wanted]
        pids = {member.pid for members in hearers for member in members}
        closes = any(number in (SIGTERM, SIG_CLOSE) for _, number, _, _ in wanted)
        wave = Wave(messages.windows(pids) if closes and pids else [])
        sent = [
            tree.tell(number, members, only_new, wave)
            for (tree, number, _, only_new), members in zip(wanted, hearers, strict=True)
        ]
        self.typists.type_in(wave.consoles)
        return sent

    def unclaimed(self) -> list[Member]:
        return []

    def sweep_unclaimed(self, number: int, *, only_new: bool = False) -> Sent:
        return Sent()

    def forget(self, run: Hashable) -> None:
        self.left()  # those of whom nobody asks
        with self._lock:
            tree = self._by_run[run]
        win.let_live(tree.handle.job)
        self.drop(tree)
        if tree.handle.poll_exit() is not None:
            tree.handle.reap()
        self._left[run] = tree

    def left(self) -> set[Hashable]:
        for run in [run for run, tree in self._left.items() if not tree.members()]:
            self._left.pop(run).handle.close()
        return set(self._left)

    def left_of(self, run: Hashable) -> list[Member]:
        return self._left[run].members() if run in self._left else []

    def pause(self) -> None:
        with self._lock:
            idle = not self._trees
            end = self.reports.pause(close=idle)
        end()
        if idle:
            self.typists.end()

    def resume(self) -> None:
        with self._lock:
            if self._trees:
                self.reports.listen()

    def close(self) -> None:
        """What is left on purpose lives on; every other job ends with its last handle."""
        with self._lock:
            self._trees.clear()
            self._by_run.clear()
        self.pause()
        for tree in self._left.values():
            tree.handle.close()
        self._left.clear()

    # ---- for the trees

    def drop(self, tree: WindowsTree) -> None:
        with self._lock:
            self._trees.pop(tree.key, None)
            self._by_run.pop(tree.run, None)

    # ---- in the thread that listens to the jobs

    def _ended(self, key: int, pid: int) -> bool:
        """See `Reports`."""
        with self._lock:
            tree = self._trees.get(key)
        if tree is None or self._changed is None:
            return False
        if pid in (0, tree.handle.pid) and not _seen(tree.handle):
            return True
        self._changed(tree.run)
        return False


def _seen(leader: WindowsHandle) -> bool:
    """Can its end, of which its job told, be seen? Windows takes a process off its job before it
    marks it as ended, so whoever looks at once may find it alive. Waits a moment."""
    return leader.await_end(_MOMENT) is not None or leader.reaped


def _member(pid: int, job: int) -> Member | None:
    """None: it has ended meanwhile, the number is another's by now, or it serves a console."""
    try:
        process = win.open_process(pid)
    except PermissionError:
        return Member(pid, 0, _UNNAMED)  # of the job, and not ours to look at
    except OSError:
        return None
    try:
        if win.wait(process, 0) or not win.in_job(process, job):
            return None
        name = _name_of(process)
        return None if name.lower() == _CONSOLE_HOST else Member(pid, win.times(process)[0], name)
    finally:
        win.close(process)


def _name_of(process: int) -> str:
    try:
        return os.path.basename(win.image_name(process))
    except OSError:
        return _UNNAMED  # it has only just been made, or is about to end


def own_job() -> int:
    """Put this process into a job that ends with it, and with it all that it starts: nested jobs
    hold the runs, this one whatever is between them. For `up` and `run`; never inside somebody's
    application, whose other children it would take along. Returns the job: when `let_live` is
    called on it, what was left on purpose outlives us.

    Raises HostError where we cannot have one: our starter's job permits no nesting.
    """
    job = win.create_job()
    try:
        win.kill_on_close(job)
        win.assign(job, win.current_process())
    except OSError as error:
        win.close(job)
        what = f"we cannot be a member of it: {error}"
        if isinstance(error, PermissionError) and win.in_job(win.current_process()):
            what = "we are in one of our starter's already, and no other can be nested in that"
        raise HostError("our own job object", what, NESTING) from error
    return job
