"""Who is at the other end of a unix socket, and whether anybody is."""

from __future__ import annotations

import socket
import struct
import sys

if sys.platform == "linux":

    def uid_of(connection: socket.socket) -> int | None:
        """Of the process at the other end; None: the system does not say. Raises OSError."""
        return _ucred(connection)[1]

    def pid_of(connection: socket.socket) -> int | None:
        """Of the process that connected, or that listens there. As above."""
        return _ucred(connection)[0]

    def _ucred(connection: socket.socket) -> tuple[int, int]:
        size = struct.calcsize("3i")  # struct ucred: pid, uid, gid (unix(7))
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, uid, _ = struct.unpack("3i", data)
        return pid, uid

else:

    def uid_of(connection: socket.socket) -> int | None:
        """Of the process at the other end; None: the system does not say. Raises OSError."""
        # LOCAL_PEERCRED of the BSDs and macOS: struct xucred, version then uid (unix(4))
        data = connection.getsockopt(0, 1, 76)
        version, uid = struct.unpack_from("II", data)
        return uid if version == 0 else None

    def pid_of(connection: socket.socket) -> int | None:
        """It is not asked for here."""
        return None


if sys.platform != "win32":

    def listener(path: str) -> tuple[bool, int | None]:
        """(does anybody listen at this path, its pid where the system says that). Never waits: a
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
