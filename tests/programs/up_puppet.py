"""Does what the test writes into a FIFO, line by line, as Python; says `did`. NAME FIFO"""

import os
import pathlib
import sys

import up_stage

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "src"))
# what the lines may use
import socket
import time

from procession import notify

KEPT: list[socket.socket] = []


def listen(where: "str | int") -> None:
    """On a port of 127.0.0.1 that the test keeps free for us, or on a unix socket."""
    if isinstance(where, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(where)
    else:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", where))
    sock.listen(100)
    KEPT.append(sock)


def touch(path: str) -> None:
    pathlib.Path(path).touch()


def close() -> None:
    KEPT.pop().close()


known = {
    "close": close,
    "os": os,
    "sys": sys,
    "time": time,
    "notify": notify,
    "listen": listen,
    "touch": touch,
}
up_stage.ready()
with open(sys.argv[2]) as lines:
    for line in iter(lines.readline, ""):
        exec(line, known)
        up_stage.say("did", time.monotonic())
