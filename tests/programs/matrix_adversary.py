"""A leader, and what is hard to end below it. KIND [PROGRAM]

Whatever is below it is deaf to every request. The leader itself obeys, but for the kind "deaf", so
that what it started loses its parent in the middle of a stop. It says `ready` when all are as they
are to be. PROGRAM: for the kind "root", an interpreter with the setuid bit.
"""

import ctypes
import os
import signal
import sys
import time

import up_stage

PR_SET_DUMPABLE = 4
CROWD = 200  # of the bomb
LIFE = 0.5  # seconds of each process of the bomb, until a child takes its place
BOUND = 20.0  # seconds after which the bomb is over, whatever happens
KIND = sys.argv[1]
BECOMES_ROOT = """
import os, time
os.setresuid(0, 0, 0)
os.write({stage}, b"root.member ready %d 0 0 0 0\\n" % os.getpid())
os.close({write})
time.sleep(1000)
"""

read, write = os.pipe()


def tell():
    up_stage.ready(f"{KIND}.member")


def live():
    os.close(write)
    up_stage.forever()


def background():
    tell()
    live()


def holds_pipe():
    """Below a parent that is gone, with our output in its hands."""
    if os.fork():
        os._exit(0)
    background()


def closed():
    tell()
    os.closerange(0, 1024)
    up_stage.forever()


def bare():
    tell()
    os.closerange(0, write)
    os.closerange(write + 1, 1024)
    os.execve("/bin/sleep", ["sleep", "1000"], {})  # which closes what tells that it has begun


def stopped():
    tell()
    os.close(write)
    os.kill(os.getpid(), signal.SIGSTOP)
    up_stage.forever()


def masked():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    background()


def undumpable():
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    background()


def comet():
    """Dies soon, and leaves a child: there are always as many, but never the same."""
    until = time.monotonic() + BOUND
    os.close(write)
    while time.monotonic() < until:
        time.sleep(LIFE)
        if os.fork():
            os._exit(0)
        if KIND == "bomb-apart":
            os.setsid()
    os._exit(0)


def root():
    words = [sys.argv[2], "-S", "-c", BECOMES_ROOT.format(stage=up_stage._stage, write=write)]
    os.set_inheritable(up_stage._stage, True)
    os.set_inheritable(write, True)
    os.execv(sys.argv[2], words)


def child(apart=False):
    if os.fork():
        return False
    if apart:
        os.setsid()
    return True


# how it is born (not at all: the leader is all there is), and what it does then
KINDS = {
    "deaf": (None, None),
    "background": (child, background),
    "setsid": (lambda: child(apart=True), background),
    "double-fork": (up_stage.daemonise, background),
    "closed": (up_stage.daemonise, closed),
    "bare": (up_stage.daemonise, bare),
    "bomb": (child, comet),
    "bomb-apart": (lambda: child(apart=True), comet),
    "stopped": (up_stage.daemonise, stopped),
    "pipe": (child, holds_pipe),
    "masked": (up_stage.daemonise, masked),
    "undumpable": (child, undumpable),
    "undumpable-daemon": (up_stage.daemonise, undumpable),
    "root": (child, root),
}

birth, life = KINDS[KIND]
up_stage.ignore()
for _ in range(CROWD if life is comet else 1):
    if birth is not None and birth():
        os.close(read)
        life()
os.close(write)
os.read(read, 1)  # ends when the last of them is what it is to be
if KIND != "deaf":
    for number in up_stage.ASKS:
        signal.signal(number, signal.SIG_DFL)
up_stage.ready()
up_stage.forever()
