"""What the executor tells: results, events, and the errors of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from procession._record import Record
from procession.core.status import ExitStatus
from procession.errors import ProcessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.process.handle import Usage

# Why a process is over, see `Result.reason`.
EXITED = "exited"
SIGNALLED = "signalled"
STOPPED = "stopped"
FORCED = "forced"
TIMED_OUT = "timed out"
IDLE = "idle"
UNKNOWN = "status unknown"

# What `returncode` is where somebody else in this process took the status (asyncio's answer too).
STATUS_TAKEN = 255


class ExecutorStopped(ProcessionError):  # noqa: N818 - the name is a promise
    """`stop()` was called: nothing is started any more."""

    def __init__(self) -> None:
        super().__init__(
            "the executor: it was stopped and starts nothing any more. "
            "`run()` or `start()` begins anew"
        )


class NotServedError(ProcessionError, TimeoutError):
    """Nobody launched the request within its `start_timeout`. Nothing was started."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"{name}: not started within {seconds:g} s; expected a thread that serves. "
            "Call `executor.run()` in the main thread, or `executor.start()`"
        )


class Output(Record):
    """What a `Capture` kept of one stream: its first and its last bytes.

    `dropped` bytes between the two were not kept. `incomplete`: somebody who outlived the tree
    still held the pipe, so that more might have come.
    """

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0
    incomplete: bool = False

    def __bytes__(self) -> bytes:
        return self.head + self.tail

    def text(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """All that was kept, as text; what was dropped is named in between."""
        if not self.dropped:
            return bytes(self).decode(encoding, errors)
        head, tail = self.head.decode(encoding, errors), self.tail.decode(encoding, errors)
        return f"{head}\n[{self.dropped} bytes dropped]\n{tail}"


class Result(Record):
    """How it ended: the leader, and the tree it started. The same for success and failure.

    args            as they were given to `create_process`
    pid             of the leader; it may be somebody else's by now
    exit_code       None when a signal ended it, or the status is unknown
    signal          the number of that signal
    reason          `exited` or `signalled` by itself; `stopped` because it was asked to, `forced`
                    when it had to be killed for that; `timed out`, `idle`; `status unknown` when
                    somebody else in this process took the status
    duration        seconds from the start to the end of the leader
    usage           what the leader and the children it waited for consumed; None: not known
    stdout, stderr  what a `Capture` kept; None where there was none
    survivors       who of the tree could not be ended, by name
    stop_trace      (seconds since the start, what was done) for each step of the stop
    """

    args: object
    pid: int
    exit_code: int | None
    signal: int | None
    reason: str
    duration: float
    usage: Usage | None = None
    stdout: Output | None = None
    stderr: Output | None = None
    survivors: tuple[str, ...] = ()
    stop_trace: tuple[tuple[float, str], ...] = ()

    @property
    def ok(self) -> bool:
        """It ended with 0, or was stopped because somebody asked; and nothing survived."""
        if self.survivors:
            return False
        return self.exit_code == 0 or self.reason in (STOPPED, FORCED)

    @property
    def incomplete(self) -> bool:
        """Some of the captured output may be missing at its end."""
        return any(
            output is not None and output.incomplete for output in (self.stdout, self.stderr)
        )

    @property
    def returncode(self) -> int:
        """As `subprocess` has it: the code, or minus the signal; 255 where it is unknown. On
        Windows 137 where it had to be killed."""
        return code_of(ExitStatus(self.exit_code, self.signal))


def code_of(status: ExitStatus) -> int:
    if status.code is not None:
        return status.code
    if status.signal is None:
        return STATUS_TAKEN
    # on Windows what we end a tree with, so that it is what everybody else is told of it as well
    return status.shell_status if sys.platform == "win32" else -status.signal


def named(args: object) -> str:
    """The program's name for messages; its arguments may hold secrets."""
    first = args[0] if isinstance(args, list | tuple) and args else args
    if isinstance(first, bytes | os.PathLike):
        first = os.fsdecode(first)
    if isinstance(first, str):
        return os.path.basename(first.split()[0] if isinstance(args, str) else first) or first
    return "the command"


class CommandFailed(ProcessionError, subprocess.SubprocessError):  # noqa: N818
    """`run_command_or_fail`: the command did not end with 0. `result` has the rest."""

    def __init__(self, result: Result) -> None:
        self.result = result
        how = f"{result.reason}, " if result.reason not in (EXITED, SIGNALLED, UNKNOWN) else ""
        text = f"{named(result.args)}: {how}{ExitStatus(result.exit_code, result.signal)}"
        if result.survivors:
            text += f"; could not be ended: {', '.join(result.survivors)}"
        if result.stderr is not None and bytes(result.stderr).strip():
            text += f"\n{result.stderr.text().rstrip()}"
        super().__init__(text)


class Event(Record):
    """Something happened to a process. What it was started with is never shown.

    `what` is `requested`, `started`, `stop step`, `exited`, `tree empty`, `survivor` or
    `output dropped`; `time` seconds of the monotonic clock; `detail` words.
    """

    what: str
    time: float
    name: str
    pid: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        who = f"{self.name} (pid {self.pid})" if self.pid is not None else self.name
        return f"{who}: {self.what}" + (f", {self.detail}" if self.detail else "")
