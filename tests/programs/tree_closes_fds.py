"""Daemonises by the book, double fork and all descriptors closed, and leaves its leader.

Says `daemon PID` just before it closes them; the leader ends with 0.
"""

import os
import signal

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.write(1, b"daemon %d\n" % os.getpid())
        os.closerange(0, 256)
        while True:
            signal.pause()
    os._exit(0)
os.wait()
