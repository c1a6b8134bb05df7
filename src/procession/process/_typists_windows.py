# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""Has Ctrl-C and Ctrl-Break typed in consoles that are not ours: see `_typist_windows`."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

assert sys.platform == "win32"

from procession.process import _win32 as win
from procession.process._typist_windows import MISSING_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Thread

    # the event, processes that share a console, and what is called if none of them has one
    Typed = tuple[int, tuple[int, ...], Callable[[], object] | None]

CTRL_C, CTRL_BREAK = 0, 1
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_typist_windows.py")
_BOUND = 30.0  # seconds a typist may take before it is ended
_CONSOLES = 8  # that one goes through: it takes as long to start as to type in some
_ATTEMPTS = 100  # members of a tree whose console is looked for


def interpreter() -> str:
    """The Python that runs us; empty inside a program that is none, and would start itself."""
    # not the one of a virtual environment: that starts the real one, which gets a new console
    python: str = getattr(sys, "_base_executable", "") or sys.executable or ""
    name = os.path.basename(python).lower()
    return python if name.startswith(("python", "pypy")) and not hasattr(sys, "frozen") else ""


class Typists:
    """Those under way. Any thread."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._under_way: dict[int, tuple[Thread, int]] = {}  # by pid; and their processes

    def type_in(self, wanted: Iterable[Typed]) -> bool:
        """By processes that have no console of their own, without waiting for them. False: there
        is no interpreter that could do it."""
        python = interpreter()
        for event in (CTRL_C, CTRL_BREAK) if python else ():
            consoles = [typed for typed in wanted if typed[0] == event]
            for at in range(0, len(consoles), _CONSOLES):
                self._start(python, event, consoles[at : at + _CONSOLES])
        return bool(python)

    def _start(self, python: str, event: int, consoles: list[Typed]) -> None:
        import threading

        from procession.process import _quoting_windows as quoting

        words = [",".join(map(str, pids[:_ATTEMPTS])) for _, pids, _ in consoles]
        argv = (python, "-I", "-S", _PROGRAM, str(event), *words)
        started = win.create_process(
            python, quoting.for_program(argv), flags=win.DETACHED_PROCESS,
            environment=None, cwd=None, streams=None, inherited=(), job=None,
        )  # fmt: skip
        win.close(started.thread)
        thread = threading.Thread(
            target=self._await, args=(started, consoles), name=f"typist-{started.pid}", daemon=True
        )
        with self._lock:  # `end` waits for those that it finds
            self._under_way[started.pid] = thread, started.process
            thread.start()

    def _await(self, started: win.Started, consoles: list[Typed]) -> None:
        if win.wait(started.process, int(_BOUND * 1000)):
            missing = win.exit_code(started.process) >> MISSING_SHIFT
            for index, (_, _, instead) in enumerate(consoles):
                if missing >> index & 1 and instead is not None:
                    instead()
        else:
            win.terminate(started.process, 1)
        with self._lock:
            self._under_way.pop(started.pid, None)
        win.close(started.process)

    def end(self) -> None:
        """Nobody is left who could hear them."""
        with self._lock:
            typists = list(self._under_way.values())
            for _, process in typists:
                if not win.wait(process, 0):
                    win.terminate(process, 1)
        for thread, _ in typists:
            thread.join()
