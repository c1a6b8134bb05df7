"""The supervisor's side of the fork, and the last words of either: bounded, and to whom it may.

See `_guardian_posix.py`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

if sys.platform == "win32":
    raise ImportError("for POSIX only")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.process.link import Link

FAILED = 1  # the exit status when the supervisor crashed or something had to be swept
SAY_WAIT = 1.0  # seconds our last words may wait for a reader


def supervise(
    main: Callable[[Link], int], link: Link, apart: Callable[[], None], *, early: bool
) -> None:
    """The child's whole life."""
    status = FAILED
    try:
        apart()
        if early:
            _hear_early(link)
        status = _status_of(main, link)
        flush()
        if link.groups is not None:
            link.groups.close()
        link.orderly()
    except BaseException:  # noqa: BLE001 - told in full; whatever it was, this process ends
        _tell_crash()
    finally:
        os._exit(status & 0xFF)


def _hear_early(link: Link) -> None:
    """Until `main` listens, one signal ends us: nothing was started that could be stopped, and
    what we do, such as reading a FIFO, may have no end. The guardian sends it then, beside the
    request itself; `main` replaces the handler before its first spawn, and if it was quicker,
    the signal is one more request to stop."""

    def end(*_: object) -> None:
        link.nothing_began()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))


def _status_of(main: Callable[[Link], int], link: Link) -> int:
    try:
        return main(link)
    except SystemExit as e:
        if e.code is None or isinstance(e.code, int):
            return e.code or 0
        say(f"{e.code}\n")
        return FAILED


def _tell_crash() -> None:
    try:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError, ImportError):
        pass  # nobody to tell: the guardian says that we crashed, and sweeps


def flush() -> None:
    """What is buffered would be written by both processes. A closed stream has nothing to say."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                continue


def say(text: str) -> None:
    """Bounded: a pipe that is full, and that nobody reads, must not keep us after the sweep."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    data = text.encode("utf-8", "backslashreplace")
    until = time.monotonic() + SAY_WAIT
    try:
        while data and (left := until - time.monotonic()) > 0:
            # writable: PIPE_BUF bytes fit a pipe without blocking (POSIX, write)
            if poll.poll(left * 1000):
                data = data[os.write(2, data[: select.PIPE_BUF]) :]
    except OSError:
        pass  # our terminal is gone; the exit status still tells
