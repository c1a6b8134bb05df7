"""Linux bindings: prctl, signalfd and the /proc readers. Facts only, no policy.

ctypes (3 ms) is imported by the calls that need it, never by importing this module. Errors are the
kernel's own, with one translation: whatever /proc answers for a process that is no more (ENOENT
on open, ESRCH on read) is a ProcessLookupError.

Sources: prctl(2), signalfd(2), proc(5), proc_pid_stat(5), proc_tid_children(5).
"""

from __future__ import annotations

import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

import errno
import os
import signal
import time

from procession._record import Record
from procession.process import spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37

# si_code of a signal: who made it. The terminal's Ctrl-C comes from the kernel itself.
SI_USER = 0
SI_KERNEL = 0x80
SI_QUEUE = -1
SI_TKILL = -6

_SIGINFO_SIZE = 128  # sizeof(struct signalfd_siginfo), fixed by the ABI
_SIGSET_SIZE = 128  # sizeof(sigset_t) of glibc and musl; the kernel reads only the first 8 bytes

_PF_KTHREAD = 0x200000  # of the flags in /proc/PID/stat; include/linux/sched.h, unchanged since 2.6

_TICKS = os.sysconf("SC_CLK_TCK")  # 100 for user space, whatever the kernel was built with

_libc_handle: ctypes.CDLL | None = None


class SigInfo(Record):
    """One signal read from a signalfd: its number, who made it (`SI_*`), and the sender."""

    signo: int
    code: int
    pid: int
    uid: int


class ProcStat(Record):
    """/proc/PID/stat. `start_time`: clock ticks after boot; with the pid it names one process."""

    pid: int
    name: str
    state: str
    ppid: int
    pgrp: int
    session: int
    threads: int
    start_time: int

    @property
    def dead(self) -> bool:
        """It runs no more code. `Z` alone does not say so: it speaks of the main thread only,
        which may have ended while others live on."""
        return self.state in ("Z", "X", "x") and self.threads <= 1


def _libc() -> ctypes.CDLL:
    global _libc_handle
    if _libc_handle is None:
        import ctypes

        _libc_handle = ctypes.CDLL(None, use_errno=True)
    return _libc_handle


def _failed(what: str) -> OSError:
    import ctypes

    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


# --- prctl -------------------------------------------------------------------------------------


def set_child_subreaper(on: bool = True) -> None:
    """Orphaned descendants of this process become its children. Not inherited through fork."""
    import ctypes

    zero = ctypes.c_ulong(0)
    if _libc().prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(on), zero, zero, zero) != 0:
        raise _failed("prctl(PR_SET_CHILD_SUBREAPER)")


def set_parent_death_signal(number: int) -> None:
    """The signal we get when the thread that forked us ends; 0: none. Survives no fork and no
    exec of a set-uid program."""
    import ctypes

    zero = ctypes.c_ulong(0)
    if _libc().prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(number), zero, zero, zero) != 0:
        raise _failed("prctl(PR_SET_PDEATHSIG)")


def get_child_subreaper() -> bool:
    """Is this process a child subreaper?"""
    import ctypes

    zero = ctypes.c_ulong(0)
    value = ctypes.c_int(-1)
    if _libc().prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value), zero, zero, zero) != 0:
        raise _failed("prctl(PR_GET_CHILD_SUBREAPER)")
    return value.value != 0


# --- signalfd ----------------------------------------------------------------------------------


def signalfd(signals: Iterable[int]) -> int:
    """A nonblocking, close-on-exec descriptor that tells of these signals.

    They must be blocked in every thread, or their handlers eat them. One descriptor tells each
    process that reads it of *its own* signals, so a forked child needs one of its own.
    """
    import ctypes

    libc = _libc()
    wanted = ctypes.create_string_buffer(_SIGSET_SIZE)
    libc.sigemptyset(wanted)
    for number in signals:
        if libc.sigaddset(wanted, int(number)) != 0:
            raise _failed(f"sigaddset({int(number)})")
    fd: int = libc.signalfd(-1, wanted, os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise _failed("signalfd")
    return fd


def read_signalfd(fd: int) -> list[SigInfo]:
    """All signals waiting. Empty when there are none; a signal sent twice meanwhile is one."""
    heard: list[SigInfo] = []
    while True:
        try:
            data = os.read(fd, _SIGINFO_SIZE * 32)
        except BlockingIOError:
            return heard
        for at in range(0, len(data), _SIGINFO_SIZE):
            words = memoryview(data)[at : at + 20].cast("i")
            heard.append(SigInfo(words[0], words[2], words[3], words[4] & 0xFFFFFFFF))


# --- pidfd -------------------------------------------------------------------------------------


def boot_ticks() -> int:
    """Now, on the clock of `ProcStat.start_time`."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS // 1_000_000_000


def signal_pinned(pid: int, start_time: int, number: int, after: int | None = None) -> bool:
    """Signal the process that (pid, start_time) names, whoever's child it is; False: it is gone.

    `after` follows to the very same process: the first may end it, its pid may be a stranger's at
    once, and start times are told in ticks of 10 ms, so that both may have the same.

    Raises PermissionError when we may not. The process is held by a pidfd while its start time
    is compared. Where there is no pidfd (or no descriptor is left), the pid could change hands
    between the comparison and the signal: some microseconds, for want of anything better.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (OSError, AttributeError):
        fd = -1
    try:
        if stat(pid).start_time != start_time:
            return False
        _send(fd, pid, number)
        if after is not None:
            _send_if_there(fd, pid, after)
    except ProcessLookupError:
        return False
    finally:
        if fd >= 0:
            os.close(fd)
    return True


def _send(fd: int, pid: int, number: int) -> None:
    if fd >= 0:
        signal.pidfd_send_signal(fd, number)
    else:
        os.kill(pid, number)


def _send_if_there(fd: int, pid: int, number: int) -> None:
    try:
        _send(fd, pid, number)
    except ProcessLookupError:
        pass  # what was sent before has ended it


# --- /proc -------------------------------------------------------------------------------------


def read(path: str) -> bytes:
    """All of a file of the kernel's. Raises ProcessLookupError where there is none."""
    try:
        return _read_once(path)
    except OSError as e:
        if e.errno != errno.EMFILE:
            raise
    return spare.lend(_read_once, path)


def listed(path: str) -> list[str]:
    """As `os.listdir`."""
    try:
        return os.listdir(path)
    except OSError as e:
        if e.errno != errno.EMFILE:
            raise
    return spare.lend(os.listdir, path)


def _read_once(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), path) from None
    try:
        data = os.read(fd, 65536)
        if not data:
            return data
        # A short read is not the end: seq_file hands out at most what fits its own buffer.
        blocks = [data]
        while data:
            data = os.read(fd, 65536)
            blocks.append(data)
        return b"".join(blocks)
    finally:
        os.close(fd)


def children(pid: int | str = "self") -> list[int]:
    """Pids of the children of all threads of this process, zombies included, oldest first.

    Adopted orphans are among them. Exact for ourselves while no other thread of ours reaps; for
    others a snapshot that can miss a child when a sibling is reaped during the reading.
    Raises ProcessLookupError when the process is gone.
    """
    found: list[int] = []
    for thread in _threads(pid):
        try:
            found.extend(map(int, read(f"/proc/{pid}/task/{thread}/children").split()))
        except ProcessLookupError:
            continue  # the thread ended; the kernel gave its children to another of this process
    return found


def _threads(pid: int | str) -> list[str]:
    path = f"/proc/{pid}/task"
    try:
        return listed(path)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), path) from None


def children_by_scan(pid: int) -> list[int]:
    """The same by reading every /proc/*/stat, where the kernel has no `children` files."""
    return [child for child, parent in parents().items() if parent == pid]


def parents() -> dict[int, int]:
    """pid -> parent's pid of every process we can see. 10 to 20 ms for 1,000 processes."""
    table: dict[int, int] = {}
    for name in listed("/proc"):
        if name[0] in "123456789":
            try:
                table[int(name)] = stat(name).ppid
            except ProcessLookupError:
                continue
    return table


_PF_EXITING = 0x4  # of field 9, flags (proc_pid_stat(5); the value is include/linux/sched.h's)


def stat(pid: int | str) -> ProcStat:
    """Raises ProcessLookupError when the process is gone. A zombie is not gone."""
    data = read(f"/proc/{pid}/stat")
    # The name stands in parentheses and may hold blanks and parentheses: the last one closes it.
    opens, closes = data.index(b"("), data.rindex(b")")
    rest = data[closes + 2 :].split()
    return ProcStat(
        int(data[:opens]),
        os.fsdecode(data[opens + 1 : closes]),
        rest[0].decode(),
        int(rest[1]),
        int(rest[2]),
        int(rest[3]),
        int(rest[17]),
        int(rest[19]),
    )


def is_exiting(pid: int | str) -> bool:
    """Has it begun to end (PF_EXITING), or is it gone? Of a process with threads each has that flag
    before the first child of any of them goes to somebody else (kernel/exit.c)."""
    try:
        data = read(f"/proc/{pid}/stat")
    except ProcessLookupError:
        return True
    return bool(int(data[data.rindex(b")") + 2 :].split()[6]) & _PF_EXITING)


def environ_cookie(pid: int | str, name: str) -> str | None:
    """The value of one variable in the environment the process was *executed* with.

    None: it is not there (or the process is a zombie, whose memory is gone). Raises
    PermissionError when the environment may not be read (another user's, setuid, non-dumpable):
    that is not "not there". Raises BlockingIOError while the process is being executed: it has
    closed what is closed on exec, so that a `spawn` has returned, but its environment is laid
    out some 50 us later. Raises ProcessLookupError when the process is gone.
    """
    data = _environ(pid)
    if not data:
        if _is_being_executed(pid):
            raise BlockingIOError(errno.EAGAIN, "the environment is not there yet", str(pid))
        data = _environ(pid)  # it may have come between the two questions
    key = os.fsencode(name) + b"="
    for entry in data.split(b"\0") if key in data else ():
        if entry.startswith(key):
            return os.fsdecode(entry[len(key) :])
    return None


def _environ(pid: int | str) -> bytes:
    refused: PermissionError | None = None
    data = b""
    try:
        data = read(f"/proc/{pid}/environ")
    except ProcessLookupError:
        pass  # newer kernels: the main thread has ended; older ones show nothing then
    except PermissionError as e:
        refused = e  # so it is with such a process for an ordinary user, though it is their own
    data = data or _environ_of_threads(pid)
    if refused is not None and not data:
        raise refused
    return data


def _is_being_executed(pid: int | str) -> bool:
    """A living process whose memory has no place for an environment, not even an empty one. That
    is so of the kernel's own threads too, for ever."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    of_kernel = int(fields[6]) & _PF_KTHREAD
    return fields[0] not in b"ZXx" and fields[48] == b"0" and not of_kernel


def _environ_of_threads(pid: int | str) -> bytes:
    """A process whose main thread has ended shows no environment, but its other threads do."""
    for thread in _threads(pid):
        try:
            data = read(f"/proc/{pid}/task/{thread}/environ")
        except (ProcessLookupError, PermissionError):
            continue
        if data:
            return data
    return b""


def pipes_held(pid: int | str) -> set[int]:
    """Inode numbers of the pipes that the process has open. Raises as `environ_cookie`."""
    base = f"/proc/{pid}/fd"
    try:
        names = listed(base)
    except FileNotFoundError:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), base) from None
    found: set[int] = set()
    for name in names:
        try:
            target = os.readlink(f"{base}/{name}")
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed meanwhile
        if target.startswith("pipe:["):
            found.add(int(target[6:-1]))
    return found


def ignored_signals(pid: int | str = "self") -> set[int]:
    """SigIgn of /proc/PID/status: the signals this process ignores, and its children inherit."""
    return _signal_field(pid, b"SigIgn:")


def blocked_signals(pid: int | str = "self") -> set[int]:
    """SigBlk of /proc/PID/status: the mask of the process's first thread."""
    return _signal_field(pid, b"SigBlk:")


def umask(status: int) -> int:
    """Of the process whose /proc/PID/status this descriptor is. (`os.umask` cannot be asked without
    being changed, for all threads.)"""
    _, found, rest = os.pread(status, 512, 0).partition(b"\nUmask:\t")
    if found:
        return int(rest[:4], 8)
    raise OSError(errno.ENOSYS, "this kernel (older than 4.7) does not show the umask")


def _signal_field(pid: int | str, label: bytes) -> set[int]:
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(label):
            bits = int(line[len(label) :], 16)
            return {n for n in range(1, bits.bit_length() + 1) if bits >> (n - 1) & 1}
    return set()
