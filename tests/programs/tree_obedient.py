"""Says `ready PID`, then waits; on SIGTERM says `heard SIGTERM PID` and ends with 0."""

import os
import signal
import time


def heard(signo, frame):
    os.write(1, b"heard %s %d\n" % (signal.Signals(signo).name.encode(), os.getpid()))
    if signo == signal.SIGTERM:
        os._exit(0)


for signo in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
    signal.signal(signo, heard)
os.write(1, b"ready %d\n" % os.getpid())
while True:
    time.sleep(0.1)  # `pause` would miss a handler that is due just before it
