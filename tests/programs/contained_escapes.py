"""A leader whose child moves itself to another control group. GROUP [hides]

The leader says `leader PID`; the child, once it has moved, `child PID`. `hides`: the child is a
daemon, in a session of its own, and was executed with an empty environment.
"""

import os
import sys
import time

group, *hides = sys.argv[1:]
told, tell = os.pipe()
executed, executes = os.pipe()  # close-on-exec


def child():
    with open(f"{group}/cgroup.procs", "w") as procs:
        procs.write("0")
    os.write(tell, b"child %d\n" % os.getpid())
    os.execve("/bin/sleep", ["sleep", "1000"], {} if hides else os.environ)


between = os.fork()
if between == 0:
    if hides:
        os.setsid()
        if os.fork():
            os._exit(0)
    child()
os.close(executes)
os.read(executed, 1)
os.write(1, os.read(told, 100))
os.write(1, b"leader %d\n" % os.getpid())
if hides:
    os.waitpid(between, 0)
while True:
    time.sleep(0.1)
