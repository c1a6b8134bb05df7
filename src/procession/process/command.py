"""What to start, spelled out: nothing is looked up, expanded or inherited behind the caller."""

from __future__ import annotations

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Command(Record):
    """One program to start.

    argv        what the program sees as its arguments, its own name first; not empty
    executable  absolute path of the file to execute; no PATH is searched
    cwd         directory to start in; None: the caller's
    env         the whole environment, as a mapping or as encoded NAME=VALUE; None: the caller's.
                Hidden from repr: it holds secrets
    stdin, stdout, stderr
                descriptors the program gets as 0, 1, 2, left open in the caller; None: /dev/null
    session     lead a new session and process group (needed to signal the group safely)
    pass_fds    more descriptors to inherit, under their own numbers; nothing else is inherited
    uid, gid, groups
                whom to run as, and with which supplementary groups; None: as the caller. Needs the
                caller to be allowed (root)
    umask       of the program; -1: the caller's
    pinned      open a pidfd at once. False: the caller alone reaps its children, and calls
                `Handle.pin` before it waits; each descriptor that is open makes a spawn dearer
    group       lead a new process group in the caller's session; of no account with `session`
    foreground  descriptor of the session's terminal, whose foreground group the new group becomes
                before it executes anything. With `group`, and from a process without other threads
                only: it takes code between fork and exec, which deadlocks beside threads
    nice        its niceness, -20 to 19; None: the caller's. Linux and POSIX hosts only, as the next
    cpus        the processors it may run on; empty: the caller's. Linux only
    limits      resource limits by name (`nofile` for RLIMIT_NOFILE), each soft and hard, None for
                no limit. With any of these three the program is started by way of a small Python,
                which costs 10 to 20 ms (see `defaults`)
    """

    argv: tuple[str, ...]
    executable: str
    cwd: str | None = None
    env: Mapping[str, str] | list[bytes] | None = None
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    session: bool = True
    pass_fds: tuple[int, ...] = ()
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    umask: int = -1
    pinned: bool = True
    group: bool = False
    foreground: int | None = None
    nice: int | None = None
    cpus: tuple[int, ...] = ()
    limits: tuple[tuple[str, tuple[int | None, int | None]], ...] = ()

    _hidden = frozenset({"env"})

    @property
    def prepares(self) -> bool:
        """Does it ask for what only the process itself can set, before it becomes the program?"""
        return self.nice is not None or bool(self.cpus) or bool(self.limits)
