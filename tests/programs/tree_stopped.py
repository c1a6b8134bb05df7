"""Obeys SIGTERM as tree_obedient.py does, but stops itself first, as Ctrl-Z or a debugger would.

    tree_stopped.py [child]

`child`: a child in the group, stopped too. Each says `NAME PID` before it stops.
"""

import os
import signal
import sys
import time


def heard(signo, frame):
    os.write(1, b"heard %s %d\n" % (name.encode(), os.getpid()))
    os._exit(0)


signal.signal(signal.SIGTERM, heard)
name = "leader"
if "child" in sys.argv and os.fork() == 0:
    name = "child"
os.write(1, b"%s %d\n" % (name.encode(), os.getpid()))
os.kill(os.getpid(), signal.SIGSTOP)
while True:
    time.sleep(0.1)  # `pause` would miss a handler that is due just before it
