# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""What `procession doctor` tells of Windows. Texts only for `survey`, which makes facts of them."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

from procession.process import _messages_windows as messages
from procession.process import _win32 as win

LAYERS = [
    (
        "a job object for each run, of which the leader is a member from its first instruction "
        "and whatever it starts is one too; no process can leave it"
    ),
    "it ends with our last handle to it, so also when we are terminated",
    "a job object of our own around them all",
]
BLIND = [
    (
        "what is handed to another service (the task scheduler, a service, WMI): it is that "
        "service's child, and no descendant of ours"
    ),
    "a process that runs with more rights than we have may not be asked by WM_CLOSE",
]


def facts() -> list[tuple[str, str, str, str, str]]:
    """Key, state, value, meaning, and what would be better."""
    return [_jobs(), _windows()]


def _jobs() -> tuple[str, str, str, str, str]:
    inside = win.in_job(win.current_process())
    nested = ", nested in our starter's" if inside else ""
    try:
        job = win.create_job()
        try:
            win.kill_on_close(job)
        finally:
            win.close(job)
    except OSError as error:
        means = "nothing is started without one"
        return "job objects", "missing", str(error), means, "ask whoever runs this system"
    return "job objects", "ok", f"each run has one{nested}", "", ""


def _windows() -> tuple[str, str, str, str, str]:
    count = len(messages.windows(range(2**32)))
    return "windows", "ok", f"{count} can be seen on this desktop", "", ""
