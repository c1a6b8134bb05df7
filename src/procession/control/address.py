"""Where a running project is found: a folder for each, with its socket, its lock and a few facts.

    <runtime>/<key>/control.sock   connections, mode 0600
    <runtime>/<key>/lock           held (flock(2)) by the supervisor as long as it lives
    <runtime>/<key>/about.json     which project it is, for who looks for one

The runtime folder is the first of `$PROCESSION_RUNTIME_DIR`, `$XDG_RUNTIME_DIR/procession`,
`/run/user/UID/procession` and `$TMPDIR/procession-UID` (or in /tmp) that can be had; it has to be a
folder (no link) of this user, with mode 0700: what is in it is trusted. The key is made of the
file's real path and the project's name, and short: a socket's path ends at 107 bytes (unix(7)).
"""

from __future__ import annotations

import os
import stat
import sys

from procession._record import Record
from procession.errors import AlreadyRunningError, HostError

SOCKET, LOCK, ABOUT = "control.sock", "lock", "about.json"
_OVERRIDE = "PROCESSION_RUNTIME_DIR"


class About(Record):
    """What a running project says of itself. Paths are absolute; `since` is seconds since 1970."""

    project: str
    file: str
    pid: int
    since: float
    logs: str | None = None


def key_of(file: str, project: str) -> str:
    """16 hex digits that stand for a project: FNV-1a, since hashlib costs 2 ms of a start."""
    number = 0xCBF29CE484222325
    for byte in f"{file}\0{project}".encode("utf-8", "surrogateescape"):
        number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}"


if sys.platform == "win32":

    def is_alive(folder: str) -> bool:
        """Nothing can be claimed here yet."""
        return False

else:
    import fcntl

    def runtime_folder(environ: dict[str, str] | os._Environ[str], *, make: bool) -> str:
        """The first of the places that can be used; `make`: made where it is not there.

        Raises HostError, with what was tried and why not, where there is none.
        """
        uid = os.geteuid()
        if override := environ.get(_OVERRIDE):
            places = [override]
        else:
            places = [f"/run/user/{uid}/procession", _in_tmp(environ, uid)]
            if runtime := environ.get("XDG_RUNTIME_DIR"):
                places.insert(0, os.path.join(runtime, "procession"))
        refused: list[str] = []
        for place in places:
            try:
                why = _use(place, uid, make)
            except OSError as e:
                why = (e.strerror or str(e)).lower()
            if why is None:
                return place
            refused.append(f"{place} ({why})")
        raise HostError(
            "runtime folder", f"none can be used: {', '.join(refused)}", f"one in {_OVERRIDE}"
        )

    def _in_tmp(environ: dict[str, str] | os._Environ[str], uid: int) -> str:
        return os.path.join(environ.get("TMPDIR") or "/tmp", f"procession-{uid}")

    def _use(place: str, uid: int, make: bool) -> str | None:
        """None: it is good. Else why not."""
        if make:
            try:
                os.mkdir(place, 0o700)
            except FileExistsError:
                pass  # looked at below
        about = os.lstat(place)
        if not stat.S_ISDIR(about.st_mode):
            return "no folder"
        if about.st_uid != uid:
            return f"of user {about.st_uid}"
        if about.st_mode & 0o077:
            return f"open to others, mode {stat.S_IMODE(about.st_mode):04o}"
        return None

    class Claim:
        """This supervisor is the one that runs the project. Held until `release`, or its end."""

        def __init__(self, folder: str, lock: int) -> None:
            self.folder = folder
            self._lock = lock

        @property
        def socket_path(self) -> str:
            return os.path.join(self.folder, SOCKET)

        def tell(self, about: About) -> None:
            """Let others find it. Raises OSError."""
            import json

            path = os.path.join(self.folder, ABOUT)
            new = f"{path}.new"
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w") as file:
                json.dump(about.__dict__, file)
            os.replace(new, path)

        def release(self) -> None:
            """Take everything away. A second call does nothing."""
            lock, self._lock = self._lock, -1
            if lock < 0:
                return
            for name in (SOCKET, ABOUT, f"{ABOUT}.new", LOCK):  # the lock last: it is still held
                _unlink(os.path.join(self.folder, name))
            for folder in (self.folder, os.path.dirname(self.folder)):
                try:
                    os.rmdir(folder)
                except OSError:
                    break  # others live there
            os.close(lock)

    def claim(runtime: str, file: str, project: str) -> Claim:
        """Say that this process runs `project` of `file`, in the name of its whole life.

        What a supervisor that was killed left is taken over: its lock went with it. Raises
        AlreadyRunningError, naming a live one; OSError where the folder cannot be used.
        """
        folder = os.path.join(runtime, key_of(file, project))
        while True:
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                pass  # stale, or alive: the lock tells
            path = os.path.join(folder, LOCK)
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:
                continue  # who ran it has just taken its folder away
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = _pid_in(lock)
                os.close(lock)
                raise AlreadyRunningError(project, pid) from None
            except OSError:
                os.close(lock)
                raise
            if _is_still(lock, path):
                break
            os.close(lock)  # locked, but taken away meanwhile: nobody else would find it
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        for name in (SOCKET, ABOUT):  # of one that was killed
            _unlink(os.path.join(folder, name))
        return Claim(folder, lock)

    def _pid_in(lock: int) -> int | None:
        try:
            return int(os.pread(lock, 32, 0))
        except (OSError, ValueError):
            return None  # it is being written in this moment

    def _is_still(lock: int, path: str) -> bool:
        try:
            return os.path.samestat(os.fstat(lock), os.stat(path, follow_symlinks=False))
        except OSError:
            return False

    def _unlink(path: str) -> None:
        try:
            os.unlink(path)
        except OSError:
            return  # it was not there; or it stays, and is taken for stale by the next

    def is_alive(folder: str) -> bool:
        """Does a supervisor hold the lock of this folder?"""
        try:
            lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            # shared: two that look at the same time do not take each other for the supervisor
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(lock)
        return False

    def running(runtime: str) -> list[tuple[str, About]]:
        """(its folder, what it says) of each project that runs, by name."""
        import json

        found: list[tuple[str, About]] = []
        try:
            names = os.listdir(runtime)
        except OSError:
            return []
        for name in names:
            folder = os.path.join(runtime, name)
            try:
                with open(os.path.join(folder, ABOUT)) as file:
                    about = About(**json.load(file))
            except (OSError, ValueError, TypeError):
                continue  # not one of ours, or one that begins or ends in this moment
            if is_alive(folder):
                found.append((folder, about))
        return sorted(found, key=lambda one: (one[1].project, one[1].file))
