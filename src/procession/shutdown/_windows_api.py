"""Calls into user32 and kernel32. No policy: what they are for is in `_windows.py`.

Names and structures as in the vendor's reference, https://learn.microsoft.com/windows/win32/api/.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import wintypes

assert sys.platform == "win32"  # tells mypy to pass over this module elsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._windows import Procedure

LRESULT = ctypes.c_ssize_t
WNDPROC = ctypes.WINFUNCTYPE(
    LRESULT, wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM
)
HANDLER_ROUTINE = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)
HWND_MESSAGE = -3


class WNDCLASSEXW(ctypes.Structure):
    _fields_ = (
        ("cbSize", wintypes.UINT),
        ("style", wintypes.UINT),
        ("lpfnWndProc", WNDPROC),
        ("cbClsExtra", ctypes.c_int),
        ("cbWndExtra", ctypes.c_int),
        ("hInstance", wintypes.HINSTANCE),
        ("hIcon", wintypes.HANDLE),
        ("hCursor", wintypes.HANDLE),
        ("hbrBackground", wintypes.HANDLE),
        ("lpszMenuName", wintypes.LPCWSTR),
        ("lpszClassName", wintypes.LPCWSTR),
        ("hIconSm", wintypes.HANDLE),
    )


def _declare(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Declared, so that handles keep their 64 bits."""
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


class Api:
    """The system. One object for the process."""

    def __init__(self) -> None:
        # Libraries of our own: what others declare on ctypes.windll is theirs.
        user = ctypes.WinDLL("user32", use_last_error=True)
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        hwnd, uint, bool_ = wintypes.HWND, wintypes.UINT, wintypes.BOOL
        text = wintypes.LPCWSTR
        word = (wintypes.WPARAM, wintypes.LPARAM)
        self._register = _declare(user, "RegisterClassExW", wintypes.ATOM, ctypes.c_void_p)
        self._unregister = _declare(user, "UnregisterClassW", bool_, text, wintypes.HINSTANCE)
        self._create = _declare(
            user,
            "CreateWindowExW",
            hwnd,
            wintypes.DWORD,
            text,
            text,
            wintypes.DWORD,
            *[ctypes.c_int] * 4,
            hwnd,
            wintypes.HMENU,
            wintypes.HINSTANCE,
            ctypes.c_void_p,
        )
        self._destroy = _declare(user, "DestroyWindow", bool_, hwnd)
        self._get = _declare(user, "GetMessageW", ctypes.c_int, ctypes.c_void_p, hwnd, uint, uint)
        self._dispatch = _declare(user, "DispatchMessageW", LRESULT, ctypes.c_void_p)
        self._post = _declare(user, "PostMessageW", bool_, hwnd, uint, *word)
        self._post_quit = _declare(user, "PostQuitMessage", None, ctypes.c_int)
        self._default = _declare(user, "DefWindowProcW", LRESULT, hwnd, uint, *word)
        self._block = _declare(user, "ShutdownBlockReasonCreate", bool_, hwnd, text)
        self._unblock = _declare(user, "ShutdownBlockReasonDestroy", bool_, hwnd)
        self._module = _declare(kernel, "GetModuleHandleW", wintypes.HMODULE, text)
        self._set_handler = _declare(kernel, "SetConsoleCtrlHandler", bool_, HANDLER_ROUTINE, bool_)
        self._session_of = _declare(
            kernel, "ProcessIdToSessionId", bool_, wintypes.DWORD, ctypes.c_void_p
        )
        self._procedures: dict[Procedure, Any] = {}  # the system keeps their addresses
        self._handler: Callable[[int], bool] | None = None
        self._routine = HANDLER_ROUTINE(self._on_console)

    def register_class(self, name: str, procedure: Procedure) -> None:
        def native(window: int, message: int, wparam: int, lparam: int) -> int:
            result = procedure(window, message, wparam, lparam)
            if result is None:
                result = int(self._default(window, message, wparam, lparam))
            return result

        address = self._procedures.setdefault(procedure, WNDPROC(native))
        described = WNDCLASSEXW(
            cbSize=ctypes.sizeof(WNDCLASSEXW),
            lpfnWndProc=address,
            hInstance=self._module(None),
            lpszClassName=name,
        )
        _check(self._register(ctypes.byref(described)))

    def unregister_class(self, name: str) -> None:
        _check(self._unregister(name, self._module(None)))

    def create_window(self, class_name: str, title: str, message_only: bool) -> int:
        parent = HWND_MESSAGE if message_only else None
        place = (0, 0, 0, 0)
        return _check(
            self._create(0, class_name, title, 0, *place, parent, None, self._module(None), None)
        )

    def destroy_window(self, window: int) -> None:
        _check(self._destroy(window))

    def get_message(self) -> bool:
        message = wintypes.MSG()
        answer = self._get(ctypes.byref(message), None, 0, 0)
        if answer == -1:
            raise ctypes.WinError(ctypes.get_last_error())
        if answer:
            self._dispatch(ctypes.byref(message))
        return bool(answer)

    def post_message(self, window: int, message: int) -> None:
        _check(self._post(window, message, 0, 0))

    def post_quit(self) -> None:
        self._post_quit(0)

    def block_shutdown(self, window: int, reason: str) -> None:
        # Refused for windows of a service; there is nobody to read the reason then.
        self._block(window, reason)

    def unblock_shutdown(self, window: int) -> None:
        self._unblock(window)

    def add_console_handler(self, handler: Callable[[int], bool]) -> None:
        self._handler = handler
        _check(self._set_handler(self._routine, True))

    def remove_console_handler(self) -> None:
        if self._handler is not None:
            self._handler = None
            _check(self._set_handler(self._routine, False))

    def is_service(self) -> bool:
        number = wintypes.DWORD()
        return bool(self._session_of(os.getpid(), ctypes.byref(number))) and number.value == 0

    def _on_console(self, event: int) -> bool:
        handler = self._handler
        return handler is not None and handler(event)


def _check(answer: Any) -> int:
    """The answer of a call that returns 0 when it fails."""
    if not answer:
        raise ctypes.WinError(ctypes.get_last_error())
    return int(answer)


api = Api()
