"""Actions into the world. Nothing here decides; what fails comes back as an event."""

from __future__ import annotations

import errno
import os
import sys

from procession import lookup
from procession.core import actions as act
from procession.core import events as ev
from procession.process.command import Command
from procession.process.limits import as_found
from procession.process.spawn import encoded
from procession.process.tree import COOKIE
from procession.spec import CLOSE_STDIN
from procession.supervisor.runs import LiveRun, cookie_of

if sys.platform == "win32":
    from procession.process._signals_windows import signal_number
else:
    from procession.process.handle import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Protocol

    from procession.lookup import Launch
    from procession.process.handle import Handle
    from procession.process.tree import Trees
    from procession.spec import Project, Task
    from procession.supervisor.output import Output

    class Watcher(Protocol):
        """What tells the loop of ends: `exits.ExitWatcher`."""

        def watch(self, process: Handle, token: LiveRun) -> None: ...
        def forget(self, process: Handle) -> None: ...

    class Told(Protocol):
        """Who is told of runs: the guardian's `Link`."""

        def begins(self, cookie: str, signal: int, grace: float) -> None: ...
        def started(
            self, cookie: str, pid: int, outputs: Sequence[tuple[int, int]] = ()
        ) -> None: ...
        def ended(self, cookie: str) -> None: ...
        def leaves(self, cookie: str) -> None: ...
        def spares(self, cookie: str, pid: int, start_time: int) -> None: ...
        def logs_in(self, folder: str) -> None: ...


class Performer:
    """Carries out the actions of one project. Used by the engine's thread alone."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        trees: Trees,
        output: Output,
        link: Told,
        environ: Mapping[str, str],
        post: Callable[[ev.Event], None],
        watcher: Watcher,
    ) -> None:
        self._tasks = {task.name: task for task in project.tasks}
        self._folder = project.folder
        self._launches = launches
        self._trees = trees
        self._output = output
        self._link = link
        self._environ = environ
        self._post = post
        self._watcher = watcher
        # unguessable, so that no other supervisor's processes are ever taken for ours
        self._token = os.urandom(8).hex()
        self.live: dict[tuple[str, int], LiveRun] = {}
        self.survivors: list[str] = []  # what could not be killed, by name
        self._entries: dict[tuple[str, str], bytes] = {}  # most of them are the same for all tasks
        self._unwatched: list[LiveRun] = []
        self._left: dict[Hashable, str] = {}  # cookies of runs of which something was left

    def perform(self, action: act.Action) -> None:
        """Carry out one action. Raises TypeError for one that is not of the world."""
        if isinstance(action, act.Spawn):
            self._start(action)
        elif isinstance(action, act.SignalTree):
            self._signal(action)
        elif isinstance(action, act.KillTree):
            self._kill(action)
        elif isinstance(action, act.Release):
            self._release(action)
        else:
            raise TypeError(f"{action!r} cannot be carried out")

    # --- starting ----------------------------------------------------------------------------

    def _start(self, a: act.Spawn) -> None:
        task = self._tasks[a.replica]
        launch = self._launches.get(task.name)
        try:
            if launch is None:  # the program need not have been there when the file was read
                launch = lookup.resolve(task, self._folder, self._environ)
        except lookup.LookupProblem as e:
            why = "; ".join(map(str, e.troubles))
            self._post(ev.SpawnFailed(a.replica, a.run, why, e.status))
            return
        cookie = cookie_of(self._token, a.replica, a.run)
        try:
            handle, reads, ends_input = self._spawn(a, task, launch, cookie)
        except (OSError, ValueError) as e:
            # ValueError: text of the file that the locale's encoding has no bytes for
            number = e.errno if isinstance(e, OSError) else None
            status = 127 if number in (errno.ENOENT, errno.ENOTDIR) else 126
            self._link.ended(cookie)
            self._post(ev.SpawnFailed(a.replica, a.run, _why(e, launch.executable), status))
            return
        as_found(handle.pid)
        outputs = [(fd, os.fstat(fd).st_ino) for fd in reads]
        inodes = [inode for _, inode in outputs]
        tree = self._trees.plant((a.replica, a.run), self._nested(cookie), handle, inodes)
        self._output.attach((a.replica, a.run), reads)
        live = LiveRun(a.replica, a.run, cookie, handle, tree)
        live.input = ends_input
        if sys.platform == "win32" and ends_input >= 0:
            tree.close_input = live.end_input
        self.live[live.key] = live
        self._link.started(cookie, handle.pid, outputs)
        self._unwatched.append(live)
        self._post(ev.Spawned(a.replica, a.run, handle.pid))

    def watch(self) -> list[LiveRun]:
        """Watch what was started since the last call. Due before anything is waited for, and not
        before a wave of starts is through: each descriptor we have makes the next spawn dearer.
        Those for which there was no descriptor have to be asked again and again."""
        blind: list[LiveRun] = []
        for live in self._unwatched:
            if live.key in self.live:
                try:
                    live.handle.pin()
                    self._watcher.watch(live.handle, live)
                except OSError:
                    blind.append(live)
        self._unwatched.clear()
        return blind

    def _nested(self, cookie: str) -> str:
        """A supervisor under a supervisor keeps the outer one's mark."""
        outer = self._environ.get(COOKIE)
        return f"{outer}:{cookie}" if outer else cookie

    def _spawn(
        self, a: act.Spawn, task: Task, launch: Launch, cookie: str
    ) -> tuple[Handle, tuple[int, int], int]:
        """The leader, what is read of it, and what ends its input (-1: it has none)."""
        env, mark = launch.env, {COOKIE: self._nested(cookie)}
        if COOKIE in env:
            env = {name: value for name, value in env.items() if name != COOKIE}
        reads, writes = self._output.pipes(len(self._unwatched) + 1)  # their pidfds
        ours, theirs = [*reads], [*writes]
        stdin, ends_input = None, -1
        try:
            if task.stop.signal == CLOSE_STDIN:
                stdin, ends_input = os.pipe()
                theirs.append(stdin)
                ours.append(ends_input)
            # told before the process exists: the guardian must never meet a stranger
            self._link.begins(cookie, signal_number(task.stop.signal), task.stop.timeout)
            handle = self._trees.spawn(
                mark[COOKIE],
                Command(
                    argv=launch.argv,
                    executable=launch.executable,
                    cwd=launch.cwd,
                    env=[*encoded(env, self._entries), *encoded(mark, {})],
                    pinned=False,
                    stdin=stdin,
                    stdout=writes[0],
                    stderr=writes[1],
                ),
            )
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        return handle, reads, ends_input

    # --- signalling --------------------------------------------------------------------------

    def _signal(self, a: act.SignalTree) -> None:
        live = self.live.get((a.replica, a.run))
        if live is None or live.ending:
            return
        number = signal_number(a.signal)
        sent = live.tree.signal(number, to=a.to, only_new=a.unheard)
        for member in sent.refused:
            self._output.say(f"{a.replica}: may not signal {member}")

    def _kill(self, a: act.KillTree) -> None:
        live = self.live.get((a.replica, a.run))
        if live is not None and not live.ending:
            live.killed = True
            live.tree.kill()

    # --- ends --------------------------------------------------------------------------------

    def over(self, live: LiveRun) -> None:
        """The run's tree is empty: let go of it, and have its output read to the end."""
        live.ending = True
        self._link.ended(live.cookie)  # while the leader's pid is its own: nobody else is meant
        live.tree.finish()
        self._let_go(live)
        self._output.drain(live.key)

    def _release(self, a: act.Release) -> None:
        live = self.live.get((a.replica, a.run))
        if live is None or live.ending:
            return
        if a.survivors:
            alive = [f"{a.replica}: {member}" for member in live.tree.members()]
            self.survivors += alive
            if not alive:
                self._output.say(
                    f"{a.replica}: all has ended, but a tracer keeps what we would reap"
                )
        self._link.leaves(live.cookie)
        self._watcher.forget(live.handle)
        self._trees.forget(live.key)
        self._left[live.key] = live.cookie
        left = self._trees.left()
        for run in self._left.keys() - left:
            self._link.ended(self._left.pop(run))
        if live.key in left:
            self._spare(live.key)
        self._let_go(live)
        self._output.drain(live.key)

    def spare_what_was_left(self) -> None:
        """Once more, for the end: it may have grown since."""
        for run in self._trees.left() & self._left.keys():
            self._spare(run)

    def _spare(self, run: Hashable) -> None:
        """Tell the guardian each process: for a daemon without environment, session and leader
        nothing but its pid and start time says that it was left on purpose."""
        for member in self._trees.left_of(run):
            self._link.spares(self._left[run], member.pid, member.start_time)

    def _let_go(self, live: LiveRun) -> None:
        live.handle.close()
        live.end_input()
        del self.live[live.key]


_HINTS = {
    errno.ENOEXEC: "it is no program of this system, and has no #! line",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or run fewer tasks",
    errno.ENFILE: "the whole system has too many files open",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or run fewer tasks",
    errno.ENOMEM: "there is no memory left for another process",
    errno.E2BIG: "its arguments and environment together are too long",
    errno.EACCES: "it may not be executed by us: look at its mode, and at the mount (noexec)",
    errno.ETXTBSY: "somebody is writing to it",
}


def _why(e: OSError | ValueError, executable: str) -> str:
    """What kept it from starting, and what to look at; no numbers."""
    if not isinstance(e, OSError) or e.errno is None:
        return str(e)
    where = os.fsdecode(e.filename or executable)
    hint = _HINTS.get(e.errno)
    if e.errno == errno.ENOENT and where == executable and os.path.exists(executable):
        hint = "it is there, the interpreter that its #! line names is not"
    return f"{where}: {os.strerror(e.errno)}" + (f"; {hint}" if hint else "")
