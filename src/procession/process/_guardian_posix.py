"""`guard` by fork. See `guardian` for what it is for.

What does not work: to wait for the supervisor in `waitpid` and take signals in handlers (a handler
does not learn who sent the signal); to give the supervisor PR_SET_PDEATHSIG (it would die before
it stopped anything); to read each post as it comes (a hundred tasks would start at the price of
a hundred context switches more).
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession.core.status import ExitStatus
from procession.errors import HostError
from procession.process._handle_posix import exit_status
from procession.process._supervised_posix import FAILED, flush, say, supervise
from procession.process._sweep import remove_folder
from procession.process._waitid import waitid
from procession.process.link import Heard, Link, Posts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.process.link import Groups, Logs

FORCED_WAIT = 10.0  # seconds a supervisor may take after a second typed Ctrl-C
MUTE_WAIT = 1.0  # seconds a supervisor may take to fall silent before the prompt comes back
POSTS_PAUSE = 0.1  # seconds between two looks at what the supervisor posted
PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


def guard(
    main: Callable[[Link], int],
    *,
    crash_grace: float = 1.0,
    session: bool = True,
    forwards: tuple[str, ...] = (),
    failed: int = FAILED,
    logs: Logs | None = None,
) -> int:
    """Run `main(link)` as the supervisor, in a process of its own, under our guard.

    Returns the exit status: what `main` returned, or `failed` when it ended in any other way or
    left something behind, after that was swept: each process gets its run's stop signal, up to
    `crash_grace` seconds (or its run's own grace, if that is shorter) to end, then SIGKILL.
    Returns in the calling process only. Call it early, in the main thread, with no other: it
    forks. Children that this process has already are not touched.

    It takes INT, TERM, QUIT and HUP (unless that is ignored). They stay blocked when it returns,
    as they are when `main` is called: the one is about to exit, and a signal must not change how;
    the other unblocks them (`clean_signals`) when it has handlers, and loses none until then.
    Raises HostError when the host has no process or no descriptor left for us.

    `session`: False leaves the supervisor in our session, with our terminal, and gives it only a
    group of its own. `forwards`: more signals to pass on, by name; where any are named no signal
    ends the supervisor before it listens, or because it was typed twice, and none stops us: `main`
    reads its link before it starts anything, and is who stops us.

    `logs`: what a run writes while it is swept goes there, and how it ended. The folder is what
    the supervisor posted (`Link.logs_in`).
    """
    try:
        _open_standard_descriptors()
    except OSError as e:
        raise HostError(os.devnull, f"cannot be opened: {e.strerror}", "a usable device") from e
    numbers = _signals(forwards)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, the kernel would reap for us
    groups = claim_groups(crash_grace, say)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    flush()
    fds: list[int] = []
    try:
        fds += os.pipe()
        fds += os.pipe()
        older = _children()
        guardian = os.getpid()
        _adopt_orphans()
        pid = os.fork()
    except OSError as e:
        for fd in fds:
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if groups is not None:
            groups.close()
        raise HostError("procession", f"cannot start its supervisor: {e.strerror}") from e
    heard_r, heard_w, posts_r, posts_w = fds
    if pid == 0:
        os.close(heard_w)
        os.close(posts_r)
        _die_with(guardian)
        apart = os.setsid if session else os.setpgrp
        link = Link(heard_r, posts_w, _outlive_guardian, groups)
        supervise(main, link, apart, early=not forwards)
    os.close(heard_r)
    os.close(posts_w)
    posts = Posts(posts_r, heard_w)
    try:
        return Guardian(
            pid, posts, numbers, crash_grace, older, not forwards, failed, logs, groups
        ).run()
    finally:
        posts.close()  # whatever happened to us: the supervisor hears that we are gone
        if groups is not None:
            groups.close()


def _signals(more: tuple[str, ...]) -> frozenset[int]:
    """What the guardian receives. HUP stays ignored where somebody wanted it so (nohup)."""
    numbers = {int(getattr(signal, name)) for name in (*PASSED_ON, *more, "SIGCHLD", "SIGTSTP")}
    for number in (signal.SIGHUP, signal.SIGTSTP):
        if signal.getsignal(number) is signal.SIG_IGN:
            numbers.discard(number)  # a shell without job control means it for TSTP
    if signal.SIGTSTP in numbers and not more:
        numbers.add(signal.SIGCONT)  # blocked or not, it continues us; and we hear that it came
    return frozenset(numbers)


def _open_standard_descriptors() -> None:
    """Where 0, 1 or 2 is closed our pipes would get these numbers, and be printed into."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)  # as standard descriptors are
    os.close(fd)


class Guardian:
    """The parent's side, while the supervisor lives and after."""

    def __init__(
        self,
        supervisor: int,
        posts: Posts,
        numbers: frozenset[int],
        crash_grace: float,
        older: list[int],
        acts: bool,
        failed: int,
        logs: Logs | None,
        groups: Groups | None = None,
    ) -> None:
        self._groups = groups
        self._supervisor = supervisor
        self._posts = posts
        self._numbers = numbers
        self._crash_grace = crash_grace
        self._older = older  # children this process had before
        self._acts = acts  # on signals; else they are passed on and nothing more
        self._failed = failed
        self._logs = logs
        self._rescue = Rescue(supervisor, self._log_of)
        self._strangers: list[int] = []  # orphans of theirs, which came to us
        self._continued = False  # somebody did, since we last looked
        self._typed = 0  # how often Ctrl-C was typed
        self._kill_at: float | None = None
        self._killed_it = False

    def run(self) -> int:
        self._ears = Ears(self._numbers)
        try:
            status = self._watch()
            self._posts.read()  # the dead write no more: what there is, is all
            return self._after(status)
        finally:
            self._ears.close()

    def _watch(self) -> ExitStatus:
        """Pass signals on until the supervisor is dead; how it died."""
        poll = select.poll()
        poll.register(self._ears.fd, select.POLLIN)
        read_at: float | None = 0.0  # when to listen to the posts again; None: we do, or it ended
        while (status := _ended(self._supervisor)) is None:
            now = time.monotonic()
            if read_at is not None and now >= read_at:
                poll.register(self._posts.fd, select.POLLIN)
                read_at = None
            for fd, _ in poll.poll(_milliseconds(read_at, self._kill_at, now)):
                if fd == self._posts.fd:
                    poll.unregister(fd)
                    if self._posts.read():
                        read_at = time.monotonic() + POSTS_PAUSE
                    self._rescue.keep(self._posts.runs)
            for number, typed in self._ears.read():
                self._heard(number, typed)
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_supervisor()
        return status

    def _heard(self, number: int, typed: bool | None) -> None:
        if number == signal.SIGCHLD:
            known = (self._supervisor, *self._older)
            strangers = meet_strangers(known, lambda: _lives(self._supervisor))
            # The first process of a container answers for all in it.
            if strangers is not None and os.getpid() != 1:
                self._strangers = strangers
            return  # the loop looks at the supervisor whenever it wakes
        if number == signal.SIGCONT and self._acts:
            self._continued = True
            return
        self._posts.tell(Heard(number, typed, time.monotonic()))
        if number != signal.SIGTSTP:
            os.kill(self._supervisor, signal.SIGCONT)  # stopped, it would hear of nothing
        if self._acts and number == signal.SIGTSTP:
            self._step_aside()
        elif self._acts and not self._posts.listening:
            os.kill(self._supervisor, signal.SIGTERM)  # see _hear_early
        if self._acts and number == signal.SIGINT and typed:
            self._typed += 1
            if self._typed == 2:
                self._kill_at = time.monotonic() + FORCED_WAIT

    def _step_aside(self) -> None:
        """Ctrl-Z: stop until somebody continues us; the tasks and their logs go on.

        The supervisor, which no terminal signal reaches, falls silent first: or its lines would
        be written over the shell's prompt.
        """
        self._continued = False
        before = self._posts.muted
        until = time.monotonic() + MUTE_WAIT
        poll = select.poll()
        poll.register(self._posts.fd, select.POLLIN)
        while self._posts.read() and self._posts.muted == before:
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                break
        for number, typed in self._ears.read():
            if number != signal.SIGTSTP:
                self._heard(number, typed)
        # A script that we are part of stops at once, and may be continued before we have stopped:
        # nobody would do it a second time.
        if not self._continued:
            _stop_here()
        if self._kill_at is not None:
            self._kill_at = time.monotonic() + FORCED_WAIT  # it had its patience for the terminal
        self._posts.tell(Heard(signal.SIGCONT, False, time.monotonic()))

    def _kill_supervisor(self) -> None:
        """It was forced and does not end: a defect of ours, which must not hold up the user."""
        self._kill_at = None
        self._killed_it = True
        os.kill(self._supervisor, signal.SIGKILL)  # our own unreaped child: the pid is its own

    def _log_of(self, cookie: str, stream: str) -> int:
        if self._logs is None or self._posts.log_folder is None:
            raise FileNotFoundError(errno.ENOENT, "nobody said where the logs are")
        return self._logs.open(self._posts.log_folder, cookie, stream)

    def _after(self, status: ExitStatus) -> int:
        try:
            os.waitpid(self._supervisor, 0)
        except ChildProcessError:
            pass  # somebody else reaped it; its status is unknown, and it is dead all the same
        orderly = self._posts.orderly and status.code is not None
        spared = (*self._older, *self._strangers)
        swept = sweep(
            self._posts, self._crash_grace, self._ears, spared, self._rescue, self._groups
        )
        for folder in self._posts.folders:
            remove_folder(folder)
        if self._posts.nothing_began and not swept.survivors:
            say("procession: stopped before anything was started\n")
            return 0  # at the most the helper of a template was swept
        if orderly and not swept.count and not swept.survivors:
            return status.shell_status
        if orderly:
            words = ["something was left at the end"]
        elif self._killed_it:
            words = [f"the supervisor did not end within {FORCED_WAIT:g} s and was killed"]
        else:
            words = [f"the supervisor was lost ({status})"]
        if swept.count:
            words.append(f"{swept.count} process{'' if swept.count == 1 else 'es'} swept")
        if swept.survivors:
            words.append("could not be killed: " + ", ".join(swept.survivors))
        say(f"procession: {'; '.join(words)}\n")
        if self._logs is not None and self._posts.log_folder is not None:
            self._logs.event(self._posts.log_folder, "; ".join(words))
        return self._failed


def _stop_here() -> None:
    """Stop as the terminal meant it; returns when we are continued. With SIGSTOP a group that no
    shell watches over would stay stopped for ever: the kernel spares it this one."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTSTP,))
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGTSTP, handler)


def _ended(pid: int) -> ExitStatus | None:
    try:
        seen = waitid(pid, None)
    except ChildProcessError:
        return ExitStatus()
    return None if seen is None else exit_status(*seen)


def _milliseconds(one: float | None, other: float | None, now: float) -> float | None:
    """Until the earlier of two times; None: there is none."""
    times = [at for at in (one, other) if at is not None]
    return max(0.0, min(times) - now) * 1000 if times else None


if sys.platform == "linux":
    from procession.process import _linux, host
    from procession.process._delegation_linux import claim_groups
    from procession.process._ears_linux import Ears
    from procession.process._rescue_linux import Rescue
    from procession.process._sweep_linux import meet_strangers, sweep

    def _lives(supervisor: int) -> bool:
        return _ended(supervisor) is None and not _linux.is_exiting(supervisor)

    def _adopt_orphans() -> None:
        _linux.set_child_subreaper()

    def _die_with(guardian: int) -> None:
        """While it reads its file a supervisor has nothing to bring down, and may hang."""
        _linux.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(FAILED)  # it was dead already when we asked

    def _outlive_guardian() -> None:
        _linux.set_parent_death_signal(0)

    def _children() -> list[int]:
        if host.has_children_files():
            return _linux.children()
        return _linux.children_by_scan(os.getpid())

else:
    from procession.process._ears_posix import Ears
    from procession.process._sweep_posix import Rescue, meet_strangers, sweep

    def _lives(supervisor: int) -> bool:
        return _ended(supervisor) is None

    def _die_with(guardian: int) -> None:
        """Only Linux has that."""

    def _outlive_guardian() -> None:
        """See `_die_with`."""

    def claim_groups(grace: float, say: Callable[[str], None]) -> Groups | None:
        return None  # only Linux has them

    def _adopt_orphans() -> None:
        """Only Linux lets a process adopt its orphaned descendants."""

    def _children() -> list[int]:
        return []  # nobody but the supervisor is ever touched
