"""The sockets on which runs are heard by sd_notify(3): one for each run that is to be heard.

    FOLDER/procession-TOKEN/NUMBER

A run has a socket of its own, so that what one run floods holds up no other, and what an earlier
run said is never taken for the next one's. The folder, of an unguessable name, is for our user
alone (0700), the sockets too (0600); the socket of a task that runs as somebody else is that
user's, in another folder that everybody may pass through (0711), and nobody may list.

The kernel tells who sends (SO_PASSCRED), and holds on to it where it can (SO_PASSPIDFD, Linux 6.5):
whose a message is, is decided by that.

Not an abstract socket: every user of the host could fill the short queue of one, and a task in a
network namespace of its own could not reach it.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import os
import socket
import stat
import struct

from procession.supervisor.notify_message import LONGEST
from procession.supervisor.talk import Heard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PASSPIDFD = 76  # SO_PASSPIDFD; Python has no name for it yet
_SCM_PIDFD = 4
_FDS = 253  # that one message may bring (SCM_MAX_FD)
_CREDENTIALS = struct.Struct("3i")
_SUN_PATH = 107  # bytes of a path, without the NUL after it
_NAME = len("/procession-0123456789abcdef/12345")
if sys.platform == "linux":
    _FLAGS = int(socket.MSG_CMSG_CLOEXEC)
else:
    _FLAGS = 0
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * _FDS) + socket.CMSG_SPACE(4)


class NotifySocket:
    """Of one run."""

    def __init__(self, path: str, uid: int | None) -> None:
        self.path = path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._sock.setblocking(False)
            if sys.platform == "linux":
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
                try:
                    self._sock.setsockopt(socket.SOL_SOCKET, _PASSPIDFD, 1)
                except OSError:
                    pass  # an older kernel: the pid alone
            self._sock.bind(path)
            os.chmod(path, 0o600)
            if uid is not None and uid != os.geteuid():
                os.chown(path, uid, -1)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        return self._sock.fileno()

    def read(self) -> Heard | None:
        """The next message, None: there is none now. Longer ones come with a byte too much."""
        try:
            data, control, _, _ = self._sock.recvmsg(LONGEST + 1, _ROOM, _FLAGS)
        except (BlockingIOError, InterruptedError):
            return None
        heard = Heard(data)
        for level, kind, value in control:
            if level != socket.SOL_SOCKET:
                continue
            if kind == socket.SCM_RIGHTS:
                count = len(value) // 4
                heard.fds += struct.unpack(f"{count}i", value[: 4 * count])
            elif sys.platform == "linux" and kind == socket.SCM_CREDENTIALS:
                heard.pid = _CREDENTIALS.unpack(value)[0]
            elif sys.platform == "linux" and kind == _SCM_PIDFD:
                (heard.pidfd,) = struct.unpack("i", value)
        return heard

    def close(self) -> None:
        """Idempotent."""
        if self._sock.fileno() >= 0:
            self._sock.close()
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass  # it was never bound, or somebody took it away


class Sockets:
    """Makes them, in folders that are made when they are needed. `tell` is told of a folder before
    it is there, for who has to remove it when we cannot."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._folders: dict[bool, str] = {}
        self._count = 0

    def open(self, uid: int | None = None) -> NotifySocket:
        """For a run of that user, None: of ours. Raises OSError."""
        foreign = uid is not None and uid != os.geteuid()
        folder = self._folders.get(foreign) or self._make(foreign)
        self._count += 1
        return NotifySocket(os.path.join(folder, str(self._count)), uid)

    def _make(self, foreign: bool) -> str:
        # nobody else comes through the user's own runtime folder
        base = "/tmp" if foreign else _base()
        folder = os.path.join(base, f"procession-{os.urandom(8).hex()}")
        self._tell(folder)
        os.mkdir(folder, 0o700)
        if foreign:
            os.chmod(folder, 0o711)
        self._folders[foreign] = folder
        return folder

    def close(self) -> None:
        """Remove the folders; all sockets were closed before. Idempotent."""
        while self._folders:
            try:
                os.rmdir(self._folders.popitem()[1])
            except OSError:
                pass  # somebody put something there, or took it away


def _base() -> str:
    """The user's own runtime folder, or the one for what is temporary."""
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("TMPDIR", "")):
        if os.path.isabs(folder) and len(os.fsencode(folder)) + _NAME <= _SUN_PATH:
            try:
                found = os.stat(folder)
            except OSError:
                continue
            ours = found.st_uid == os.geteuid() and not found.st_mode & 0o022
            if stat.S_ISDIR(found.st_mode) and (ours or found.st_mode & stat.S_ISVTX):
                return folder
    return "/tmp"
