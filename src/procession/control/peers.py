"""Who is at the other end of a unix socket, and whether anybody is."""

from __future__ import annotations

import socket
import struct
import sys

assert sys.platform != "win32", "unix sockets"


def uid_of(connection: socket.socket) -> int | None:
    """Of the process at the other end; None: the system does not say. Raises OSError."""
    if sys.platform == "linux":
        return _ucred(connection)[1]
    # LOCAL_PEERCRED of the BSDs and macOS: struct xucred, version then uid (unix(4))
    data = connection.getsockopt(0, 1, 76)
    version, uid = struct.unpack_from("II", data)
    return uid if version == 0 else None


def pid_of(connection: socket.socket) -> int | None:
    """Of the process that connected, or that listens there; None as above. Raises OSError."""
    return _ucred(connection)[0] if sys.platform == "linux" else None


def _ucred(connection: socket.socket) -> tuple[int, int, int]:
    assert sys.platform == "linux"
    size = struct.calcsize("3i")  # struct ucred: pid, uid, gid (unix(7))
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, gid = struct.unpack("3i", data)
    return pid, uid, gid


def listener(path: str) -> tuple[bool, int | None]:
    """(does anybody listen at this path, its pid where the system says that). Never waits: a socket
    file whose process is gone refuses, one whose queue is full says so at once (unix(7))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        try:
            connection.connect(path)
            return True, pid_of(connection)
        except BlockingIOError:
            return True, None
        except OSError:
            return False, None
