"""Our own console, made to show what tasks and we write: bytes of UTF-8, and colours.

A console on Windows takes bytes for text of a code page of its own, which is an old one by default,
and shows the sequences for colours as they are unless it is told to obey them
(https://learn.microsoft.com/windows/console/console-virtual-terminal-sequences). Both are settings
of the console, not of a process: whoever changes them puts them back.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes

assert sys.platform == "win32"  # tells mypy to pass over this module elsewhere

import msvcrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

UTF_8 = 65001
VIRTUAL_TERMINAL = 0x4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING

_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_get_mode, _set_mode = _kernel.GetConsoleMode, _kernel.SetConsoleMode
_get_mode.argtypes = (wintypes.HANDLE, ctypes.c_void_p)
_set_mode.argtypes = (wintypes.HANDLE, wintypes.DWORD)
_get_page, _set_page = _kernel.GetConsoleOutputCP, _kernel.SetConsoleOutputCP
_set_page.argtypes = (wintypes.UINT,)


class ConsoleOfBytes:
    """While it is entered, the consoles among these descriptors show UTF-8 and obey sequences for
    colours, as far as they can. Afterwards all is as it was. Raises nothing."""

    def __init__(self, fds: Iterable[int] = (1, 2)) -> None:
        self._modes = {fd: mode for fd in fds if (mode := _mode(fd)) is not None}
        self._page = 0

    def __enter__(self) -> ConsoleOfBytes:
        for fd, mode in self._modes.items():
            _set_mode(msvcrt.get_osfhandle(fd), mode | VIRTUAL_TERMINAL)
        if self._modes:
            self._page = _get_page()
            _set_page(UTF_8)
        return self

    def __exit__(self, *_: object) -> None:
        if self._page:
            _set_page(self._page)
        for fd, mode in self._modes.items():
            try:
                _set_mode(msvcrt.get_osfhandle(fd), mode)
            except OSError:
                pass  # closed meanwhile


def _mode(fd: int) -> int | None:
    """None: it is no console. `os.isatty` says so of every character device, NUL among them."""
    mode = wintypes.DWORD()
    try:
        return mode.value if _get_mode(msvcrt.get_osfhandle(fd), ctypes.byref(mode)) else None
    except OSError:
        return None
