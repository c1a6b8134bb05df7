"""What `create_process` was asked for, checked and spelled out in the caller's own thread."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
from subprocess import DEVNULL, PIPE, STDOUT

from procession.core.timeouts import seconds
from procession.errors import HostError
from procession.executor._stopping import DEFAULT_LADDER
from procession.executor._streams import Capture, Lines, at_least, check_text
from procession.executor._values import named

if sys.platform == "win32":
    from procession.executor._lookup_windows import find_on_windows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO, Any, TypeAlias

    from procession.core.stop import Ladder

    if sys.platform == "win32":
        from procession.executor._launch_windows import Environment
    else:
        from procession.executor._launch_posix import Environment

    Word: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    Argv: TypeAlias = str | list[Word] | tuple[Word, ...]
    Target: TypeAlias = int | IO[Any] | Capture | Lines | Callable[[str], object] | None

_SOON = 0.1  # seconds; a loop that looks for newborn processes does so within a fifth of it
LEFTOVERS = ("wait", "stop", "leave")


class _Unset:
    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


UNSET: Any = _Unset("<not given>")
DISCARD: Any = _Unset("True")  # what `help` shows; as True, but contradicting no explicit stdout


class Request:
    """One process that is to be."""

    # What is seldom asked for has its first value here: each that is set costs a start.
    args: Argv
    argv: tuple[str, ...]
    executable: str
    environment: Environment
    owner: Any
    cwd: str | None = None
    is_silent = False  # all three streams are null
    stdin: Target = DEVNULL
    stdout: Target = DEVNULL
    stderr: Target = DEVNULL
    limit: int | None = None
    text = False
    encoding: str | None = None
    errors: str | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    umask: int = -1
    timeout: float | None = None
    idle_timeout: float | None = None
    is_hasty = False  # the loop must know of it at once
    is_heard = False  # all that becomes of it is to be told
    stop: Ladder = DEFAULT_LADDER
    leftover: str = "wait"
    called: str | None = None  # by the caller
    tries = 0  # that failed since something was short

    @property
    def name(self) -> str:
        """For messages."""
        return named(self.argv) if self.called is None else self.called


def words_of(command: Argv) -> tuple[str, ...]:
    """A list as it is, a string by the rules of POSIX shells, which is never given to one. On
    Windows a backslash is itself: it parts the names of a path.

    Raises ValueError for an empty command or an unclosed quote, TypeError for anything else.
    """
    if isinstance(command, _LISTS):
        words: tuple[Any, ...] = tuple(command)
        if not _STR.issuperset(map(type, words)):
            words = tuple(map(os.fsdecode, words))
    elif isinstance(command, str):
        words = tuple(_split(command))
    else:
        raise TypeError(f"a command is a list of words or one string, not {type(command).__name__}")
    if not words:
        raise ValueError("the command is empty: there is no program to start")
    return words


_LISTS = (list, tuple)
_STR = {str}


def _split(command: str) -> list[str]:
    words = shlex.shlex(command, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = ""
    if sys.platform == "win32":
        words.escape = ""
    return list(words)


def targets(discard: object, stdout: Any, stderr: Any) -> tuple[Target, Target]:
    """Where output goes: what was said explicitly, else what `discard_output` says."""
    explicit = not isinstance(stdout, _Unset) or not isinstance(stderr, _Unset)
    unsaid = isinstance(discard, _Unset)
    if not unsaid and discard and explicit:
        raise ValueError(
            "discard_output=True and an explicit stdout or stderr contradict each other; "
            "leave discard_output out"
        )
    default = DEVNULL if unsaid or discard else PIPE
    return (
        default if isinstance(stdout, _Unset) else stdout,
        default if isinstance(stderr, _Unset) else stderr,
    )


def check_targets(stdin: Any, stdout: Any, stderr: Any) -> None:
    """Raises what `subprocess.Popen` would for a target that is none."""
    if stdin is STDOUT or stdout is STDOUT:
        raise ValueError("STDOUT can only be used for stderr")
    for name, target in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
        if target is None or isinstance(target, int) or hasattr(target, "fileno"):
            continue
        if name != "stdin" and (isinstance(target, Capture | Lines) or callable(target)):
            continue
        raise TypeError(f"{name}: {target!r} is no place for a stream")


def find_program(name: str, env: Mapping[str, str], cwd: str | None) -> str:
    """The absolute path of what `exec` would find: by PATH unless the name has a slash.

    Raises FileNotFoundError or PermissionError with the name as it was given, as Popen does.
    """
    if "\0" in name:
        raise ValueError("embedded null byte")
    if sys.platform == "win32":
        return find_on_windows(name, env, cwd)
    if name.startswith("/"):
        return name  # exec tells what is wrong with it
    searched = env.get("PATH")
    known = _found.get((name, searched))
    if known is not None and os.access(known, os.X_OK):
        return known
    if "/" in name:
        path = _placed(name, cwd)
        if path is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), cwd or name)
        return path  # exec tells what is wrong with it
    code = 0
    for folder in os.get_exec_path(env) if searched is None else searched.split(os.pathsep):
        path = _placed(os.path.join(folder, name), cwd)
        if path is None:
            continue
        why = _why_not(path)
        if not why:
            if os.path.isabs(folder) and searched is not None:
                if len(_found) > _FOUND_MOST:
                    _found.clear()
                _found[name, searched] = path
            return path
        if not code and why not in (errno.ENOENT, errno.ENOTDIR):
            code = why
    code = code or errno.ENOENT
    raise OSError(code, os.strerror(code), name)


def _placed(path: str, cwd: str | None) -> str | None:
    """A relative one is meant from where the process is to run; None: that is gone."""
    if os.path.isabs(path):
        return path
    if cwd is not None and os.path.isabs(cwd):
        return os.path.join(cwd, path)
    try:
        return os.path.join(os.getcwd(), cwd or "", path)
    except FileNotFoundError:
        return None


def _why_not(path: str) -> int:
    """The error with which exec would refuse it; 0: it would not."""
    try:
        mode = os.stat(path).st_mode
    except OSError as e:
        return e.errno or errno.ENOENT
    return 0 if stat.S_ISREG(mode) and os.access(path, os.X_OK) else errno.EACCES


_found: dict[tuple[str, str | None], str] = {}
_FOUND_MOST = 256


def check_host_gives(**wanted: object) -> None:
    """Raises HostError where this host has no such thing for a process."""
    if sys.platform == "win32":
        for name, value in wanted.items():
            if value is not None and (name, value) != ("umask", -1):
                raise HostError(
                    f"create_process({name}=...)",
                    "Windows gives a process the user and the rights of its starter",
                    "a POSIX host",
                    "Leave it out, or have a service or task of that user start the program",
                )


def check_seconds(**values: float | None) -> None:
    """Raises ValueError for a time that is none."""
    for name, value in values.items():
        if value is not None:
            seconds(name, value)


def direct(
    request: Request,
    discard: object,
    stdin: Target,
    stdout: Any,
    stderr: Any,
    limit: int | None,
) -> None:
    """Where its streams go. Raises what `subprocess.Popen` would for a target that is none."""
    out, err = targets(discard, stdout, stderr)
    request.is_silent = stdin is out is err is DEVNULL
    check_targets(stdin, out, err)
    check_limit(limit, out, err)
    request.stdin, request.stdout, request.stderr, request.limit = stdin, out, err, limit
    request.is_hasty = is_drained(out) or is_drained(err)


def write_text(request: Request, text: bool, encoding: str | None, errors: str | None) -> None:
    """The caller's pipes carry text, if one of them says so."""
    check_text(encoding, errors)
    request.text = text or encoding is not None or errors is not None
    request.encoding, request.errors = encoding, errors


def bound(request: Request, timeout: float | None, idle_timeout: float | None) -> None:
    """How long it may live, and be silent. Raises ValueError where nobody would hear it speak:
    what the caller reads is not seen by the executor."""
    if idle_timeout is not None and not (is_drained(request.stdout) or is_drained(request.stderr)):
        raise ValueError(
            "idle_timeout needs a stream the executor reads: a Capture, Lines or function"
        )
    request.timeout, request.idle_timeout = timeout, idle_timeout
    if (timeout is not None and timeout < _SOON) or idle_timeout is not None:
        request.is_hasty = True


def check_limit(limit: int | None, stdout: Target, stderr: Target) -> None:
    """Raises ValueError where it would say nothing."""
    if limit is None:
        return
    at_least(2, "bytes", limit)
    for target in (stdout, stderr):
        if target == PIPE or (isinstance(target, Capture) and target.limit is None):
            return
    raise ValueError(
        "limit is for output that is kept in memory: of a Capture without a limit of its own, or "
        "of a pipe that `communicate` reads; neither stdout nor stderr is one"
    )


def is_drained(target: Target) -> bool:
    if isinstance(target, Capture | Lines):
        return True
    return callable(target) and not hasattr(target, "fileno")


def take_lines(request: Request) -> None:
    """Raises ValueError for `Lines` that another stream fills already."""
    stdout, stderr = request.stdout, request.stderr
    for lines in (stdout, stderr):
        if isinstance(lines, Lines) and (lines.taken or stdout is stderr):
            raise ValueError("these Lines belong to another stream already: make new ones")
    for lines in (stdout, stderr):
        if isinstance(lines, Lines):
            lines.taken = True


def give_lines_back(request: Request) -> None:
    """Nothing was started, so nothing fills them."""
    for target in (request.stdout, request.stderr):
        if isinstance(target, Lines):
            target.taken = False
