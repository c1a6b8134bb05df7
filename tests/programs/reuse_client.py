"""Asks `reuse_taker.py` for the pids of the dead; no program itself."""

import os
import time

# the pid alone would come again
_name = f"answer{os.getpid()}-{time.monotonic_ns()}"
_answer = os.path.join(os.path.dirname(os.environ["TAKER"]), _name)
os.mkfifo(_answer)
_answers = os.open(_answer, os.O_RDWR)  # our own end, so that it never ends
_taker = os.open(os.environ["TAKER"], os.O_WRONLY)


def say(*requests):
    """At once: who asks for his own end may not live for a second writing."""
    os.write(_taker, "".join(requests).encode())


def to_take(pid):
    return f"{pid} {_answer}\n"


def to_signal(number, pid=0):
    """After what was asked for before; 0: to the command."""
    return f"signal {number:d} {pid}\n"


def ask(pid):
    """Have it taken as soon as it is free."""
    say(to_take(pid))


def taken():
    """Wait for the next answer: was it?"""
    return os.read(_answers, 1) == b"y"


def take(pid):
    ask(pid)
    return taken()
