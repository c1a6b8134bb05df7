"""The loop of a project that runs in a thread of somebody's application, on Windows.

Nothing of the process is touched: no job of its own, no handler, no console. Each tree is a job
that ends with the last handle to it, and so with this process.
"""

from __future__ import annotations

import os
import sys
import time

assert sys.platform == "win32", "for Windows only"

from procession.core.stop import KILL_WAIT
from procession.supervisor.engine_windows import WindowsCourse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from procession.lookup import Launch
    from procession.spec import Project
    from procession.supervisor.output import Output

ASK_AGAIN = 0.01  # seconds, about what was killed


class Guest(WindowsCourse):
    """Runs one project from its first spawn to the end of its last tree, in any thread."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
    ) -> None:
        super().__init__(
            project,
            launches,
            make_output=make_output,
            environ=environ,
            owner=os.urandom(8).hex(),
        )

    def run(self) -> int:
        """As on POSIX."""
        try:
            self._keep()
            status = self._close(self._performer.survivors)
            self._output.close()
        except BaseException:
            self._abort()
            self._output.abandon()
            raise
        finally:
            self._trees.close()
        return status

    def abandon(self) -> None:
        """It never ran: give back what it has."""
        self._output.abandon()
        self._trees.close()

    def _abort(self) -> None:
        lost = list(self._performer.live.values())
        until = time.monotonic() + KILL_WAIT
        while lost and time.monotonic() < until:
            for live in lost:
                live.tree.kill()
            time.sleep(ASK_AGAIN)
            for live in [live for live in lost if live.tree.is_empty()]:
                lost.remove(live)
                self._performer.bury(live)
        self._beside.close()
        if self._steering is not None:
            self._steering.end()
