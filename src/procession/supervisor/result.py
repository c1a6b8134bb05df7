"""The result file of `procession run`: what became of the command, as one JSON object."""

from __future__ import annotations

import json
import os
import stat
import sys

if sys.platform == "win32":
    from procession.process._signals_windows import signal_name
else:
    from procession.process.handle import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procession.core.single import End
    from procession.supervisor.single_course import SingleCourse


Result = dict[str, object]


def result_of(single: SingleCourse, end: End, argv: Sequence[str]) -> Result:
    """Of a command that was started. Times in seconds, memory in bytes."""
    ended = single.course.exit
    return {
        "command": list(argv),
        "status": end.status,
        "reason": end.reason,
        "exit_code": None if ended is None else ended.code,
        "signal": None if ended is None or ended.signal is None else signal_name(ended.signal),
        "core_dumped": ended is not None and ended.core_dumped,
        "pid": single.pid,
        "duration": round(single.lasted, 6),
        "usage": _usage(single),
        "survivors": list(single.course.survivors),
        "stop": _stop(single),
        "error": None,
    }


def not_started(argv: Sequence[str], status: int, error: str) -> Result:
    """The same keys, for a command that never was."""
    empty = dict.fromkeys(("exit_code", "signal", "pid", "usage", "stop"))
    return {
        "command": list(argv),
        "status": status,
        "reason": "not started",
        "core_dumped": False,
        "duration": 0.0,
        "survivors": [],
        "error": error,
        **empty,
    }


def prepare(path: str) -> None:
    """Take away what an earlier run wrote: no result must be taken for one of this run.

    Raises OSError when there is no place for a new one.
    """
    if _is_plain(path):
        folder = os.path.dirname(path) or os.curdir
        if not os.access(folder, os.W_OK | os.X_OK):
            os.stat(folder)
            raise PermissionError(13, "the folder may not be written to", folder)
        try:
            os.unlink(path)
        except FileNotFoundError:
            return


def write(path: str, result: Result) -> None:
    """Whole or not at all: a reader never sees half of it. Pipes and devices are written to as
    they are. Raises OSError."""
    text = json.dumps(result, indent=2, ensure_ascii=True) + "\n"
    data = text.encode()
    if not _is_plain(path):
        _write(os.open(path, os.O_WRONLY), data)
        return
    new = f"{path}.{os.urandom(4).hex()}.new"
    try:
        _write(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), data)
        os.replace(new, path)
    except BaseException:
        if os.path.exists(new):
            os.unlink(new)
        raise


def _is_plain(path: str) -> bool:
    """A file, or none yet."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True


def _write(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def _stop(single: SingleCourse) -> Result | None:
    """None where nothing had to be told to end."""
    if not single.steps:
        return None
    return {
        "why": single.asked_by,
        "steps": [
            {"at": round(at, 6), "what": what, "reached": reached, "refused": list(refused)}
            for at, what, reached, refused in single.steps
        ],
    }


if sys.platform != "win32":

    def _usage(single: SingleCourse) -> Result:
        """Of all that this process reaped: the leader, whoever came to us from its tree, and those
        that they waited for themselves."""
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, getrusage(2) of each
        return {
            "user": round(used.ru_utime, 6),
            "system": round(used.ru_stime, 6),
            "max_rss": used.ru_maxrss * unit,
            "major_faults": used.ru_majflt,
            "minor_faults": used.ru_minflt,
            "voluntary_switches": used.ru_nvcsw,
            "involuntary_switches": used.ru_nivcsw,
        }

else:

    def _usage(single: SingleCourse) -> Result | None:
        """Of the leader; what Windows does not count is not told."""
        used = single.usage
        if used is None:
            return None
        return {
            "user": round(used.user, 6),
            "system": round(used.system, 6),
            "max_rss": used.max_rss,
            "major_faults": None,
            "minor_faults": None,
            "voluntary_switches": None,
            "involuntary_switches": None,
        }
