"""What processes a test leaves: children of ours, and descendants that were let go."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

# Every process a test starts inherits this, unless it empties the environment.
MARK = "PROCESSION_TEST_SESSION"

# What is let go may be about to end by itself when the test returns.
GRACE_SECONDS = 1.0


def kept_by_multiprocessing(*attributes: str) -> set[int]:
    """Numbers under these names in its resource tracker and fork server, where they run."""
    kept = set()
    for module, keeper in (
        ("multiprocessing.resource_tracker", "_resource_tracker"),
        ("multiprocessing.forkserver", "_forkserver"),
    ):
        if module in sys.modules:
            holder = getattr(sys.modules[module], keeper)
            found = [getattr(holder, attribute, None) for attribute in attributes]
            kept |= {value for value in found if isinstance(value, int)}
    return kept


def _kept() -> set[int]:
    return kept_by_multiprocessing("_pid", "_forkserver_pid")


def child_processes(pid: int | str = "self") -> set[int]:
    """Children of every thread of a process, the unreaped ones too."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with (
                contextlib.suppress(FileNotFoundError, ProcessLookupError),
                open(f"/proc/{pid}/task/{thread}/children", "rb") as file,
            ):
                found.update(map(int, file.read().split()))
    return found


def _read_proc(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _describe(pid: int) -> str:
    state = _read_proc(pid, "stat").rpartition(b")")[2].split()[:1]
    words = _read_proc(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
    unreaped = " (ended, not reaped)" if state == [b"Z"] else ""
    return f"{pid}{unreaped} {words or _read_proc(pid, 'comm').decode(errors='replace').strip()}"


def leaked_children(before: set[int], after: set[int]) -> list[str]:
    return [f"child process {_describe(pid)}" for pid in sorted(_new_children(before, after))]


def _new_children(before: set[int], after: set[int]) -> set[int]:
    return after - before - _kept()


def end_children(before: set[int], after: set[int]) -> None:
    for pid in _new_children(before, after):  # ours and unreaped: the number cannot be another's
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def all_processes() -> set[int]:
    """The numbers of all processes of this host; none where there is no /proc to tell."""
    if sys.platform != "linux":
        return set()
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}


def _environ(pid: int) -> bytes:
    """Its environment; while it is between two programs there is none for a moment."""
    deadline = time.monotonic() + GRACE_SECONDS
    while not (found := _read_proc(pid, "environ")) and _changes_program(pid):
        if time.monotonic() > deadline:
            break
        os.sched_yield()
    return found


def _changes_program(pid: int) -> bool:
    """Whether a process of ours has no environment because its `exec` is not through yet."""
    state, flags, env_end, kernel_thread = 0, 6, 48, 0x200000  # proc(5), counted after the name
    fields = _read_proc(pid, "stat").rpartition(b")")[2].split()
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid() or not fields:
            return False
    except FileNotFoundError:
        return False
    return (
        fields[state] not in (b"Z", b"X")
        and not int(fields[flags]) & kernel_thread
        and fields[env_end] == b"0"
    )


def _strays(before: set[int], after: set[int]) -> list[int]:
    """Live processes that carry our mark, are new, and are not our children."""
    mark = f"{MARK}={os.environ.get(MARK, '')}".encode()
    own = child_processes() | {os.getpid()}
    return [
        pid for pid in sorted(after - before - own - _kept()) if mark in _environ(pid).split(b"\0")
    ]


def leaked_strays(before: set[int], after: set[int]) -> list[str]:
    return [f"process let go {_describe(pid)}" for pid in _strays(before, after)]


def await_strays(before: set[int]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    for pid in _strays(before, all_processes()):
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            try:
                select.select([pidfd], [], [], max(0.0, deadline - time.monotonic()))
            finally:
                os.close(pidfd)


def end_strays(before: set[int], after: set[int]) -> None:
    for pid in _strays(before, after):
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)  # pinned first, then asked again whether it is ours
            try:
                if pid in _strays(before, {pid}):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)
