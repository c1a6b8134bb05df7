"""What the actors of the end-to-end tests share; no program itself.

An actor is called as `PROGRAM NAME ...` with the path of the stage, a FIFO, in the environment.
It holds the stage open for as long as it lives, and so does everything it forks: the test that
reads end of file there knows that nothing of them is left, however it left its parent.
"""

from __future__ import annotations

import os
import signal
import sys
import time

NAME = sys.argv[1]
ASKS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1}

_stage = os.open(os.environ["STAGE"], os.O_WRONLY)


def say(what: str, *words: object, name: str = NAME) -> None:
    """One line to the test; a write this short is never torn."""
    os.write(_stage, (" ".join(map(str, (name, what, *words))) + "\n").encode())


def ready(name: str = NAME) -> None:
    ids = os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0)
    say("ready", *ids, time.monotonic(), name=name)


def block() -> None:
    """From here on a request waits until it is asked for: none is lost, none comes too early."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ASKS)


def ignore() -> None:
    for number in ASKS:
        signal.signal(number, signal.SIG_IGN)


def hear(name: str = NAME) -> signal.Signals:
    """Wait for a request (after `block`) and tell which, and who sent it."""
    request = signal.sigwaitinfo(ASKS)
    number = signal.Signals(request.si_signo)
    say("heard", number.name, request.si_pid, name=name)
    return number


def gate(path: str) -> None:
    """Wait until the test opens this FIFO for writing."""
    os.close(os.open(path, os.O_RDONLY))


def forever() -> None:
    while True:
        signal.pause()


def daemonise() -> bool:
    """Fork twice with a session of its own between. True in the daemon, False in the caller."""
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True
