"""A leader with a background child and, if asked, a daemonised grandchild.

    tree_family.py [leader=WAY] [child=WAY] [daemon=WAY]

WAY is what it does about SIGTERM: `obeys` (says `heard NAME PID`, ends), `deaf`, or, for the
leader, `leaves` (ends with 0 as soon as all are ready). Who is not named is not there, except the
leader. Each says `NAME PID` once it is ready. The daemon leads its own session, its parent gone.
"""

import os
import signal
import sys
import time

ways = dict(word.split("=") for word in sys.argv[1:])


def live(name, way):
    if way == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:

        def heard(signo, frame):
            os.write(1, b"heard %s %d\n" % (name.encode(), os.getpid()))
            os._exit(0)

        signal.signal(signal.SIGTERM, heard)
        signal.signal(signal.SIGINT, heard)
    os.write(1, b"%s %d\n" % (name.encode(), os.getpid()))
    while True:
        time.sleep(0.1)  # `pause` would miss a handler that is due just before it


reads, writes = os.pipe()
if "child" in ways and os.fork() == 0:
    live("child", ways["child"])
if "daemon" in ways:
    between = os.fork()
    if between == 0:
        os.setsid()
        if os.fork() == 0:
            os.read(reads, 1)  # until its parent is reaped: from here on it is an orphan
            live("daemon", ways["daemon"])
        os._exit(0)
    os.waitpid(between, 0)
    os.write(writes, b".")
if ways.get("leader") == "leaves":
    os.write(1, b"leader %d\n" % os.getpid())
    os._exit(0)
live("leader", ways.get("leader", "obeys"))
