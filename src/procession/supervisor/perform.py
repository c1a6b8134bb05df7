"""Actions into the world. Nothing here decides; what fails comes back as an event."""

from __future__ import annotations

import os
import signal
import sys

from procession import lookup
from procession.core import actions as act
from procession.core import events as ev
from procession.core.stop import ladder_of, outline
from procession.process.command import Command
from procession.process.limits import as_found
from procession.process.spawn import encoded
from procession.process.tree import COOKIE, OWNER
from procession.spec import CLOSE_STDIN
from procession.supervisor import identity, unstarted
from procession.supervisor.injected import MANAGERS, PID, injected
from procession.supervisor.runs import LiveRun, cookie_of

if sys.platform == "win32":
    from procession.process._signals_windows import signal_number
else:
    from procession.process.handle import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Protocol

    from procession.logs.pipes import Tap
    from procession.lookup import Launch
    from procession.process._tree import Sent, Trees
    from procession.process.handle import Handle
    from procession.spec import Project, Task
    from procession.supervisor.output import Output
    from procession.supervisor.probes.outfit import Outfit
    from procession.supervisor.runs import RunKey

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
        def makes(self, folder: str) -> None: ...


ERRAND_GRACE = 1.0  # seconds that a guardian's sweep leaves to a small process beside a run


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
        equip: Callable[[Task, int | None], Outfit | None],
        owner: str = "",
    ) -> None:
        self._replicas = {replica.name: replica for replica in project.replicas()}
        self._project = project.name
        self._folder = project.folder
        self._launches = launches
        self._trees = trees
        self._output = output
        self._link = link
        self._environ = environ
        self._post = post
        self._watcher = watcher
        self._equip = equip
        # unguessable, so that no other supervisor's processes are ever taken for ours
        self._token = owner or os.urandom(8).hex()
        self._owner = owner
        self.live: dict[RunKey, LiveRun] = {}
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
        replica = self._replicas[a.replica]
        task = replica.task
        launch = None if task.variants else self._launches.get(task.name)
        launch = self._launches.get(replica.name, launch)
        try:
            if launch is None:  # the program need not have been there when the file was read
                launch = lookup.resolve(task, self._folder, self._environ)
        except lookup.LookupProblem as e:
            why = "; ".join(map(str, e.troubles))
            self._post(ev.SpawnFailed(a.replica, a.run, why, e.status))
            return
        cookie = cookie_of(self._token, a.replica, a.run)
        command = Command(launch.argv, launch.executable, cwd=launch.cwd, pinned=False)
        marks = injected(self._project, replica, a.run)
        plea, grace = outline(ladder_of(task.stop, to="tree"))
        outfit = None
        try:
            if identity.says_something(task):
                command, variables = identity.dressed(command, task, launch.env, self._environ)
                marks |= variables
            outfit = self._equip(task, command.uid)
            if outfit is not None:
                marks |= outfit.environment
            live = self._begin(
                (a.replica, a.run),
                cookie,
                command,
                self._inherited(task, launch, marks),
                marks,
                last_words=(signal_number(plea or "SIGKILL"), grace),
                outfit=outfit,
                ended_by_input=_ended_by_input(task),
            )
        except (OSError, ValueError) as e:
            # ValueError: text of the file that the locale's encoding has no bytes for
            if outfit is not None:
                outfit.close()
            words = unstarted.why(e, launch.executable)
            self._post(ev.SpawnFailed(a.replica, a.run, words, unstarted.status(e)))
            return
        live.task, live.launch = task, launch
        if outfit is not None:
            outfit.spawned(live)
        self._post(ev.Spawned(a.replica, a.run, live.handle.pid))

    def start_errand(
        self,
        owner: LiveRun,
        number: int,
        argv: tuple[str, ...],
        executable: str,
        extra: dict[str, str],
        tail: Tap | None,
    ) -> LiveRun:
        """A small process beside a run, started as that was; `number` is its own. What it writes
        goes to `tail`, None: to the logs of the run. Raises OSError, ValueError."""
        replica, run = owner.run
        return self._begin(
            (replica, run, number),
            cookie_of(self._token, replica, f"{run}+{number}"),
            owner.command.replace(argv=argv, executable=executable),
            owner.inherited,
            # but for what the run alone has: nobody listens to an errand
            {name: value for name, value in owner.marks.items() if name not in MANAGERS} | extra,
            last_words=(int(signal.SIGTERM), ERRAND_GRACE),
            owner=owner,
            tail=tail,
        )

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

    def _nested(self, name: str, mark: str) -> str:
        """A supervisor under a supervisor keeps the outer one's mark."""
        outer = self._environ.get(name)
        return f"{outer}:{mark}" if outer else mark

    def _begin(
        self,
        key: RunKey,
        cookie: str,
        command: Command,
        inherited: list[bytes],
        marks: dict[str, str],
        *,
        last_words: tuple[int, float],
        outfit: Outfit | None = None,
        owner: LiveRun | None = None,
        tail: Tap | None = None,
        ended_by_input: bool = False,
    ) -> LiveRun:
        """Start and plant it. `last_words`: the signal and the grace of a guardian's sweep.
        `ended_by_input`: its input is a pipe, which ends when it is to end."""
        nested = self._nested(COOKIE, cookie)
        own = {COOKIE: nested}
        if self._owner:
            own[OWNER] = self._nested(OWNER, self._owner)
        env = [*inherited, *encoded({**marks, **own}, {})]
        reads, writes = self._output.pipes(len(self._unwatched) + 1)  # their pidfds
        ours, theirs = [*reads], [*writes]
        stdin, ends_input = None, -1
        try:
            if ended_by_input:
                stdin, ends_input = os.pipe()
                theirs.append(stdin)
                ours.append(ends_input)
            # told before the process exists: the guardian must never meet a stranger
            self._link.begins(cookie, *last_words)
            equipped = command.replace(env=env, stdin=stdin, stdout=writes[0], stderr=writes[1])
            handle = self._spawn(nested, equipped, outfit)
        except BaseException:
            self._link.ended(cookie)
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        as_found(handle.pid)
        outputs = [(fd, os.fstat(fd).st_ino) for fd in reads]
        tree = self._trees.plant(key, nested, handle, [inode for _, inode in outputs])
        taps = (tail, tail) if tail is not None else outfit.taps() if outfit is not None else None
        self._output.attach(key, reads, taps, kept=tail is None)
        live = self.live[key] = LiveRun(key, cookie, handle, tree)
        live.command, live.inherited, live.marks = command, inherited, marks
        live.outfit, live.owner = outfit, owner
        live.input = ends_input
        if sys.platform == "win32" and ends_input >= 0:
            from procession.process._tree_windows import WindowsTree

            assert isinstance(tree, WindowsTree)
            tree.close_input = live.end_input
        # of what is not kept nobody needs the rest
        self._link.started(cookie, handle.pid, outputs if tail is None else ())
        self._unwatched.append(live)
        return live

    def _spawn(self, cookie: str, command: Command, outfit: Outfit | None) -> Handle:
        if outfit is None or not outfit.places:
            return self._trees.spawn(cookie, command)
        command = command.replace(pass_fds=tuple(outfit.places))
        return outfit.put(lambda: self._trees.spawn(cookie, command))

    def _inherited(self, task: Task, launch: Launch, marks: dict[str, str]) -> list[bytes]:
        """The task's environment without what is ours to say, and what was said to us alone."""
        env = launch.env
        hidden = env.keys() & {COOKIE, PID, *marks}
        if self._owner:
            hidden |= env.keys() & {OWNER}
        own = [name for name, _ in task.environment]
        for name in MANAGERS:
            if name in env and name not in own and env[name] == self._environ.get(name):
                hidden.add(name)
        if hidden:
            env = {name: value for name, value in env.items() if name not in hidden}
        return encoded(env, self._entries)

    # --- signalling --------------------------------------------------------------------------

    def _signal(self, a: act.SignalTree) -> None:
        live = self._lives(a)
        if live is not None:
            number = signal_number(a.signal)
            self._told(a, live.tree.signal(number, to=a.to, only_new=a.unheard))

    def signal_many(self, actions: Sequence[act.SignalTree]) -> None:
        """As `perform` of each, at the price of one look at trees where looks are dear."""
        found = [(a, live) for a in actions if (live := self._lives(a)) is not None]
        asks = [(live.tree, signal_number(a.signal), a.to, a.unheard) for a, live in found]
        for (a, _), sent in zip(found, self._trees.tell_many(asks), strict=True):
            self._told(a, sent)

    def _told(self, a: act.SignalTree, sent: Sent) -> None:
        for member in sent.refused:
            self._output.say(f"{a.replica}: may not signal {member}")

    def _kill(self, a: act.KillTree) -> None:
        live = self._lives(a)
        if live is not None:
            live.killed = True
            live.tree.kill()

    def kill_many(self, actions: Sequence[act.KillTree]) -> None:
        """As `signal_many`."""
        found = [live for a in actions if (live := self._lives(a)) is not None]
        for live in found:
            live.killed = True
        self._trees.kill_many([live.tree for live in found])

    def _lives(self, a: act.SignalTree | act.KillTree) -> LiveRun | None:
        live = self.live.get((a.replica, a.run))
        return None if live is None or live.ending else live

    # --- ends --------------------------------------------------------------------------------

    def over(self, live: LiveRun) -> None:
        """The run's tree is empty: let go of it, and have its output read to the end."""
        self.bury(live)
        self._output.drain(live.key)

    def bury(self, live: LiveRun) -> None:
        """The run's tree is empty: let go of it."""
        live.ending = True
        self._link.ended(live.cookie)  # while the leader's pid is its own: nobody else is meant
        live.tree.finish()
        self._let_go(live)

    def _release(self, a: act.Release) -> None:
        live = self.live.get((a.replica, a.run))
        if live is None or live.ending:
            return
        if a.survivors:
            self._report(live)
        self._leave(live)

    def abandon(self, errand: LiveRun) -> None:
        """It cannot be killed: it is reported by name, and left."""
        self._report(errand)
        self._leave(errand)

    def _report(self, live: LiveRun) -> None:
        alive = [f"{live.replica}: {member}" for member in live.tree.members()]
        self.survivors += alive
        if not alive:
            self._output.say(
                f"{live.replica}: all has ended, but a tracer keeps what we would reap"
            )

    def _leave(self, live: LiveRun) -> None:
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
        if live.outfit is not None:
            live.outfit.close()
        live.handle.close()
        live.end_input()
        del self.live[live.key]


def _ended_by_input(task: Task) -> bool:
    said = [step.signal for step in task.stop.steps] or [task.stop.signal]
    return CLOSE_STDIN in said
