"""The short way: one command, from its start to its end."""

from __future__ import annotations

from procession.executor._streams import Capture
from procession.executor._values import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from procession.executor._handle import ExecHandle
    from procession.executor._request import Argv
    from procession.executor._values import Result


class Commands:
    """A part of the `Executor`. Options are those of `create_process`."""

    create_process: Callable[..., ExecHandle]

    def run_command(self, command: Argv, **options: Any) -> int:
        """Run it to its end, its tree's included; its `returncode`. If the waiting is broken off
        (Ctrl-C), its tree is stopped."""
        return self._to_end(command, options).returncode

    def run_command_or_fail(self, command: Argv, **options: Any) -> Result:
        """The same; raises CommandFailed unless it ended with 0. What it wrote to stderr is in the
        message, unless that was to go elsewhere."""
        if "stderr" not in options and "discard_output" not in options:
            options["stderr"] = Capture()
        return _successful(self._to_end(command, options))

    async def run_command_async(self, command: Argv, **options: Any) -> int:
        """`run_command` for coroutines. Cancelling it stops the tree, and does not wait for it."""
        return (await self._to_end_async(command, options)).returncode

    async def run_command_or_fail_async(self, command: Argv, **options: Any) -> Result:
        """`run_command_or_fail` for coroutines."""
        if "stderr" not in options and "discard_output" not in options:
            options["stderr"] = Capture()
        return _successful(await self._to_end_async(command, options))

    def _to_end(self, command: Argv, options: dict[str, Any]) -> Result:
        handle = self.create_process(command, **options)
        try:
            return handle.result()
        except BaseException:
            handle._begin_stop(handle._request.stop, None)
            raise

    async def _to_end_async(self, command: Argv, options: dict[str, Any]) -> Result:
        handle = self.create_process(command, **options)
        try:
            return await handle
        except BaseException:
            handle._begin_stop(handle._request.stop, None)
            raise


def _successful(result: Result) -> Result:
    if result.exit_code != 0 or result.survivors:
        raise CommandFailed(result)
    return result
