"""Leader, a process between, and below it a bare one: own session, environment emptied.

Says `leader PID`, `between PID`, `bare PID` when the bare one was executed; all wait for ever.
"""

import os
import signal

executed, executes = os.pipe()
report, tell = os.pipe()
between = os.fork()
if between == 0:
    bare = os.fork()
    if bare == 0:
        os.setsid()
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os.write(tell, b"between %d\nbare %d\n" % (os.getpid(), bare))
    os.close(executes)
    while True:
        signal.pause()
os.close(executes)
os.read(executed, 1)
os.write(1, os.read(report, 100))
os.write(1, b"leader %d\n" % os.getpid())
while True:
    signal.pause()
