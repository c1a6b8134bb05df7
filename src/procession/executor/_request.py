"""What `create_process` was asked for, checked and spelled out in the caller's own thread."""

from __future__ import annotations

import codecs
import errno
import os
import shlex
import sys
from subprocess import DEVNULL, PIPE, STDOUT

from procession.errors import HostError
from procession.executor._streams import Capture, Lines

if sys.platform == "win32":
    from procession.executor._lookup_windows import find_on_windows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO, Any, TypeAlias

    from procession.core.stop import Ladder

    Word: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    Argv: TypeAlias = str | list[Word] | tuple[Word, ...]
    Target: TypeAlias = int | IO[Any] | Capture | Lines | Callable[[str], object] | None

LEFTOVERS = ("wait", "stop", "leave")


class _Unset:
    def __repr__(self) -> str:
        return "<not given>"


UNSET: Any = _Unset()


class Request:
    """One process that is to be. `answer` is posted once, by the thread that serves."""

    __slots__ = (
        "args", "argv", "cwd", "encoding", "env", "errors", "executable", "gid",
        "groups", "idle_timeout", "leftover", "name", "owner", "stderr", "stdin", "stdout", "stop",
        "text", "timeout", "tries", "uid", "umask",
    )  # fmt: skip
    args: Argv
    argv: tuple[str, ...]
    executable: str
    cwd: str | None
    env: Mapping[str, str] | None
    stdin: Target
    stdout: Target
    stderr: Target
    uid: int | None
    gid: int | None
    groups: tuple[int, ...] | None
    umask: int
    timeout: float | None
    idle_timeout: float | None
    stop: Ladder
    leftover: str
    name: str
    text: bool
    encoding: str | None
    errors: str | None
    owner: Any
    tries: int

    def __init__(self) -> None:
        self.tries = 0


def words_of(command: Argv) -> tuple[str, ...]:
    """A list as it is, a string by the rules of POSIX shells, which is never given to one. On
    Windows a backslash is itself: it parts the names of a path.

    Raises ValueError for an empty command or an unclosed quote, TypeError for anything else.
    """
    if isinstance(command, str):
        words = tuple(_split(command))
    elif isinstance(command, list | tuple):
        words = tuple(word if type(word) is str else os.fsdecode(word) for word in command)
    else:
        raise TypeError(f"a command is a list of words or one string, not {type(command).__name__}")
    if not words:
        raise ValueError("the command is empty: there is no program to start")
    return words


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
    if discard is True and explicit:
        raise ValueError(
            "discard_output=True and an explicit stdout or stderr contradict each other; "
            "leave discard_output out"
        )
    default = PIPE if discard is False else DEVNULL
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


def check_text(encoding: str | None) -> None:
    """Raises LookupError for an encoding that Python does not know."""
    if encoding is not None:
        codecs.lookup(encoding)


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
    known = _found.get((name, env.get("PATH")))
    if known is not None and os.access(known, os.X_OK):
        return known
    here = cwd if cwd is not None and os.path.isabs(cwd) else os.path.join(os.getcwd(), cwd or "")
    if "/" in name:
        return os.path.join(here, name)
    refused = False
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(here, folder, name)
        if not os.path.isfile(path):
            refused = refused or os.path.exists(path)
            continue
        if os.access(path, os.X_OK):
            if os.path.isabs(folder):
                if len(_found) > _FOUND_MOST:
                    _found.clear()
                _found[name, env.get("PATH")] = path
            return path
        refused = True
    code = errno.EACCES if refused else errno.ENOENT
    raise OSError(code, os.strerror(code), name)


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
        if value is not None and not value >= 0:
            raise ValueError(f"{name} is {value!r}; expected seconds, 0 or more")


def check_idle(idle_timeout: float | None, stdout: Target, stderr: Target) -> None:
    """What the caller reads is not seen by the executor."""
    if idle_timeout is None or is_drained(stdout) or is_drained(stderr):
        return
    raise ValueError("idle_timeout needs a stream the executor reads: a Capture, Lines or function")


def is_drained(target: Target) -> bool:
    if isinstance(target, Capture | Lines):
        return True
    return callable(target) and not hasattr(target, "fileno")


def take_lines(request: Request) -> None:
    """Raises ValueError for `Lines` that another stream fills already."""
    for target in (request.stdout, request.stderr):
        if isinstance(target, Lines):
            if target.taken:
                raise ValueError("these Lines belong to another stream already: make new ones")
            target.taken = True
