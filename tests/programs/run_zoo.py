"""One of each that is hard to end, below a leader that ignores requests. NAME CROWD [leaves]

CROWD processes do nothing but be many. With `leaves` the leader ends with 7 when all are ready.
"""

import ctypes
import os
import signal
import sys

import up_stage

PR_SET_DUMPABLE = 4


def undumpable():
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def mask_all():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def forget_everything():
    os.closerange(0, 1024)
    os.execve("/bin/sleep", ["sleep", "1000"], {})


# name: (is a daemon, what it does before it is ready, what it does after)
ZOO = {
    "deaf": (False, None, None),
    "daemon": (True, None, None),
    "masked": (True, mask_all, None),
    "undumpable": (True, undumpable, None),
    "closed": (True, None, lambda: os.closerange(0, 1024)),
    "bare": (True, None, forget_everything),
    "stopped": (False, None, lambda: os.kill(os.getpid(), signal.SIGSTOP)),
    "stopped-daemon": (True, None, lambda: os.kill(os.getpid(), signal.SIGSTOP)),
}

up_stage.ignore()
read, write = os.pipe()
for name in [*ZOO, *(f"crowd{number}" for number in range(int(sys.argv[2])))]:
    is_daemon, before, after = ZOO.get(name, (False, None, None))
    if up_stage.daemonise() if is_daemon else os.fork() == 0:
        os.close(read)
        if before is not None:
            before()
        up_stage.ready(f"{up_stage.NAME}.{name}")
        os.close(write)
        if after is not None:
            after()
        up_stage.forever()
os.close(write)
os.read(read, 1)  # ends when the last of them is ready
up_stage.ready()
if len(sys.argv) > 3:
    os._exit(7)
up_stage.forever()
