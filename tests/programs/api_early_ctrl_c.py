"""`up` of a project, interrupted by Ctrl-C while its thread begins.

api_early_ctrl_c.py begun|started LOG-DIR
"""

import signal
import sys
import threading

from procession import Project, Task, up
from procession.api import _life

when, logs = sys.argv[1:]

if when == "begun":  # the thread is there, and says nothing yet
    block = _life.block

    def interrupted(waiting: _life.Coming) -> None:
        _life.block = block
        signal.raise_signal(signal.SIGINT)
        block(waiting)

    _life.block = interrupted
else:  # within Thread.start()
    wait = threading.Event.wait

    def interrupted_wait(self: threading.Event, timeout: float | None = None) -> bool:
        come = wait(self, timeout)
        if threading.current_thread() is threading.main_thread():
            threading.Event.wait = wait
            signal.raise_signal(signal.SIGINT)
        return come

    threading.Event.wait = interrupted_wait

try:
    with up(Project(Task("a", "sleep", "1000"), name="app"), log_dir=logs):
        print("it is up", flush=True)
except KeyboardInterrupt:
    print("interrupted", [t.name for t in threading.enumerate()], flush=True)
