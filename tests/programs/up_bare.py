"""Leaves a daemon of which nothing tells whose it is: own session, emptied environment, no
descriptor, and no parent. NAME [GATE]

The leader ends well once the daemon is executed, or when GATE is opened.
"""

import os
import sys

import up_stage

executed, executes = os.pipe()  # close-on-exec: ends when the daemon was executed
if up_stage.daemonise():
    up_stage.ready(f"{up_stage.NAME}.daemon")
    os.dup2(executes, 3, inheritable=False)
    for fd in set(range(1024)) - {3}:
        try:
            os.close(fd)
        except OSError:
            continue
    os.execve("/bin/sleep", ["sleep", "1000"], {})
os.close(executes)
os.read(executed, 1)
up_stage.ready()
if len(sys.argv) > 2:
    up_stage.gate(sys.argv[2])
