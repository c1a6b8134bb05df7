"""One question to the kernel: has this child ended? Asked so that the answer does not reap it.

`os.waitid` where Python has it. Python below 3.13 left it out on macOS, where the C library's own
is called through ctypes (typed and tested on Linux, never run on macOS).
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

_SIGINFO_SIZE = 128  # of glibc and musl; the one of XNU is 104
# Where struct siginfo has si_code and si_status: the union that holds si_status is aligned to
# pointers on Linux, and XNU has si_pid, si_uid, si_status right behind si_code.
_CODE_AT = 8
_STATUS_AT = 24 if sys.platform == "linux" and sys.maxsize > 2**32 else 20
_P_PID = 1
_WEXITED = 4
_WSTOPPED = 2 if sys.platform == "linux" else 8
_WNOHANG = 1
_WNOWAIT = 0x1000000 if sys.platform == "linux" else 0x20

_libc_handle: ctypes.CDLL | None = None


def waitid_ctypes(pid: int, pidfd: int | None, *, block: bool = False) -> tuple[int, int] | None:
    """As `waitid`, by the C library's own function; the pidfd is not used."""
    return _ask_libc(pid, _WEXITED | _WNOWAIT | (0 if block else _WNOHANG))


def await_pidfd_ctypes(pidfd: int) -> tuple[int, int]:
    raise NotImplementedError("there are no pidfds here")


def stop_signal_ctypes(pid: int) -> int | None:
    """As `stop_signal`, by the C library's own function."""
    seen = _ask_libc(pid, _WSTOPPED | _WNOHANG)
    return None if seen is None else seen[1]


def _ask_libc(pid: int, options: int) -> tuple[int, int] | None:
    global _libc_handle
    import ctypes

    if _libc_handle is None:
        _libc_handle = ctypes.CDLL(None, use_errno=True)
    while True:
        info = ctypes.create_string_buffer(_SIGINFO_SIZE)
        if _libc_handle.waitid(_P_PID, pid, info, options) == 0:
            break
        number = ctypes.get_errno()
        if number != 4:  # EINTR: Python's handlers run between the bytecodes; ask again
            raise OSError(number, os.strerror(number))
    raw = info.raw
    code = int.from_bytes(raw[_CODE_AT : _CODE_AT + 4], sys.byteorder, signed=True)
    if code == 0:
        return None
    return code, int.from_bytes(raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder, signed=True)


if sys.platform != "darwin":

    def waitid(pid: int, pidfd: int | None, *, block: bool = False) -> tuple[int, int] | None:
        """(si_code, si_status) of our child once it ended, else None. It is not reaped.

        Raises ChildProcessError when there is no such child, living or dead.
        """
        options = os.WEXITED | os.WNOWAIT | (0 if block else os.WNOHANG)
        if pidfd is not None and sys.platform == "linux":
            seen = os.waitid(os.P_PIDFD, pidfd, options)
        else:
            seen = os.waitid(os.P_PID, pid, options)
        return None if seen is None else (seen.si_code, seen.si_status)

    _ENDED = os.WEXITED | os.WNOWAIT

    def await_pidfd(pidfd: int) -> tuple[int, int]:
        """As `waitid` of who has this pidfd, once it ended."""
        assert sys.platform == "linux", "only there are pidfds"
        seen = os.waitid(os.P_PIDFD, pidfd, _ENDED)
        assert seen is not None, "it waits"
        return seen.si_code, seen.si_status

    def stop_signal(pid: int) -> int | None:
        """The signal that stopped our child, if that happened since the last call, else None.

        Raises ChildProcessError when there is no such child.
        """
        seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
        return None if seen is None else seen.si_status

else:
    waitid = waitid_ctypes
    await_pidfd = await_pidfd_ctypes
    stop_signal = stop_signal_ctypes
