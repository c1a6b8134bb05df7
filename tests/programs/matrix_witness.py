"""Stands above a command, and ends when nothing lives that it has started. COMMAND...

As a subreaper it becomes the parent of whoever loses his own, however that one hides: a process
cannot shed its descent. So its end, with status 0, proves that there are no survivors. When its
standard input ends it kills all that is left, so that nothing outlives the test.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    """Of all its threads; none where it is gone."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def end_all():
    """From above: who loses his parent comes to us, and is there at the next look."""
    queue = children("self")
    for pid in queue:
        queue += children(pid)
    for pid in queue:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def reap():
    """All that have ended; False: nobody is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


wake, wakes = os.pipe()
for fd in (wake, wakes):
    os.set_blocking(fd, False)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
if os.fork() == 0:
    signal.set_wakeup_fd(-1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.setsid()
    os.execvp(sys.argv[1], sys.argv[1:])

while reap():
    ready = select.select([0, wake], [], [])[0]
    if wake in ready:
        os.read(wake, 4096)
    if 0 in ready:
        end_all()
        time.sleep(0.01)  # nothing more comes there: from now on it is always ready
