"""Start processes from any thread of an application, and lose none.

    from procession.executor import executor

    executor.start()                                  # or, in the main thread: executor.run()
    handle = executor.create_process(["sleep", "60"])
    handle.kill()                                     # SIGTERM, 3 s, SIGKILL: the whole tree
    executor.stop()

`executor` is the instance to use; `Executor` should not be instantiated, except in tests and for
groups of processes that are to be stopped apart from the rest.
"""

from __future__ import annotations

from subprocess import DEVNULL, PIPE, STDOUT, TimeoutExpired

from procession.core.stop import Ladder, Step
from procession.executor._driver import WrongMomentError, WrongThreadError
from procession.executor._events import Events
from procession.executor._executor import Executor
from procession.executor._handle import ExecHandle
from procession.executor._streams import Capture, Lines
from procession.executor._values import (
    CommandFailed,
    Event,
    ExecutorStopped,
    NotServedError,
    Output,
    Result,
)

__all__ = [
    "DEVNULL", "PIPE", "STDOUT", "Capture", "CommandFailed", "Event", "Events", "ExecHandle",
    "Executor", "ExecutorStopped", "Ladder", "Lines", "NotServedError", "Output", "Result", "Step",
    "TimeoutExpired", "WrongMomentError", "WrongThreadError", "executor", "run_command",
    "run_command_async", "run_command_or_fail", "run_command_or_fail_async",
]  # fmt: skip

executor = Executor()

run_command = executor.run_command
run_command_or_fail = executor.run_command_or_fail
run_command_async = executor.run_command_async
run_command_or_fail_async = executor.run_command_or_fail_async
