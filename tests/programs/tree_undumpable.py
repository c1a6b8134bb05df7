"""Leaves a daemon whose environment only root may read: it is not dumpable. Says `daemon PID`."""

import ctypes
import os
import signal

PR_SET_DUMPABLE = 4
if os.fork() == 0:
    if os.fork() == 0:
        if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            os._exit(1)
        os.write(1, b"daemon %d\n" % os.getpid())
        while True:
            signal.pause()
    os._exit(0)
os.wait()
