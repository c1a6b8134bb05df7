"""The sweep where nothing but the leaders' sessions is known: no subreaper, no /proc.

A descendant that left its run's group is not found. Nothing tells of an end but asking, since the
leaders were never our children. Not run anywhere but on Linux, in tests.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession.process._sweep import KILL_WAIT, ROUND, Swept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from procession.process._sweep import Listens, OpenLog
    from procession.process.link import Known, Posts


class Rescue:
    """Only on Linux can the read end of somebody else's pipe be had."""

    def __init__(self, supervisor: int, open_log: OpenLog | None = None) -> None:
        pass

    def keep(self, runs: Mapping[str, Known]) -> None:
        pass


def sweep(
    posts: Posts,
    cap: float,
    ears: Listens,
    older: Iterable[int],
    rescue: Rescue,
    _: object = None,
) -> Swept:
    """End the groups of the runs that had not ended. Bounded by `cap` seconds and KILL_WAIT.

    What they write meanwhile is lost.
    """
    groups = [known for known in posts.runs.values() if _lives(known)]
    began = time.monotonic()
    for known in groups:
        _kill_group(known, known.signal)
        _kill_group(known, signal.SIGCONT)
    _wait(groups, began + cap, ears)
    for known in groups:
        _kill_group(known, signal.SIGKILL)
    _wait(groups, time.monotonic() + KILL_WAIT, ears)
    left = (f"the group of {known.pid}" for known in groups if _lives(known))
    return Swept(len(groups), tuple(left))


def meet_strangers(known: Iterable[int], lives: Callable[[], bool]) -> list[int]:
    """Orphans go to the first process of the system, never to us."""
    return []


def _wait(groups: list[Known], until: float, ears: Listens) -> None:
    poll = select.poll()
    poll.register(ears.fd, select.POLLIN)
    while any(_lives(known) for known in groups) and (left := until - time.monotonic()) > 0:
        poll.poll(1000 * min(ROUND, left))
        ears.read()


def _lives(known: Known) -> bool:
    """Is somebody in the group? The first process reaps its orphans, so no zombie answers."""
    if known.pid is None:
        return False
    try:
        os.killpg(known.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _kill_group(known: Known, number: int) -> None:
    if known.pid is not None:
        try:
            os.killpg(known.pid, number)
        except (ProcessLookupError, PermissionError):
            return
