"""A daemon that left no trace: `session` (kept or own), environment emptied, parent gone.

    tree_bare_daemon.py kept|own

The leader says `leader PID` and waits for SIGTERM; the daemon is sleep(1), and the leader says
`daemon PID` for it once it was executed.
"""

import os
import signal
import sys
import time

report, tell = os.pipe()
executed, executes = os.pipe()  # close-on-exec: ends when the daemon was executed
between = os.fork()
if between == 0:
    if sys.argv[1] == "own":
        os.setsid()
    daemon = os.fork()
    if daemon == 0:
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os.write(tell, b"daemon %d\n" % daemon)
    os._exit(0)
os.waitpid(between, 0)
os.close(executes)
os.read(executed, 1)
os.write(1, os.read(report, 100))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(1, b"leader %d\n" % os.getpid())
while True:
    time.sleep(0.1)  # `pause` would miss a handler that is due just before it
