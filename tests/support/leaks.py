"""Fails a test that leaves the process, or the machine, other than it found it.

A plugin: `tests/conftest.py` loads it. Around every test it compares what the process holds:
descriptors, children (zombies too), processes further down that were let go, threads, signal
handlers and the signal mask, the wakeup descriptor, environment, working directory, umask,
resource limits, the subreaper flag, and the temporary folder. What a test left is named, and
mended as far as that is safe, so that one leak fails one test.

Kept out on purpose: `multiprocessing`'s resource tracker and fork server, which Python keeps for
the life of the process, and the few descriptors an interpreter opens once (see `_KEPT_OPEN`).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import pytest

from tests.support.strays import (
    GRACE_SECONDS,
    all_processes,
    await_strays,
    child_processes,
    end_children,
    end_strays,
    kept_by_multiprocessing,
    leaked_children,
    leaked_strays,
)

T = TypeVar("T")

_KEPT_OPEN = ("/dev/urandom", "/dev/random", "/memfd:libffi")  # opened once, by the interpreter
_OWN_VARIABLES = {"PYTEST_CURRENT_TEST"}
_ON_LINUX = sys.platform == "linux"


class Aspect(Generic[T]):
    """One thing a test could leave behind."""

    def __init__(
        self,
        take: Callable[[], T],
        leaked: Callable[[T, T], list[str]],
        mend: Callable[[T, T], object] | None = None,
        settle: Callable[[T], None] | None = None,
    ) -> None:
        self.take = take
        self.leaked = leaked
        self.mend = mend
        self.settle = settle


# --- descriptors


def _fd_target(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        if _ON_LINUX:
            raise
    found = os.fstat(fd)
    return f"mode {found.st_mode:o}, inode {found.st_ino}"


def open_descriptors() -> dict[int, str]:
    """Every open descriptor of this process, with what it refers to."""
    found = {}
    for name in os.listdir("/proc/self/fd" if _ON_LINUX else "/dev/fd"):
        with contextlib.suppress(OSError):  # the one that lists the folder is closed by now
            found[int(name)] = _fd_target(int(name))
    return found


def _leaked_descriptors(before: dict[int, str], after: dict[int, str]) -> list[str]:
    kept = kept_by_multiprocessing("_fd", "_forkserver_alive_fd")
    return [
        f"descriptor {fd}: {target}"
        for fd, target in sorted(after.items())
        if before.get(fd) != target and fd not in kept and not target.startswith(_KEPT_OPEN)
    ]


# --- threads


def _threads() -> dict[int, str]:
    """Every thread that runs Python, those of `_thread` too, with a name to tell it by.

    Not what has not yet run its first line, and not what libraries start below Python."""
    names = {t.ident: t.name + (" (daemon)" if t.daemon else "") for t in threading.enumerate()}
    return {ident: names.get(ident, f"raw thread {ident}") for ident in sys._current_frames()}


def _await_threads(before: dict[int, str]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    for thread in threading.enumerate():
        if thread.ident not in before and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))


def _leaked_threads(before: dict[int, str], after: dict[int, str]) -> list[str]:
    return [f"thread {name}" for ident, name in sorted(after.items()) if ident not in before]


# --- what belongs to the whole process


_INTERNAL = (1 << 31) | (1 << 32)  # 32 and 33: the C library takes them when it first needs them


def _dispositions() -> dict[str, int]:
    """What the kernel was told, which also shows handlers that were not set from Python."""
    if not _ON_LINUX:
        return {}
    with open("/proc/self/status") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {name: int(fields[name], 16) & ~_INTERNAL for name in ("SigIgn", "SigCgt")}


class _Signals(NamedTuple):
    handlers: dict[Any, Any]
    kernel: dict[str, int]


def _signals() -> _Signals:
    """pytest-timeout's alarm is left out: it comes and, when a test fails, goes as it likes."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    kernel = _dispositions()
    if "pytest_timeout" in sys.modules and sys.platform != "win32":
        del handlers[signal.SIGALRM]
        kernel = {name: bits & ~(1 << (signal.SIGALRM - 1)) for name, bits in kernel.items()}
    return _Signals(handlers, kernel)


def _leaked_signals(before: _Signals, after: _Signals) -> list[str]:
    told = [
        f"signal handler of {signal.Signals(number).name}: {after.handlers[number]!r}"
        f" in place of {handler!r}"
        for number, handler in before.handlers.items()
        if after.handlers[number] != handler
    ]
    return told or [
        f"signal dispositions: {name} became {after.kernel[name]:x}, was {bits:x}"
        for name, bits in before.kernel.items()
        if after.kernel[name] != bits
    ]


def _restore_signals(before: _Signals, after: _Signals) -> None:
    for number, handler in before.handlers.items():
        if after.handlers[number] != handler and handler is not None:
            signal.signal(number, handler)


def _wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        with contextlib.suppress(OSError, ValueError):  # closed under its owner: told by number
            signal.set_wakeup_fd(fd)
    return fd


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _limits() -> dict[str, tuple[int, int]]:
    try:
        import resource
    except ImportError:
        return {}
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def _subreaper() -> bool:
    if not _ON_LINUX:
        return False
    flag = ctypes.c_int()
    get_child_subreaper = 37  # prctl(2)
    ctypes.CDLL(None).prctl(get_child_subreaper, ctypes.byref(flag), 0, 0, 0)
    return bool(flag.value)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}


def _leaked_environment(before: dict[str, str], after: dict[str, str]) -> list[str]:
    told = [f"variable {name}={after[name]!r} was set" for name in after.keys() - before.keys()]
    told += [f"variable {name} was removed" for name in before.keys() - after.keys()]
    told += [
        f"variable {name} became {after[name]!r}, was {before[name]!r}"
        for name in before.keys() & after.keys()
        if before[name] != after[name]
    ]
    return sorted(told)


def _restore_environment(before: dict[str, str], after: dict[str, str]) -> None:
    for name in after.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _temporary() -> set[str]:
    # The runtime folder of a user: a supervisor that a test killed leaves it, with a lock that is
    # free, for the next one to take over.
    uid = os.geteuid() if sys.platform != "win32" else None
    runtime = f"procession-{uid}", "procession-65534"
    return set(os.listdir(tempfile.gettempdir())) - set(runtime)


def _leaked_temporary(before: set[str], after: set[str]) -> list[str]:
    folder = tempfile.gettempdir()
    return [f"temporary file {os.path.join(folder, name)}" for name in sorted(after - before)]


def _remove_temporary(before: set[str], after: set[str]) -> None:
    import shutil

    for name in after - before:
        path = os.path.join(tempfile.gettempdir(), name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _plain(take: Callable[[], T], words: str, mend: Callable[[T], object] | None) -> Aspect[T]:
    """An aspect that is one value: told as it was and as it is."""
    return Aspect(
        take,
        lambda before, after: (
            [] if before == after else [f"{words} became {after!r}, was {before!r}"]
        ),
        None if mend is None else lambda before, _: mend(before),
    )


# Those that Windows has as well
THREADS: Aspect[Any] = Aspect(_threads, _leaked_threads, None, _await_threads)
SIGNALS: Aspect[Any] = Aspect(_signals, _leaked_signals, _restore_signals)
FOLDER: Aspect[Any] = _plain(os.getcwd, "the working directory", os.chdir)
UMASK: Aspect[Any] = _plain(_umask, "the umask", os.umask)
ENVIRONMENT: Aspect[Any] = Aspect(_environment, _leaked_environment, _restore_environment)
TEMPORARY: Aspect[Any] = Aspect(_temporary, _leaked_temporary, _remove_temporary)

ASPECTS: tuple[Aspect[Any], ...] = (
    Aspect(all_processes, leaked_strays, end_strays, await_strays),
    Aspect(child_processes, leaked_children, end_children),
    THREADS,
    # A leaked descriptor is not closed: its owner may close that number again, then another's.
    Aspect(open_descriptors, _leaked_descriptors),
    SIGNALS,
    _plain(
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "the signal mask",
        lambda mask: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
    ),
    _plain(_wakeup_fd, "the wakeup descriptor", signal.set_wakeup_fd),
    FOLDER,
    UMASK,
    _plain(_limits, "the resource limits", None),
    _plain(_subreaper, "the subreaper flag", None),
    ENVIRONMENT,
    TEMPORARY,
)


class Watch:
    """What the process held at one moment, to be compared with what it holds later."""

    def __init__(self, aspects: tuple[Aspect[Any], ...] = ASPECTS) -> None:
        self._aspects = aspects
        self._before = [aspect.take() for aspect in aspects]

    def _compare(self, settle: bool) -> list[str]:
        told = []
        for aspect, before in zip(self._aspects, self._before, strict=True):
            if settle and aspect.settle is not None:
                aspect.settle(before)
            told += aspect.leaked(before, aspect.take())
        return told

    def leaks(self) -> list[str]:
        """What was left, each in a line; empty where nothing was. Waits up to a few seconds for
        what is about to end by itself, only where something was left."""
        if not self._compare(settle=False):
            return []
        gc.collect()  # an object in a cycle may hold it; its ResourceWarning names the owner
        return self._compare(settle=True)

    def mend(self) -> None:
        """Put back what can be put back."""
        for aspect, before in zip(self._aspects, self._before, strict=True):
            if aspect.mend is not None:
                aspect.mend(before, aspect.take())


@pytest.fixture(autouse=True)
def leaves_no_trace(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test: what it opened is closed, what it started has ended, what it set is back."""
    watch = Watch()
    yield
    if request.session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return  # by Ctrl-C in the middle of the test, which is not to blame
    told = watch.leaks()
    if told:
        watch.mend()
        pytest.fail("the test left behind:\n  " + "\n  ".join(told), pytrace=False)
