"""The terminal that a command of ours is to have, as a shell would give it to one of its jobs.

Three groups of one session share it. Our *job* is the group that the shell made, with the guardian
in it; the shell waits for it, gives it the terminal, and stops and continues it. The supervisor
leads a group that never has the terminal. The *command* leads the third, and while the job has the
terminal the command's group gets it, so that typed keys mean the command alone.

Nothing here raises when the terminal is gone: then nobody has it, and nobody can be given it.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import signal
import termios

from procession.process import _waitid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NOBODY = -1


class Terminal:
    """The controlling terminal of this session. Made by the guardian, used by both after the
    fork; from one thread of each."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.job = os.getpgrp()
        self._guardian = os.getpid()
        self._parent = os.getppid()
        self._session = os.getsid(0)
        self._modes = _modes(fd)
        # from here on neither our words nor our questions stop us while somebody else has it
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))

    @classmethod
    def find(cls) -> Terminal | None:
        """None: there is none, or none that could be given back, since our own group lies outside
        of our pid namespace and has no number here."""
        if os.getpgrp() == 0:
            return None
        try:
            return cls(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
        except OSError:
            return None

    @property
    def is_ours(self) -> bool:
        """The shell gave it to our job, and we did not pass it on."""
        return self._foreground() == self.job

    def is_with(self, group: int) -> bool:
        """Do typed keys mean this group now?"""
        return self._foreground() == group

    def give(self, group: int) -> bool:
        """Pass it on to the command's group, where it is ours to give."""
        return self.is_ours and self._set(group)

    def take_back(self, group: int) -> None:
        """Where the command's group has it, or a group of its that is no more, our job gets it;
        not where the shell has taken it."""
        now = self._foreground()
        if now != NOBODY and (now == group or not _lives(now)):
            self._set(self.job)

    def restore(self) -> None:
        """The modes it had in the beginning: what was killed could not put them back itself."""
        if self._modes is not None and self.is_ours:
            _unstopped(lambda: termios.tcsetattr(self.fd, termios.TCSANOW, self._modes or []))

    def interrupt(self) -> None:
        """End as one ends who did not catch the Ctrl-C, and with us our whole job, as it would
        have been without us. Returns only where this process cannot be ended so: as the first of
        its pid namespace, or where SIGINT is ignored on purpose."""
        if os.getpid() == 1 or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(0, signal.SIGINT)  # our own group
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))

    def stop(self) -> None:
        """Stop all of our job, for the shell to see; a part of it, and the shell would wait on.

        SIGTSTP can be too late: the shell has seen that a part of the job stopped, and continued
        all of it, before the guardian, who hears signals by reading them, has stopped itself.
        """
        if self.job > 1:  # `killpg(1)` would mean everybody (kill(2)); and 1 is never watched
            os.killpg(self.job, signal.SIGSTOP)

    def is_watched(self) -> bool:
        """Is there a shell that would continue our job if it were stopped? Else its group is an
        orphan (POSIX, 3.264), which the keys of the terminal do not stop either."""
        try:
            pid = self._parent_of(self._guardian)
            while pid > 0 and os.getpgid(pid) == self.job:
                pid = self._parent_of(pid)
            return pid > 0 and os.getsid(pid) == self._session
        except OSError:
            return False

    @staticmethod
    def stop_signal(pid: int) -> int | None:
        """What stopped the command, our child, if it was stopped since the last call, else None.

        Raises ChildProcessError when somebody else reaped it.
        """
        return _waitid.stop_signal(pid)

    def close(self) -> None:
        os.close(self.fd)

    def _parent_of(self, pid: int) -> int:
        if sys.platform == "linux":
            from procession.process import _linux

            return _linux.stat(pid).ppid
        # nobody tells of others' parents; whoever is above ours is taken for a shell that watches
        return self._parent if pid == self._guardian else self._session

    def _foreground(self) -> int:
        try:
            return os.tcgetpgrp(self.fd) or NOBODY
        except OSError:
            return NOBODY

    def _set(self, group: int) -> bool:
        return _unstopped(lambda: os.tcsetpgrp(self.fd, group))


def _modes(fd: int) -> list[Any] | None:
    try:
        return termios.tcgetattr(fd)
    except termios.error:
        return None


def _lives(group: int) -> bool:
    if group == 1:
        return True  # of the first process; `killpg(1)` would ask for everybody (kill(2))
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unstopped(act: Callable[[], None]) -> bool:
    """Whoever does this from the background is stopped for it, unless SIGTTOU is blocked."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
    try:
        act()
    except (OSError, termios.error):
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return True
