"""Lives on after SIGTERM, and on SIGUSR1 brings a newcomer to light: a daemon forked only then.

Says `ready PID`; then for each SIGTERM `heard leader PID`; the newcomer says `newcomer PID` and,
for each SIGTERM, `heard newcomer PID`. The newcomer is a session of its own, its parent gone.
"""

import os
import signal
import time

name = "leader"


def heard(signo, frame):
    os.write(1, b"heard %s %d\n" % (name.encode(), os.getpid()))


def bring(signo, frame):
    global name
    between = os.fork()
    if between == 0:
        os.setsid()
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.close(writes)
            os.read(reads, 1)  # ends with its parent, so it is adopted when it says so
            name = "newcomer"
            os.write(1, b"newcomer %d\n" % os.getpid())
            return
        os._exit(0)
    os.waitpid(between, 0)


signal.signal(signal.SIGTERM, heard)
signal.signal(signal.SIGUSR1, bring)
os.write(1, b"ready %d\n" % os.getpid())
while True:
    time.sleep(0.1)  # `pause` would miss a handler that is due just before it
