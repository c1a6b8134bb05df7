"""The folder with the log files of one supervisor: `<base>/<project>/<project>-<date>--<time>/`."""

from __future__ import annotations

import os
import time

from procession.errors import HostError, one_line
from procession.logs.bounds import Bounds, Limits
from procession.logs.earlier import clean, hold, release
from procession.logs.place import Place, make_private
from procession.logs.sink import FLAGS, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Post = Callable[[Sink, bytes], None]

EVENTS = "procession.log"  # no task may be called so
LATEST = "latest"
_MAY_NOT_LINK = 1314  # ERROR_PRIVILEGE_NOT_HELD: for administrators, and in developer mode
_STREAM_ENDINGS = (".stdout", ".stderr")


class LogFolder:
    """A new folder for each supervisor, private to the user, and the files in it.

    `event` from any thread, the rest from the one that made it.
    """

    def __init__(
        self, path: str, note: str | None = None, *, project: str = "", bounds: Bounds | None = None
    ) -> None:
        """For an existing folder. HostError when the event log cannot be opened."""
        self.path = path
        self._project = project
        self._bounds = bounds
        self._lock: int | None = None
        self.note = note  # what did not work and costs no log: for the user to hear once
        self._sinks: dict[tuple[str, str], Sink] = {}
        self._place = Place(path, self._hold_anew)
        self._events = self._new_sink(EVENTS)
        self._post: Post | None = None
        trouble = self._events.open(time.monotonic())
        if trouble is not None:
            raise HostError("log folder", f"{path}: {trouble}", "a place to write", _ELSEWHERE)
        self._lock = hold(path)  # last: where descriptors are short the log itself matters more

    @staticmethod
    def create(
        base: str | None,
        project: str,
        now: float,
        *,
        limits: Limits | None = None,
        files: int = 1,
    ) -> LogFolder:
        """Make the folder of a supervisor that starts `now` (seconds since the epoch).

        `limits` bounds what the `files` that are written at a time, and the project's earlier
        runs, may take; None: nothing does. `base` None is the user's log folder of the platform.
        Two supervisors in one second get two folders: mkdir is exclusive. HostError says what could
        not be made, and where.
        """
        if base is None:
            base = default_base()
        if project in (".", "..") or os.path.basename(project) != project or not project:
            raise HostError("log folder", f"{project!r} cannot be the name of a folder")
        parent = os.path.join(os.path.abspath(base), project)
        stamp = time.strftime("%Y-%m-%d--%H-%M-%S", time.localtime(now))
        try:
            make_private(parent)
            path = _make_new(os.path.join(parent, f"{project}-{stamp}"))
        except OSError as e:
            happened = f"{one_line(e.filename or parent)} cannot be made: {e.strerror}"
            raise HostError("log folder", happened, "a place to write", _ELSEWHERE) from e
        note = _point_latest(parent, os.path.basename(path))
        bounds = None if limits is None else Bounds(limits, files)
        return LogFolder(path, note, project=project, bounds=bounds)

    def clean(self) -> None:
        """Remove what earlier runs of the project kept beyond the limits. For the thread that
        writes the logs; blocks as long as the disk does."""
        if self._bounds is not None:
            clean(self.path, self._project, self._bounds)

    @staticmethod
    def file_of(replica: str, stream: str) -> str:
        """The name of the file of a stream ("stdout" or "stderr").

        `<replica>.log` and `<replica>.stderr.log`; a replica whose own name ends in `.stdout` or
        `.stderr` has its stdout in `<replica>.stdout.log`, so that no two streams share a file.
        """
        if stream == "stderr" or replica.lower().endswith(_STREAM_ENDINGS):
            return f"{replica}.{stream}.log"
        return f"{replica}.log"

    def sink(self, replica: str, stream: str) -> Sink:
        """The file of a stream, for `Capture.add`: opened when that is reached, in its thread."""
        key = replica, stream
        if key not in self._sinks:
            name = self.file_of(replica, stream)
            self._sinks[key] = self._new_sink(name)
        return self._sinks[key]

    def _new_sink(self, name: str) -> Sink:
        path = os.path.join(self.path, name)
        return Sink(name, path=path, bounds=self._bounds, place=self._place)

    def open_stream(self, replica: str, stream: str) -> int:
        """The file of a stream, open for appending (mode 0600, not inherited); yours to close."""
        try:
            return open_stream(self.path, replica, stream)
        except OSError as e:
            raise HostError("log file", f"{e.filename} cannot be opened: {e.strerror}") from e

    def event(self, line: str) -> None:
        """Append a line, with date and time, to `procession.log`. Never raises."""
        self.events(((time.time(), line),))

    def events(self, lines: Iterable[tuple[float, str]]) -> None:
        """Append lines, each with its own time (seconds since the epoch), by one write.

        Never raises; after `write_through` it does not block on the disk either.
        """
        data = b"".join(_worded(at, line) for at, line in lines)
        if self._post is not None:
            self._post(self._events, data)
        else:
            self.note = self._events.write(data, time.monotonic()) or self.note

    def write_through(self, post: Post | None) -> None:
        """Let `post` (`Capture.post`) write the events, in its thread: a disk may be slow."""
        self._post = post

    def close(self) -> str | None:
        """Close all files; a sentence if something was lost. After the capture was closed."""
        told = [sink.close() for sink in (*self._sinks.values(), self._events)]
        self._sinks.clear()
        if self._bounds is not None:
            told.append(self._bounds.settle())
        self._unlock()
        return "; ".join(t for t in told if t) or None

    def _hold_anew(self) -> None:
        """Somebody removed the folder, and what writes there has made it anew."""
        self._unlock()
        self._lock = hold(self.path)

    def _unlock(self) -> None:
        if self._lock is not None:
            release(self._lock)
            self._lock = None


def default_base() -> str:
    """The user's log place, by the rules of the platform."""
    # imported here: it costs 16 ms
    from platformdirs import user_log_dir

    return user_log_dir("procession", appauthor=False)


def open_stream(folder: str, replica: str, stream: str) -> int:
    """As the method, for one who has the folder's path alone. Raises OSError."""
    return os.open(os.path.join(folder, LogFolder.file_of(replica, stream)), FLAGS, 0o600)


def event_line(folder: str, text: str) -> None:
    """A line for the event log, from one who has the folder's path alone. Never raises."""
    events = Sink(EVENTS, path=os.path.join(folder, EVENTS))
    events.write(_worded(time.time(), text), time.monotonic())
    events.close()


def _worded(at: float, line: str) -> bytes:
    """With its date and time; what takes several lines is indented from the second on."""
    text = f"{_stamp(at)} {line}\n".replace("\n", "\n    ")[:-4]
    return text.encode("utf-8", "backslashreplace")


def _stamp(at: float) -> str:
    """`2026-11-22T09:30:00.123+01:00`"""
    local = time.localtime(at)
    zone = time.strftime("%z", local)
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{int(at % 1 * 1000):03d}{zone[:3]}:{zone[3:]}"
    )


_ELSEWHERE = "Name another place with --log-dir"


def _make_new(path: str) -> str:
    """Make a folder of that name, or with the next number after those that are there: names tell
    the order of the runs, and an older run of this second may have been cleaned away already."""
    parent, name = os.path.split(path)
    number = 1 + max(_number_of(entry, name) for entry in ["", *os.listdir(parent)])
    while True:
        candidate = path if number == 1 else f"{path}-{number}"
        try:
            os.mkdir(candidate, 0o700)
        except FileExistsError:
            number += 1
        else:
            return candidate


def _number_of(entry: str, name: str) -> int:
    """1 for the name itself, 2 for `<name>-2` and so on; 0 for all others."""
    if entry == name:
        return 1
    rest = entry.removeprefix(f"{name}-")
    return int(rest) if rest != entry and rest.isascii() and rest.isdecimal() else 0


def _point_latest(parent: str, name: str) -> str | None:
    """Let `latest` lead to the folder, at no moment to nothing. A sentence where it cannot."""
    link = os.path.join(parent, LATEST)
    new = f"{link}.{name}"  # the name is ours alone: its folder was made exclusively
    try:
        os.symlink(name, new)
        try:
            os.replace(new, link)
        except OSError:
            os.unlink(new)
            raise
    except OSError as e:  # a file system without links, or something else is called so
        if getattr(e, "winerror", None) == _MAY_NOT_LINK:
            return None  # most users of Windows: they would be told so at every start
        return f"{link} does not lead to the newest logs: {e.strerror}"
    return None
