"""Where a running project is found: a folder for each, with its socket, its lock and a few facts.

    <runtime>/<key>/control.sock   connections, mode 0600
    <runtime>/<key>/lock           held (flock(2)) by the supervisor as long as it lives; in it
                                   are its pid, the project and the file
    <runtime>/<key>/about.json     which project it is, for who looks for one

The runtime folder is the first of `$PROCESSION_RUNTIME_DIR`, `$XDG_RUNTIME_DIR/procession`,
`/run/user/UID/procession` and `$TMPDIR/procession-UID` (or in /tmp) that can be had; it has to be a
folder (no link) of this user, with mode 0700: what is in it is trusted. The key
is made of the file's real path and the project's name, and short: a socket's path ends at 107 bytes
(unix(7)). A supervisor whose lock was deleted is known by its socket: somebody listens there.
"""

from __future__ import annotations

import os
import stat
import sys

from procession._record import Record
from procession.errors import AlreadyRunningError, HostError

SOCKET, LOCK, ABOUT = "control.sock", "lock", "about.json"
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OF_FILE = "its file is "  # in the event log: for who looks for its logs when it has ended
_OVERRIDE = "PROCESSION_RUNTIME_DIR"


class About(Record):
    """What a running project says of itself. Paths are absolute; `since` is seconds since 1970."""

    project: str
    file: str
    pid: int
    since: float
    logs: str | None = None
    left_out: tuple[str, ...] = ()  # tasks and replicas that it was started without
    read: tuple[tuple[str, int], ...] = ()  # its files, and when each was changed last (ns)


class NoFolderError(HostError):
    """There is no runtime folder yet."""


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

    def held_by(folder: str) -> int | None:
        """Nobody."""
        return None

else:
    import fcntl

    def runtime_folder(environ: dict[str, str] | os._Environ[str], *, make: bool) -> str:
        """The first of the places that can be used; `make`: made where it is not there.

        Raises HostError, with what was tried and why not, where there is none: a NoFolderError if
        nothing is there that could be one, and nobody of ours has ever run.
        """
        uid = os.geteuid()
        if override := environ.get(_OVERRIDE):
            places = [override]
        else:
            places = [f"/run/user/{uid}/procession", _in_tmp(environ, uid)]
            if runtime := environ.get("XDG_RUNTIME_DIR"):
                places.insert(0, os.path.join(runtime, "procession"))
        refused: list[str] = []
        kind: type[HostError] = NoFolderError
        for place in places:
            try:
                why = _use(place, uid, make)
            except OSError as e:
                why = (e.strerror or str(e)).lower()
            else:
                if why is None:
                    return place
                kind = HostError
            refused.append(f"{place} ({why})")
        raise kind(
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
            path = os.path.join(self.folder, LOCK)
            if os.path.lexists(path) and not _is_still(lock, path):
                os.close(lock)  # all of it was deleted, and what is there now is another's
                return
            for name in (SOCKET, ABOUT, f"{ABOUT}.new", LOCK):  # the lock last: it is still held
                _unlink(os.path.join(self.folder, name))
            try:
                os.rmdir(self.folder)
            except OSError:
                pass  # something of somebody else's is in it
            # The runtime folder stays, empty: another may be about to begin in it, and it may be
            # one that the user made.
            os.close(lock)

    def claim(runtime: str, file: str, project: str) -> Claim:
        """Say that this process runs `project` of `file`, in the name of its whole life.

        What a supervisor that was killed left is taken over: its lock went with it, and nobody
        listens at its socket. Raises AlreadyRunningError, naming a live one; OSError where the
        folder cannot be used.
        """
        folder = os.path.join(runtime, key_of(file, project))
        while True:
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                pass  # stale, or alive: the lock tells
            except FileNotFoundError:
                os.mkdir(runtime, 0o700)  # somebody tidied up since it was looked at
                continue
            path = os.path.join(folder, LOCK)
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:
                continue  # who ran it has just taken its folder away
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                said = _said_in(lock)
                os.close(lock)
                raise AlreadyRunningError(project, None if said is None else said.pid) from None
            except OSError:
                os.close(lock)
                raise
            if _is_still(lock, path):
                break
            os.close(lock)  # locked, but taken away meanwhile: nobody else would find it
        listens, pid = _listener(folder)
        if listens:  # its lock was deleted: ours means nothing
            _unlink(path)
            os.close(lock)
            raise AlreadyRunningError(project, pid)
        os.truncate(lock, 0)
        claimed = f"{os.getpid()}\0{project}\0{file}"
        os.pwrite(lock, claimed.encode("utf-8", "surrogateescape"), 0)
        for name in (SOCKET, ABOUT):  # of one that was killed
            _unlink(os.path.join(folder, name))
        return Claim(folder, lock)

    def _said_in(lock: int) -> About | None:
        """Who holds it, for which project; None: that is being written in this moment."""
        try:
            data = os.pread(lock, 1 << 16, 0).decode("utf-8", "surrogateescape")
            pid, project, file = data.split("\0")
            return About(project, file, int(pid), os.fstat(lock).st_mtime)
        except (OSError, ValueError):
            return None

    def _listener(folder: str) -> tuple[bool, int | None]:
        """(does anybody listen at its socket, its pid if that can be known)."""
        path = os.path.join(folder, SOCKET)
        if not os.path.lexists(path):
            return False, None
        from procession.control.peers import listener

        return listener(path)

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
        """Does a supervisor hold the lock of this folder, or listen at its socket?"""
        return _locked_by(folder)[0] or _listener(folder)[0]

    def held_by(folder: str) -> int | None:
        """The pid of the supervisor that holds its lock, as far as that is said."""
        said = _locked_by(folder)[1]
        return None if said is None else said.pid

    def _locked_by(folder: str) -> tuple[bool, About | None]:
        """(is its lock held, who says to hold it)."""
        try:
            lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False, None
        try:
            # shared: two that look at the same time do not take each other for the supervisor
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True, _said_in(lock)
        except OSError:
            return False, None
        finally:
            os.close(lock)
        return False, None

    def running(runtime: str) -> list[tuple[str, About]]:
        """(its folder, what it says) of each project that runs and can be asked, by name."""
        return _sorted(
            (folder, about)
            for folder in _folders(runtime)
            if (about := _about(folder)) is not None and is_alive(folder)
        )

    def claimed(runtime: str) -> list[tuple[str, About]]:
        """The same of each that somebody runs, but that cannot be asked: it begins, or ends."""
        return _sorted(
            (folder, said)
            for folder in _folders(runtime)
            if (said := _locked_by(folder)[1]) is not None and _about(folder) is None
        )

    def _folders(runtime: str) -> list[str]:
        try:
            return [os.path.join(runtime, name) for name in os.listdir(runtime)]
        except OSError:
            return []

    def _about(folder: str) -> About | None:
        import json

        try:
            with open(os.path.join(folder, ABOUT)) as file:
                told = json.load(file)
            told["left_out"] = tuple(told.get("left_out", ()))
            told["read"] = tuple((path, at) for path, at in told.get("read", ()))
            about = About(**told)
        except (OSError, ValueError, TypeError, AttributeError):
            return None  # not one of ours, or one that begins or ends in this moment
        return about if _is_sound(about) else None

    def _is_sound(about: About) -> bool:
        """Is everything in it of its type?"""
        words = (about.project, about.file, *about.left_out, *(path for path, _ in about.read))
        return (
            all(isinstance(word, str) for word in words)
            and all(type(at) is int for _, at in about.read)
            and (about.logs is None or isinstance(about.logs, str))
            and type(about.pid) is int
            and 0 < about.pid < 1 << 31
            and type(about.since) in (int, float)
            and 0 <= about.since < 1 << 40
        )

    def _sorted(found: Iterable[tuple[str, About]]) -> list[tuple[str, About]]:
        return sorted(found, key=lambda one: (one[1].project, one[1].file))
