"""A storm of forks that nothing but SIGKILL ends: each process forks again and again.

    tree_storm.py WIDTH SECONDS [own]

Keeps about WIDTH processes alive, deaf to SIGTERM; each lives some milliseconds, forks a
successor, and ends. `own`: each in a session of its own. Says `ready PID` when it begins. A storm
that escaped its test is over after LIFE seconds.
"""

import os
import signal
import sys
import time

LIFE = 120

width, seconds, own = int(sys.argv[1]), float(sys.argv[2]), "own" in sys.argv
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def comet():
    until = time.monotonic() + LIFE
    while time.monotonic() < until:
        time.sleep(seconds)
        if os.fork() > 0:
            os._exit(0)
        if own:
            os.setsid()


gate, opens = os.pipe()
for _ in range(width):
    if os.fork() == 0:
        os.close(opens)
        os.read(gate, 1)  # all begin together, when all are there
        comet()
os.write(1, b"ready %d\n" % os.getpid())
os.close(opens)
while True:
    signal.pause()
