"""Programs on Windows in tests: started, heard, asked, bounded, and always ended.

Nothing here sleeps where something can be waited for. A window that a program is about to make
can only be looked for, which is done in short steps under a bound.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from ctypes import wintypes
from pathlib import Path
from types import TracebackType
from typing import TypeVar

assert sys.platform == "win32"

T = TypeVar("T")

PROGRAMS = Path(__file__).parent.parent / "programs"
COMPILED = Path(os.environ.get("LAB_PROGRAMS", PROGRAMS))
# A cold interpreter takes three seconds under Wine, ten times as long with other work (60 s were
# too short once, at a load of 28).
BOUND = 100.0
WM_CLOSE, WM_QUERYENDSESSION, WM_ENDSESSION = 0x0010, 0x0011, 0x0016
KINDS = {
    "no window": subprocess.CREATE_NO_WINDOW,
    "detached": subprocess.DETACHED_PROCESS,
    "new console": subprocess.CREATE_NEW_CONSOLE,
    "our console": 0,
    "own group": subprocess.CREATE_NEW_PROCESS_GROUP,
}

user = ctypes.WinDLL("user32", use_last_error=True)
kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_WORDS = (wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM)
user.PostMessageW.argtypes = _WORDS
user.SendMessageTimeoutW.argtypes = (*_WORDS, wintypes.UINT, wintypes.UINT, ctypes.c_void_p)
user.FindWindowExW.argtypes = (wintypes.HWND,) * 2 + (wintypes.LPCWSTR,) * 2
user.FindWindowExW.restype = wintypes.HWND
kernel.GenerateConsoleCtrlEvent.argtypes = (wintypes.DWORD, wintypes.DWORD)
_ENUM = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.HWND, wintypes.LPARAM)
HWND_MESSAGE = -3


def until(look: Callable[[], T | None], what: str, bound: float = BOUND) -> T:
    """What `look` finds, which nobody can wait for. AssertionError when the bound is over."""
    deadline = time.monotonic() + bound
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"no {what} within {bound} s"
        time.sleep(0.01)


def _pid_of(window: int) -> int:
    pid = wintypes.DWORD()
    user.GetWindowThreadProcessId(wintypes.HWND(window), ctypes.byref(pid))
    return pid.value


def hidden_window(pid: int) -> int | None:
    """A top-level window of that process."""
    found: list[int] = []

    def take(window: int, _: int) -> bool:
        if _pid_of(window) == pid:
            found.append(window)
        return True

    user.EnumWindows(_ENUM(take), 0)
    return found[0] if found else None


def message_window(pid: int, kind: str = "ProcessionShutdown") -> int | None:
    """The message-only window of that class and process."""
    window = user.FindWindowExW(HWND_MESSAGE, None, kind, None)
    while window and _pid_of(window) != pid:
        window = user.FindWindowExW(HWND_MESSAGE, window, kind, None)
    return window or None


def post(window: int, message: int, word: int = 0) -> None:
    assert user.PostMessageW(window, message, word, 0), ctypes.WinError(ctypes.get_last_error())


def send(
    window: int, message: int, word: int = 0, milliseconds: int = int(BOUND * 1000)
) -> int | None:
    """The window's answer; None if it gave none in that time."""
    answer = ctypes.c_size_t()
    words = (window, message, word, 0, 0, milliseconds, ctypes.byref(answer))
    return answer.value if user.SendMessageTimeoutW(*words) else None


class Program:
    """tests/programs/NAME.py, or a compiled NAME.exe, with pipes. Leaving the `with` ends it."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        kind: str = "no window",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if name.endswith(".exe"):
            command = [str(COMPILED / name), *arguments]
        else:
            command = [sys.executable, str(PROGRAMS / f"{name}.py"), *arguments]
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=KINDS[kind],
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
        )
        self.pid = self.popen.pid
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.put(line.decode("utf-8", "replace").rstrip())
        self._lines.put(None)

    def line(self, bound: float = BOUND) -> str | None:
        """The next line; None at the end of the output."""
        try:
            found = self._lines.get(timeout=bound)
        except queue.Empty:
            raise AssertionError(f"no line within {bound} s; seen: {self.seen}") from None
        if found is not None:
            self.seen.append(found)
        return found

    def expect(self, *lines: str) -> None:
        for wanted in lines:
            assert self.line() == wanted, self.seen

    def has_line(self) -> bool:
        return not self._lines.empty()

    def give(self, data: bytes) -> None:
        """To its standard input."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def end_input(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def ended(self, bound: float = BOUND) -> int:
        """Its status; the output is read to its end."""
        status = self.popen.wait(bound)
        while self.line() is not None:
            pass
        self._lines.put(None)
        return status

    def close_window(self) -> None:
        """WM_CLOSE to its hidden top-level window."""
        post(until(lambda: hidden_window(self.pid), "window"), WM_CLOSE)

    def ctrl_c(self) -> None:
        """A real Ctrl-C in the console of this program, which is not ours."""
        self._in_console(0)

    def ctrl_break(self) -> None:
        self._in_console(1)

    def ctrl_close(self) -> None:
        """What the console tells its processes when its window is closed."""
        self._in_console(2)

    def _in_console(self, event: int) -> None:
        """By a process in between, which leaves its console for that one."""
        subprocess.run(
            [sys.executable, str(PROGRAMS / "windows_types.py"), str(self.pid), str(event)],
            check=True,
            creationflags=subprocess.DETACHED_PROCESS,
            timeout=BOUND,
        )

    def break_group(self) -> None:
        """Ctrl-Break to the console group that it leads."""
        os.kill(self.pid, signal.CTRL_BREAK_EVENT)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.popen.kill()
        self.popen.wait(BOUND)
        self._reader.join(BOUND)
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                stream.close()
