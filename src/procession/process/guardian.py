"""The guardian: the small process above the supervisor that outlives its crash.

`guard(main)` forks. The child gets a session of its own and becomes the supervisor: so no signal
of the terminal reaches it, and `kill -9` of the guardian's group does not take both. The parent
stays: it receives all signals and passes them on, learns of each run before it starts, and when
the supervisor dies of anything but its own orderly end, sweeps every descendant.

What does not work: to wait for the supervisor in `waitpid` and take signals in handlers (a
handler does not learn who sent the signal); to give the supervisor PR_SET_PDEATHSIG (it would die
before it stopped anything); to poll the posts at every message (it costs the start of a hundred
tasks a hundred context switches).
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from procession.errors import HostError
from procession.process._handle_posix import exit_status
from procession.process._waitid import waitid
from procession.process.link import GuardianGone, Heard, Link, Posts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.core.status import ExitStatus

__all__ = ["GuardianGone", "Heard", "Link", "guard"]

FAILED = 1  # our exit status when the supervisor crashed or something had to be swept
FORCED_WAIT = 10.0  # seconds a supervisor may take after a second typed Ctrl-C
POSTS_PAUSE = 0.1  # seconds between two looks at what the supervisor posted
PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


def guard(main: Callable[[Link], int], *, crash_grace: float = 1.0) -> int:
    """Run `main(link)` as the supervisor, in a process of its own, under our guard.

    Returns the exit status: what `main` returned, or 1 when the supervisor ended in any other
    way, after everything it left was swept: each process gets its run's stop signal, up to
    `crash_grace` seconds (or its run's own grace, if that is shorter) to end, then SIGKILL.
    Returns in the calling process only. Call it early and with one thread: it forks. It takes
    INT, TERM, QUIT and (unless ignored) HUP of the process while it runs and gives them back.
    Raises HostError when the host has no process left for us.
    """
    numbers = _signals()
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, the kernel would reap for us
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    heard_r, heard_w = os.pipe()
    posts_r, posts_w = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        pid = os.fork()
    except OSError as e:
        for fd in (heard_r, heard_w, posts_r, posts_w):
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise HostError("procession", f"cannot start its supervisor: {e.strerror}") from e
    if pid == 0:
        os.close(heard_w)
        os.close(posts_r)
        _supervise(main, Link(heard_r, posts_w))
    os.close(heard_r)
    os.close(posts_w)
    posts = Posts(posts_r, heard_w)
    try:
        return Guardian(pid, posts, numbers, crash_grace).run()
    finally:
        posts.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _signals() -> frozenset[int]:
    """What the guardian receives. HUP stays ignored where somebody wanted it so (nohup)."""
    numbers = {int(getattr(signal, name)) for name in (*PASSED_ON, "SIGCHLD")}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        numbers.discard(signal.SIGHUP)
    return frozenset(numbers)


def _supervise(main: Callable[[Link], int], link: Link) -> None:
    """The child's whole life. The signals stay blocked until `main` has handlers for them."""
    status = FAILED
    try:
        os.setsid()
        status = main(link)
        sys.stdout.flush()
        sys.stderr.flush()
        link.orderly()
    except BaseException:  # noqa: BLE001 - told in full; whatever it was, this process ends
        _tell_crash()
    finally:
        os._exit(status & 0xFF)


def _tell_crash() -> None:
    import traceback

    try:
        traceback.print_exc()
        sys.stderr.flush()
    except OSError:
        pass  # nobody to tell: the guardian says that we crashed, and sweeps


class Guardian:
    """The parent's side, while the supervisor lives and after."""

    def __init__(
        self, supervisor: int, posts: Posts, numbers: frozenset[int], crash_grace: float
    ) -> None:
        self._supervisor = supervisor
        self._posts = posts
        self._crash_grace = crash_grace
        self._typed = 0  # how often Ctrl-C was typed
        self._kill_at: float | None = None
        self._killed_it = False
        self._ears = _ears(numbers)

    def run(self) -> int:
        try:
            _adopt_orphans()
            status = self._watch()
            while self._posts.read():
                pass  # its end is closed once it is dead, unless somebody stole a copy
            return self._after(status)
        finally:
            self._ears.close()

    def _watch(self) -> ExitStatus:
        """Pass signals on until the supervisor is dead; how it died."""
        poll = select.poll()
        poll.register(self._ears.fd, select.POLLIN)
        posts_at = 0.0
        listening = False
        while (status := _ended(self._supervisor)) is None:
            now = time.monotonic()
            if not listening and now >= posts_at:
                poll.register(self._posts.fd, select.POLLIN)
                listening = True
            until = None if listening else posts_at
            if self._kill_at is not None:
                until = self._kill_at if until is None else min(until, self._kill_at)
            timeout = None if until is None else max(0.0, until - now) * 1000
            for fd, _ in poll.poll(timeout):
                if fd == self._posts.fd:
                    self._posts.read()
                    poll.unregister(fd)
                    listening, posts_at = False, time.monotonic() + POSTS_PAUSE
            for number, typed in self._ears.read():
                self._heard(number, typed)
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_supervisor()
        return status

    def _heard(self, number: int, typed: bool | None) -> None:
        if number == signal.SIGCHLD:
            return  # the loop looks at the supervisor whenever it wakes
        self._posts.tell(Heard(number, typed, time.monotonic()))
        if number == signal.SIGINT and typed:
            self._typed += 1
            if self._typed == 2:
                self._kill_at = time.monotonic() + FORCED_WAIT

    def _kill_supervisor(self) -> None:
        """It was forced and does not end: a defect of ours, which must not hold up the user."""
        self._kill_at = None
        self._killed_it = True
        os.kill(self._supervisor, signal.SIGKILL)  # our own unreaped child: the pid is its own

    def _after(self, status: ExitStatus) -> int:
        from procession.process.sweep import sweep

        os.waitpid(self._supervisor, 0)
        orderly = self._posts.orderly and status.code is not None
        swept, survivors = sweep(self._posts, self._crash_grace, self._ears)
        if orderly and not swept:
            return status.shell_status
        if orderly:
            words = ["something was left at the end"]
        elif self._killed_it:
            words = [f"the supervisor did not end within {FORCED_WAIT:g} s and was killed"]
        else:
            words = [f"the supervisor was lost ({status})"]
        if swept:
            words.append(f"{swept} process{'' if swept == 1 else 'es'} swept")
        if survivors:
            words.append("could not be killed: " + ", ".join(survivors))
        _say(f"procession: {'; '.join(words)}\n")
        return FAILED


def _ended(pid: int) -> ExitStatus | None:
    seen = waitid(pid, None, block=False)
    return None if seen is None else exit_status(*seen)


def _say(text: str) -> None:
    try:
        os.write(2, text.encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # our terminal is gone; the exit status still tells


# --- ears: how this host tells of signals, and of who sent them ----------------------------------

if sys.platform == "linux":
    from procession.process import _linux

    def _adopt_orphans() -> None:
        _linux.set_child_subreaper()

    class _Ears:
        """signalfd: tells who sent a signal, and loses none while they are blocked."""

        def __init__(self, numbers: frozenset[int]) -> None:
            self.fd = _linux.signalfd(numbers)

        def read(self) -> list[tuple[int, bool | None]]:
            """(signal, typed) of all that came."""
            return [
                (info.signo, info.signo == signal.SIGINT and info.code == _linux.SI_KERNEL)
                for info in _linux.read_signalfd(self.fd)
            ]

        def close(self) -> None:
            os.close(self.fd)

else:

    def _adopt_orphans() -> None:
        """Only Linux lets a process adopt its orphaned descendants."""

    class _Ears:
        """A wakeup descriptor and handlers: who sent a signal cannot be told."""

        def __init__(self, numbers: frozenset[int]) -> None:
            self.fd, self._writes = os.pipe()
            os.set_blocking(self.fd, False)
            os.set_blocking(self._writes, False)
            self._wakeup = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
            self._before = {n: signal.signal(n, lambda *_: None) for n in numbers}
            self._mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

        def read(self) -> list[tuple[int, bool | None]]:
            try:
                return [(number, None) for number in os.read(self.fd, 4096)]
            except BlockingIOError:
                return []

        def close(self) -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._before.items():
                signal.signal(number, handler)
            os.close(self.fd)
            os.close(self._writes)


def _ears(numbers: frozenset[int]) -> _Ears:
    return _Ears(numbers)
