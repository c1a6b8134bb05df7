"""The guardian: the small process above the supervisor that outlives its crash.

`guard(main)` forks. The child gets a session of its own and becomes the supervisor: so no signal
of the terminal reaches it, and `kill -9` of the guardian's group does not take both. The parent
stays: it receives all signals and passes them on through `Link`, learns of each run before it
starts, and when the supervisor dies of anything but its own orderly end, sweeps every descendant.
"""

from __future__ import annotations

import sys

from procession.process.link import GuardianGone, Heard, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.process.link import Logs

__all__ = ["GuardianGone", "Heard", "Link", "guard"]

if sys.platform == "win32":

    def guard(
        main: Callable[[Link], int],
        *,
        crash_grace: float = 1.0,
        session: bool = True,
        forwards: tuple[str, ...] = (),
        failed: int = 1,
        logs: Logs | None = None,
    ) -> int:
        """There is no fork; a job object ends the tasks with their supervisor."""
        from procession.errors import HostError

        raise HostError("this host", "has no guardian", "a POSIX host")

else:
    from procession.process._guardian_posix import guard
