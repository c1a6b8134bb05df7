"""`spawn(command) -> Handle`, and the hygiene of our own signals that a clean child depends on.

What a child starts with: its own session, an empty signal mask, default dispositions, no
descriptors but the wanted ones, null where none was given. The first three hold only if the
*spawning* thread's mask is empty and nothing is ignored in this process: exec resets handlers but
keeps what is ignored, and no portable call resets it in the child. So a process that spawns calls
`clean_signals()` first; `dirty_signals()` tells what a child would inherit.
"""

from __future__ import annotations

import sys

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procession.process.command import Command
    from procession.process.handle import Handle

__all__ = ["Dirt", "clean_signals", "dirty_signals", "spawn"]


class Dirt(Record):
    """What a child spawned from this thread would inherit: signals it would never hear."""

    ignored: frozenset[int] = frozenset()
    blocked: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.ignored or self.blocked)


if sys.platform != "win32":
    from procession.process import _signals_posix, _spawn_posix

    def spawn(command: Command) -> Handle:
        """Start it; returns when the program was executed, with its handle.

        Raises the OSError a caller of `subprocess.Popen` would see, with errno and filename: no
        such program or not executable (the file), bad `cwd` (the folder), E2BIG, EAGAIN (process
        limit), EMFILE (descriptor limit); for a limit that may not be set its name. Raises
        ValueError for NUL bytes, an executable that is not absolute, an empty argv, or a variable
        name with `=`. When it raises, no process, no zombie and no descriptor is left. From a
        thread: allowed, never from a signal handler.
        """
        if command.limits or command.cpus or command.nice is not None:  # as `prepares`: hot path
            from procession.process.defaults import spawn_clean

            return spawn_clean(command)
        return _spawn_posix.spawn(command)

    # The two halves of it, for one who starts many: `begin(argv, executable, cwd, environ, stdin,
    # stdout, stderr, uid, gid, groups, umask)`, all of it encoded and looked up, and then, in any
    # thread, `conclude(what it returned, executable, cwd)`, which tells whether the program could
    # be executed. Both raise what `spawn` raises, and leave nothing then. Nobody else may reap
    # the child in between.
    begin = _spawn_posix.begin
    conclude = _spawn_posix.conclude

    def encoded(env: Mapping[str, str], known: dict[tuple[str, str], bytes]) -> list[bytes]:
        """An environment as a command takes it that is one of many: what was encoded before is
        `known`, which grows. Raises ValueError for an empty name, `=` in a name, NUL bytes."""
        return _spawn_posix.encoded(env, known)

    def clean_signals() -> Dirt:
        """Make this process fit to spawn: nothing ignored, nothing blocked. Main thread only.

        What was ignored gets a handler that does nothing where we must not die of it, else the
        default action. Returns what could not be cleaned (empty, as a rule). Raises ValueError
        from any other thread, as signal.signal does.
        """
        return Dirt(*_signals_posix.clean())

    def dirty_signals() -> Dirt:
        """What a child spawned by the calling thread would inherit. 0.05 ms."""
        return Dirt(*_signals_posix.dirt())

else:
    from procession.process import _spawn_windows

    def spawn(command: Command) -> Handle:
        """Start it, in a job object of its own. Raises what it does elsewhere, and HostError for
        what Windows cannot give a process: a user, a mask, a terminal."""
        return _spawn_windows.spawn(command)

    def encoded(env: Mapping[str, str], known: dict[tuple[str, str], bytes]) -> list[bytes]:
        import os

        return [os.fsencode(f"{name}={value}") for name, value in env.items()]

    def clean_signals() -> Dirt:
        """Windows has no dispositions that a child would inherit."""
        return Dirt()

    def dirty_signals() -> Dirt:
        return Dirt()
