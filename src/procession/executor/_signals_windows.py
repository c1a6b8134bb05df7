# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""A single process on Windows: waiting for its end, and what stands for signals there."""

from __future__ import annotations

import signal
import sys

assert sys.platform == "win32", "for Windows only"

from procession.process._handle_windows import WindowsHandle
from procession.process._tree_windows import WindowsTree
from procession.process._typists_windows import CTRL_BREAK, CTRL_C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.executor._handle import ExecHandle

SIGTERM, SIGKILL = int(signal.SIGTERM), 9
_ENDED = 1  # the exit code that `Popen.terminate` gives
_TYPED = {
    int(signal.CTRL_C_EVENT): CTRL_C,
    int(signal.SIGINT): CTRL_C,
    int(signal.CTRL_BREAK_EVENT): CTRL_BREAK,
    int(signal.SIGBREAK): CTRL_BREAK,
}


def send(handle: ExecHandle, number: int) -> None:
    """As `Popen.send_signal`: SIGTERM terminates the process, as its `terminate` and `kill` do,
    with exit code 1. CTRL_C_EVENT and CTRL_BREAK_EVENT (and SIGINT, SIGBREAK) are typed in the
    console of the process, for all who are attached to it; Popen would have to share its own.

    Raises ValueError for every other signal, and where nothing can be typed.
    """
    process, tree = handle._process, handle._tree
    assert isinstance(process, WindowsHandle)
    assert isinstance(tree, WindowsTree)
    if number in (SIGTERM, SIGKILL):
        process.terminate(_ENDED)
    elif number not in _TYPED:
        raise ValueError(
            f"Unsupported signal: {number}. Windows has SIGTERM, CTRL_C_EVENT, CTRL_BREAK_EVENT"
        )
    elif not tree.press(_TYPED[number]):
        raise ValueError(
            f"Unsupported signal: {number}. It would have to be typed in a console: that of "
            f"{handle.name} is our own too, or there is no python.exe that could do it"
        )


def await_end(handle: ExecHandle, timeout: float | None) -> bool:
    """Wait so long for the end of the process, and note it. False: it still runs."""
    assert isinstance(handle._process, WindowsHandle)
    status = handle._process.await_end(timeout)
    if status is not None:
        handle._note(status)
    return handle._status is not None
