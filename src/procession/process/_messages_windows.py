# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""Who can be asked by WM_CLOSE: the windows of processes. Calls into user32, and one rule."""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes

assert sys.platform == "win32"

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

WM_CLOSE = 0x0010
HWND_MESSAGE = -3

# Windows that the system or a library of it puts into processes; who closes one of them asks
# nobody, and may take from the process what its clean-up needs. A console's own window stands in
# for the process that it was made for: to close it ends every process of that console.
_NOT_THEIR_OWN = frozenset(
    "IME|MSCTFIME UI|ConsoleWindowClass|PseudoConsoleWindow|OleMainThreadWndClass|OleDdeWndClass"
    "|CicMarshalWndClass|GDI+ Hook Window Class|__wine_clipboard_manager".split("|")
)

_user = ctypes.WinDLL("user32", use_last_error=True)
_CALL = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.HWND, wintypes.LPARAM)
_user.EnumWindows.argtypes = (_CALL, wintypes.LPARAM)
_user.GetWindowThreadProcessId.argtypes = (wintypes.HWND, ctypes.c_void_p)
_user.GetClassNameW.argtypes = (wintypes.HWND, wintypes.LPWSTR, ctypes.c_int)
_user.FindWindowExW.argtypes = (wintypes.HWND,) * 2 + (wintypes.LPCWSTR,) * 2
_user.FindWindowExW.restype = wintypes.HWND
_user.PostMessageW.argtypes = (wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM)


class Window(Record):
    """A window that is of a process, not of the system's making."""

    handle: int
    pid: int
    message_only: bool
    kind: str  # the name of its class


def windows(pids: Container[int]) -> list[Window]:
    """Of these processes, as far as this desktop shows them: top-level windows, hidden ones too,
    and message-only windows."""
    found = [_window(handle, False) for handle in _top_level()]
    found += [_window(handle, True) for handle in _message_only()]
    return [w for w in found if w.pid in pids and w.kind not in _NOT_THEIR_OWN]


def addressed(found: list[Window]) -> list[Window]:
    """Those of them that are to be asked to close: of each process its top-level windows; its
    message-only windows where it has no others."""
    visible = {window.pid for window in found if not window.message_only}
    return [w for w in found if not w.message_only or w.pid not in visible]


def ask_to_close(window: Window) -> bool:
    """Post WM_CLOSE. False: the window is gone. PermissionError: its process has more rights than
    we have (user interface privilege isolation), and messages to it are dropped."""
    if _user.PostMessageW(window.handle, WM_CLOSE, 0, 0):
        return True
    error = ctypes.WinError(ctypes.get_last_error())
    if isinstance(error, PermissionError):
        raise error
    return False


def _top_level() -> list[int]:
    found: list[int] = []

    def take(handle: int, _: int) -> bool:
        found.append(handle)
        return True

    _user.EnumWindows(_CALL(take), 0)
    return found


def _message_only() -> Iterator[int]:
    # There is no other way to list them. One that goes between two calls ends the list early,
    # so it is walked again until two walks agree.
    before: list[int] = []
    for _ in range(10):
        walked: list[int] = []
        handle = _user.FindWindowExW(HWND_MESSAGE, None, None, None)
        while handle and handle not in walked:
            walked.append(handle)
            handle = _user.FindWindowExW(HWND_MESSAGE, handle, None, None)
        if walked == before:
            break
        before = walked
    yield from before


def _window(handle: int, message_only: bool) -> Window:
    pid = wintypes.DWORD()
    _user.GetWindowThreadProcessId(handle, ctypes.byref(pid))
    kind = ctypes.create_unicode_buffer(257)
    _user.GetClassNameW(handle, kind, 257)
    return Window(handle, pid.value, message_only, kind.value)
