"""Calls into kernel32. No policy: what they are for is in the `_*_windows.py` files.

Names and structures as in the vendor's reference, https://learn.microsoft.com/windows/win32/api/.
Every failed call raises OSError with `winerror`. Handles are plain integers; no handle made here
is inheritable, so no child gets one that it was not given by name (`create_process`).
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes

assert sys.platform == "win32"  # tells mypy to pass over this module elsewhere

import msvcrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

BOOL, DWORD, HANDLE, LPCWSTR = wintypes.BOOL, wintypes.DWORD, wintypes.HANDLE, wintypes.LPCWSTR
POINTER = ctypes.c_void_p
SIZE = ctypes.c_size_t

INVALID_HANDLE = ctypes.c_void_p(-1).value
INFINITE = 0xFFFFFFFF
WAIT_OBJECT_0, WAIT_TIMEOUT = 0, 0x102

ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, ERROR_NOT_SUPPORTED = 5, 6, 50
ERROR_INVALID_PARAMETER, ERROR_MORE_DATA, ERROR_ABANDONED_WAIT_0 = 87, 234, 735

CREATE_SUSPENDED = 0x4
DETACHED_PROCESS = 0x8
CREATE_NEW_CONSOLE = 0x10
CREATE_NEW_PROCESS_GROUP = 0x200
CREATE_UNICODE_ENVIRONMENT = 0x400
EXTENDED_STARTUPINFO_PRESENT = 0x80000
CREATE_NO_WINDOW = 0x08000000
STARTF_USESTDHANDLES = 0x100
ATTRIBUTE_HANDLE_LIST, ATTRIBUTE_JOB_LIST = 0x20002, 0x2000D

SYNCHRONIZE, PROCESS_TERMINATE, PROCESS_QUERY = 0x100000, 0x1, 0x400
DUPLICATE_SAME_ACCESS = 2

KILL_ON_JOB_CLOSE = 0x2000
JOB_ACCOUNTING, JOB_PROCESS_IDS, JOB_PORT, JOB_EXTENDED_LIMITS = 1, 3, 7, 9
MSG_ACTIVE_PROCESS_ZERO, MSG_NEW_PROCESS, MSG_EXIT_PROCESS, MSG_ABNORMAL_EXIT = 4, 6, 7, 8


class STARTUPINFOW(ctypes.Structure):
    _fields_ = (
        ("cb", DWORD),
        ("lpReserved", LPCWSTR),
        ("lpDesktop", LPCWSTR),
        ("lpTitle", LPCWSTR),
        *((name, DWORD) for name in ("dwX", "dwY", "dwXSize", "dwYSize")),
        *((name, DWORD) for name in ("dwXCountChars", "dwYCountChars", "dwFillAttribute")),
        ("dwFlags", DWORD),
        ("wShowWindow", wintypes.WORD),
        ("cbReserved2", wintypes.WORD),
        ("lpReserved2", POINTER),
        ("hStdInput", HANDLE),
        ("hStdOutput", HANDLE),
        ("hStdError", HANDLE),
    )


class STARTUPINFOEXW(ctypes.Structure):
    _fields_ = (("StartupInfo", STARTUPINFOW), ("lpAttributeList", POINTER))


class PROCESS_INFORMATION(ctypes.Structure):  # noqa: N801 (the vendor's name)
    _fields_ = (
        ("hProcess", HANDLE),
        ("hThread", HANDLE),
        ("dwProcessId", DWORD),
        ("dwThreadId", DWORD),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, its parts laid out in one row."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", DWORD),
        ("MinimumWorkingSetSize", SIZE),
        ("MaximumWorkingSetSize", SIZE),
        ("ActiveProcessLimit", DWORD),
        ("Affinity", SIZE),
        ("PriorityClass", DWORD),
        ("SchedulingClass", DWORD),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", SIZE),
        ("JobMemoryLimit", SIZE),
        ("PeakProcessMemoryUsed", SIZE),
        ("PeakJobMemoryUsed", SIZE),
    )


class Accounting(ctypes.Structure):
    """JOBOBJECT_BASIC_ACCOUNTING_INFORMATION."""

    _fields_ = (
        ("TotalUserTime", ctypes.c_int64),
        ("TotalKernelTime", ctypes.c_int64),
        ("ThisPeriodTotalUserTime", ctypes.c_int64),
        ("ThisPeriodTotalKernelTime", ctypes.c_int64),
        ("TotalPageFaultCount", DWORD),
        ("TotalProcesses", DWORD),
        ("ActiveProcesses", DWORD),
        ("TotalTerminatedProcesses", DWORD),
    )


class JobPort(ctypes.Structure):
    """JOBOBJECT_ASSOCIATE_COMPLETION_PORT."""

    _fields_ = (("CompletionKey", SIZE), ("CompletionPort", HANDLE))


_kernel = ctypes.WinDLL("kernel32", use_last_error=True)


def _declare(name: str, result: Any, *arguments: Any) -> Any:
    """Declared, so that handles keep their 64 bits."""
    function = getattr(_kernel, name)
    function.restype = result
    function.argtypes = arguments
    return function


_close = _declare("CloseHandle", BOOL, HANDLE)
_wait = _declare("WaitForSingleObject", DWORD, HANDLE, DWORD)
_current = _declare("GetCurrentProcess", HANDLE)
_duplicate = _declare("DuplicateHandle", BOOL, HANDLE, HANDLE, HANDLE, POINTER, DWORD, BOOL, DWORD)
_create = _declare(
    "CreateProcessW", BOOL, LPCWSTR, wintypes.LPWSTR, POINTER, POINTER, BOOL, DWORD, POINTER,
    LPCWSTR, POINTER, POINTER,
)  # fmt: skip
_init_list = _declare("InitializeProcThreadAttributeList", BOOL, POINTER, DWORD, DWORD, POINTER)
_update_list = _declare(
    "UpdateProcThreadAttribute", BOOL, POINTER, DWORD, SIZE, POINTER, SIZE, POINTER, POINTER
)
_delete_list = _declare("DeleteProcThreadAttributeList", None, POINTER)
_resume = _declare("ResumeThread", DWORD, HANDLE)
_open = _declare("OpenProcess", HANDLE, DWORD, BOOL, DWORD)
_exit_code = _declare("GetExitCodeProcess", BOOL, HANDLE, POINTER)
_terminate = _declare("TerminateProcess", BOOL, HANDLE, wintypes.UINT)
_times = _declare("GetProcessTimes", BOOL, HANDLE, *[POINTER] * 4)
_image = _declare("QueryFullProcessImageNameW", BOOL, HANDLE, DWORD, wintypes.LPWSTR, POINTER)
_create_job = _declare("CreateJobObjectW", HANDLE, POINTER, LPCWSTR)
_assign = _declare("AssignProcessToJobObject", BOOL, HANDLE, HANDLE)
_set_job = _declare("SetInformationJobObject", BOOL, HANDLE, ctypes.c_int, POINTER, DWORD)
_ask_job = _declare(
    "QueryInformationJobObject", BOOL, HANDLE, ctypes.c_int, POINTER, DWORD, POINTER
)
_terminate_job = _declare("TerminateJobObject", BOOL, HANDLE, wintypes.UINT)
_is_in_job = _declare("IsProcessInJob", BOOL, HANDLE, HANDLE, POINTER)
_create_port = _declare("CreateIoCompletionPort", HANDLE, HANDLE, HANDLE, SIZE, DWORD)
_get_status = _declare("GetQueuedCompletionStatus", BOOL, HANDLE, POINTER, POINTER, POINTER, DWORD)
_post_status = _declare("PostQueuedCompletionStatus", BOOL, HANDLE, DWORD, SIZE, POINTER)
_generate = _declare("GenerateConsoleCtrlEvent", BOOL, DWORD, DWORD)
_console_mode = _declare("GetConsoleMode", BOOL, HANDLE, POINTER)
_set_handler = _declare("SetConsoleCtrlHandler", BOOL, POINTER, BOOL)


def _check(answer: Any) -> int:
    """The answer of a call that returns 0 when it fails."""
    if not answer:
        raise ctypes.WinError(ctypes.get_last_error())
    return int(answer)


# ---- handles


def close(handle: int) -> None:
    _check(_close(handle))


def wait(handle: int, milliseconds: int = INFINITE) -> bool:
    """Was it signalled (has the process ended) within that time?"""
    answer = _wait(handle, milliseconds)
    if answer not in (WAIT_OBJECT_0, WAIT_TIMEOUT):
        raise ctypes.WinError(ctypes.get_last_error())
    return bool(answer == WAIT_OBJECT_0)


def duplicate(handle: int, inheritable: bool) -> int:
    """Another handle of this process to the same object."""
    found = HANDLE()
    ours = _current()
    _check(
        _duplicate(ours, handle, ours, ctypes.byref(found), 0, inheritable, DUPLICATE_SAME_ACCESS)
    )
    assert found.value is not None
    return found.value


# ---- processes


class Started:
    """What CreateProcess gives: two handles to close, and the numbers."""

    def __init__(self, process: int, thread: int, pid: int) -> None:
        self.process = process
        self.thread = thread
        self.pid = pid


def create_process(
    executable: str,
    line: str,
    *,
    flags: int,
    environment: str | None,
    cwd: str | None,
    streams: tuple[int, int, int] | None,
    inherited: Sequence[int],
    job: int | None,
) -> Started:
    """CreateProcessW. `streams` and `inherited` are inheritable handles; only these are inherited.

    `streams` None: the child has what its console gives it, and inherits nothing. `environment`:
    NAME=VALUE texts, each ended by NUL, and a NUL more. `job`: of which it is a member from its
    first instruction; OSError with ERROR_NOT_SUPPORTED or ERROR_INVALID_PARAMETER where the
    system (before Windows 10) does not know that attribute.
    """
    info = STARTUPINFOEXW()
    info.StartupInfo.cb = ctypes.sizeof(STARTUPINFOEXW)
    handles = tuple(dict.fromkeys([*(streams or ()), *inherited]))
    if streams is not None:
        info.StartupInfo.dwFlags = STARTF_USESTDHANDLES
        info.StartupInfo.hStdInput, info.StartupInfo.hStdOutput = streams[:2]
        info.StartupInfo.hStdError = streams[2]
    lists: list[tuple[int, Sequence[int]]] = []
    if handles:
        lists.append((ATTRIBUTE_HANDLE_LIST, handles))
    if job is not None:
        lists.append((ATTRIBUTE_JOB_LIST, (job,)))
    kept: list[Any] = []  # the list points into these arrays until it is deleted
    attributes = _attribute_list(lists, kept)
    info.lpAttributeList = ctypes.addressof(attributes)
    block = None if environment is None else ctypes.create_unicode_buffer(environment)
    made = PROCESS_INFORMATION()
    try:
        _check(
            _create(
                executable, ctypes.create_unicode_buffer(line), None, None, bool(handles),
                flags | EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT,
                block, cwd, ctypes.byref(info), ctypes.byref(made),
            )
        )  # fmt: skip
    finally:
        _delete_list(ctypes.addressof(attributes))
    return Started(made.hProcess, made.hThread, made.dwProcessId)


def _attribute_list(lists: list[tuple[int, Sequence[int]]], kept: list[Any]) -> Any:
    size = SIZE()
    _init_list(None, max(len(lists), 1), 0, ctypes.byref(size))  # "fails", and tells the size
    attributes = ctypes.create_string_buffer(size.value)
    at = ctypes.addressof(attributes)
    _check(_init_list(at, max(len(lists), 1), 0, ctypes.byref(size)))
    try:
        for number, values in lists:
            array = (HANDLE * len(values))(*values)
            kept.append(array)
            _check(_update_list(at, 0, number, array, ctypes.sizeof(array), None, None))
    except OSError:
        _delete_list(at)
        raise
    return attributes


def resume(thread: int) -> None:
    if _resume(thread) == INFINITE:
        raise ctypes.WinError(ctypes.get_last_error())


def open_process(pid: int, access: int = SYNCHRONIZE | PROCESS_QUERY) -> int:
    return _check(_open(access, False, pid))


def current_process() -> int:
    """A pseudo handle, not to be closed."""
    return int(_current())


def exit_code(process: int) -> int:
    """Of a process that has ended (`wait`): while it runs the answer is 259, which it may be."""
    code = DWORD()
    _check(_exit_code(process, ctypes.byref(code)))
    return code.value


def terminate(process: int, code: int) -> None:
    _check(_terminate(process, code))


def times(process: int) -> tuple[int, int, int]:
    """When it was created, and how long it ran in the kernel and as itself; units of 100 ns."""
    created, ended, kernel, user = (ctypes.c_uint64() for _ in range(4))
    _check(_times(process, *map(ctypes.byref, (created, ended, kernel, user))))
    return created.value, kernel.value, user.value


def image_name(process: int) -> str:
    """The full path of its executable."""
    room = DWORD(32768)
    text = ctypes.create_unicode_buffer(room.value)
    _check(_image(process, 0, text, ctypes.byref(room)))
    return text.value


# ---- jobs


def create_job() -> int:
    return _check(_create_job(None, None))


def kill_on_close(job: int) -> None:
    """With the last handle to it, which ends with our process, every member is terminated."""
    limits = ExtendedLimits(LimitFlags=KILL_ON_JOB_CLOSE)
    _check(_set_job(job, JOB_EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)))


def let_live(job: int) -> None:
    """Take `kill_on_close` back."""
    limits = ExtendedLimits()
    _check(_set_job(job, JOB_EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)))


def assign(job: int, process: int) -> None:
    """ERROR_ACCESS_DENIED: the process is in a job already, and this system nests none."""
    _check(_assign(job, process))


def in_job(process: int, job: int | None = None) -> bool:
    """In this job, or in any."""
    answer = BOOL()
    _check(_is_in_job(process, job, ctypes.byref(answer)))
    return bool(answer.value)


def active(job: int) -> int:
    """How many of its processes have not ended."""
    told = Accounting()
    _check(_ask_job(job, JOB_ACCOUNTING, ctypes.byref(told), ctypes.sizeof(told), None))
    return int(told.ActiveProcesses)


def members(job: int) -> list[int]:
    """The pids of the processes of the job, the nested jobs' too, in no particular order."""
    room = 64
    while True:

        class Ids(ctypes.Structure):
            """JOBOBJECT_BASIC_PROCESS_ID_LIST with that much room."""

            _fields_ = (("assigned", DWORD), ("listed", DWORD), ("pids", SIZE * room))

        told = Ids()
        if _ask_job(job, JOB_PROCESS_IDS, ctypes.byref(told), ctypes.sizeof(told), None):
            return list(told.pids[: told.listed])
        if ctypes.get_last_error() != ERROR_MORE_DATA:
            raise ctypes.WinError(ctypes.get_last_error())
        room = max(room * 2, told.assigned + 16)


def terminate_job(job: int, code: int) -> None:
    """Every member at once, those of nested jobs too. Returns before they have ended."""
    _check(_terminate_job(job, code))


# ---- completion ports


def create_port() -> int:
    return _check(_create_port(INVALID_HANDLE, None, 0, 1))


def report_to(job: int, port: int, key: int) -> None:
    """The job tells the port of each new, ended and last process. Once for a job."""
    told = JobPort(CompletionKey=key, CompletionPort=port)
    _check(_set_job(job, JOB_PORT, ctypes.byref(told), ctypes.sizeof(told)))


def next_report(port: int, milliseconds: int = INFINITE) -> tuple[int, int, int] | None:
    """Message, key and pid; None when the time is over, or the port was closed."""
    message, key, pid = DWORD(), SIZE(), POINTER()
    if _get_status(port, *map(ctypes.byref, (message, key, pid)), milliseconds):
        return message.value, key.value, pid.value or 0
    if ctypes.get_last_error() in (WAIT_TIMEOUT, ERROR_ABANDONED_WAIT_0, ERROR_INVALID_HANDLE):
        return None
    raise ctypes.WinError(ctypes.get_last_error())


def post(port: int, message: int, key: int, pid: int = 0) -> None:
    _check(_post_status(port, message, key, pid))


# ---- consoles


def console_event(event: int, group: int) -> None:
    """GenerateConsoleCtrlEvent: only for a group that a process of our console leads."""
    _check(_generate(event, group))


def is_console(fd: int) -> bool:
    """Is it one? `os.isatty` says so of every character device, NUL among them."""
    try:
        return bool(_console_mode(msvcrt.get_osfhandle(fd), ctypes.byref(DWORD())))
    except OSError:
        return False


def heed_ctrl_c() -> None:
    """Undo, for ourselves and whom we start, that Ctrl-C is ignored: what a process is started
    with that leads a console group."""
    _check(_set_handler(None, False))
