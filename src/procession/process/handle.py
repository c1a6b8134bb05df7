"""A process we started: how it is watched, signalled and taken off the process table.

The contract is `Handle`; a platform file implements it. What holds everywhere:

- An exit is *observed* by `poll_exit()`, as often as one likes, and changes nothing: the process
  stays a zombie, so neither its pid nor its group can be given to anybody else.
- Only `reap()` lets go of the pid. It is the one reaper; nothing here ever waits for "any child".
- A signal goes out under the lock that reaps, so it cannot reach a stranger with the same number.
- The status is memoised; when somebody else reaped the process it is *unknown*, never 0.
"""

from __future__ import annotations

import signal as _signal
import sys
from abc import ABC, abstractmethod

from procession._record import Record
from procession.core.status import ExitStatus

__all__ = ["UNKNOWN", "ExitStatus", "Handle", "Usage", "signal_name", "signal_number"]


if sys.platform == "win32":
    from procession.process._signals_windows import signal_name, signal_number
else:

    def signal_name(number: int) -> str:
        """`SIGTERM`, `SIGRTMIN+3`, or `signal 99` for one that this host has no name for."""
        try:
            return _signal.Signals(number).name
        except ValueError:
            first: int = getattr(_signal, "SIGRTMIN", 0)
            if first and first < number <= getattr(_signal, "SIGRTMAX", 0):
                return f"SIGRTMIN+{number - first}"
            return f"signal {number}"

    def signal_number(name: str) -> int:
        """The number of `SIGTERM`, `SIGRTMIN+3`. Raises ValueError for a name this host lacks."""
        base, plus, offset = name.partition("+")
        try:
            number = int(_signal.Signals[base])
        except KeyError:
            raise ValueError(f"this host has no signal {name!r}") from None
        return number + (int(offset) if plus else 0)


UNKNOWN = ExitStatus()  # somebody else reaped it; never to be taken for success


class Usage(Record):
    """What a process and its waited-for descendants consumed. Seconds, bytes, counts."""

    user: float
    system: float
    max_rss: int
    major_faults: int = 0


class Handle(ABC):
    """One started process. All methods may be called from any thread, none from a signal handler
    (they take a lock). The handle belongs to the process that spawned; a forked copy is useless.
    """

    pid: int
    pidfd: int | None
    own_group: bool

    @abstractmethod
    def pin(self) -> None:
        """Open the pidfd, where the host has such and it is not open yet. Raises OSError (EMFILE).

        Done by the spawn, unless its command says otherwise.
        """

    @property
    @abstractmethod
    def start_time(self) -> int | None:
        """Clock ticks after boot (Linux), so that (pid, start_time) names one process for ever;
        None where this cannot be told or the process was reaped before anybody asked."""

    @abstractmethod
    def poll_exit(self) -> ExitStatus | None:
        """The status once the process ended, else None. Does not reap, does not block."""

    def look(self) -> ExitStatus | None:
        """As `poll_exit`, and None only if the kernel did not know of an end when this was called.
        The same, but where somebody else has to tell."""
        return self.poll_exit()

    def await_exit(self, pidfd: int, deadline: float | None = None) -> ExitStatus | None:
        """Block until it has ended; `poll_exit`'s answer. None: it had not by the deadline, in
        seconds of the monotonic clock. `pidfd` is its own, which the caller keeps open."""
        raise NotImplementedError

    @abstractmethod
    def forsake(self) -> bool:
        """Has it ended, also where somebody else keeps its status? Such a zombie counts as reaped
        from here on, its status unknown: a tracer hears first, and may never let go (ptrace(2))."""

    @abstractmethod
    def reap(self) -> Usage | None:
        """Take the ended process off the table; from here on its pid is not ours.

        Idempotent: the same answer each time. None: somebody else had reaped it. Raises
        RuntimeError when the process still runs: `reap` never waits.
        """

    def claim(self) -> bool:
        """Reap it if it was seen to end and nobody has reaped it so far: until now its pid was
        nobody else's, then. False: it was not seen to end, or somebody else was quicker."""
        return False

    def is_ours(self) -> bool:
        """Has nobody reaped it by now, so that its pid is nobody else's? For one that was seen to
        end."""
        return not self.reaped

    @property
    def usage(self) -> Usage | None:
        """What `reap` has returned; None before."""
        return None

    @property
    @abstractmethod
    def reaped(self) -> bool:
        """Has the pid been let go of, by us or by somebody else?"""

    @abstractmethod
    def send(self, number: int) -> bool:
        """Send a signal to this process alone. False: it has ended, nothing was sent.

        Raises PermissionError when it runs as somebody we may not signal.
        """

    @abstractmethod
    def kill_group(self, number: int) -> bool:
        """Send a signal to the group this process leads, also while it is an unreaped zombie.

        False: it was reaped, or the group is empty but for zombies we cannot tell apart. Raises
        PermissionError when not one member may be signalled, and ValueError when the process
        was not started as the leader of a group of its own.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the descriptor. Idempotent. An unreaped process stays what it is."""

    @property
    def lost(self) -> bool:
        """Was somebody else to tell how it ends, and is dead? Then its `pidfd`, under the same
        number, is another one than before."""
        return False
