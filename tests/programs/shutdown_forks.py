"""Forks, in the thread of the first argument ("main", "worker"), a child that is "deaf", "hears" by
itself, or uses the parent's "object"; then waits. Both say what they hear.
"""

import os
import signal
import sys
import threading

from procession import shutdown

where, kind = sys.argv[1:]
stop = shutdown.Shutdown()
shutdown.wait_exit_callback(lambda: os.write(1, b"callback in %d\n" % os.getpid()))


def child() -> None:
    if kind == "hears":
        shutdown.install()
    elif kind == "object":
        assert not stop.requested
    os.write(1, b"child %d\n" % os.getpid())
    if kind != "deaf":
        request = shutdown.wait_exit(10) if kind == "hears" else stop.wait(10)
        os.write(1, b"child hears %s\n" % (request.reason if request else "nothing").encode())
    else:
        signal.pause()
    os._exit(3)


def fork() -> None:
    pid = os.fork()
    if pid == 0:
        child()
    _, status = os.waitpid(pid, 0)
    os.write(1, b"child ended with %d\n" % os.waitstatus_to_exitcode(status))


thread = threading.Thread(target=fork if where == "worker" else bool)
thread.start()
thread.join()
if where == "main":
    fork()
os.write(1, b"parent: %s\n" % repr(shutdown.wait_exit(0)).encode())
shutdown.wait_exit()
