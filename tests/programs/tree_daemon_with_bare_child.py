"""Leader, and a daemon (own session, parent gone) with a child whose environment is emptied.

Says `leader PID`, `daemon PID`, `bare PID` when the bare one was executed; all wait for ever.
"""

import os
import signal

executed, executes = os.pipe()
report, tell = os.pipe()
between = os.fork()
if between == 0:
    os.setsid()
    if os.fork() == 0:
        bare = os.fork()
        if bare == 0:
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        os.write(tell, b"daemon %d\nbare %d\n" % (os.getpid(), bare))
        os.close(executes)
        while True:
            signal.pause()
    os._exit(0)
os.waitpid(between, 0)
os.close(executes)
os.read(executed, 1)
os.write(1, os.read(report, 100))
os.write(1, b"leader %d\n" % os.getpid())
while True:
    signal.pause()
