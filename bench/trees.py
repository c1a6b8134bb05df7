"""What trees cost: a look at our children when nothing happened, the end of one leader among many,
and the end of all of them by signal and by SIGKILL.

The leaders are sleep(1), each a tree of its own; `to` is the process group.
"""

from __future__ import annotations

import select
import signal
import sys
import time

from _support import Samples, arguments, interleaved, table

from procession.process import _linux
from procession.process._lineage_linux import LinuxTrees
from procession.process._tree_linux import LinuxTree
from procession.process.command import Command
from procession.process.handle import Handle
from procession.process.spawn import spawn

SLEEP = Command(("sleep", "1000"), "/bin/sleep")
LOOKS = 20


class Many:
    """So many trees of one process each."""

    def __init__(self, count: int) -> None:
        self.trees = LinuxTrees()
        self.trees.prepare()
        self.live: list[tuple[Handle, LinuxTree]] = []
        for number in range(count):
            handle = spawn(SLEEP)
            self.live.append((handle, self.trees.plant(number, f"bench.{number}", handle)))

    def look(self) -> float:
        began = time.perf_counter()
        for _ in range(LOOKS):
            self.trees.scan()
        return (time.perf_counter() - began) / LOOKS

    def end(self, kill: bool) -> float:
        """Seconds from the first signal to the reaping of the last, looked at in waves."""
        began = time.perf_counter()
        for _, tree in self.live:
            if kill:
                tree.kill()
            else:
                tree.signal(signal.SIGTERM, to="group")
        poll = select.poll()
        waiting = {}
        for handle, tree in self.live:
            assert handle.pidfd is not None
            poll.register(handle.pidfd, select.POLLIN)
            waiting[handle.pidfd] = handle, tree
        while waiting:
            over = [waiting.pop(fd) for fd, _ in poll.poll()]
            for handle, _ in over:
                assert handle.pidfd is not None
                poll.unregister(handle.pidfd)
            self.trees.scan(tree for _, tree in over)
            for _, tree in over:
                assert tree.is_empty()
                tree.finish()
        took = time.perf_counter() - began
        for handle, _ in self.live:
            handle.close()
        return took


def signalled(count: int) -> float:
    return Many(count).end(kill=False)


def killed(count: int) -> float:
    return Many(count).end(kill=True)


def looked(count: int) -> float:
    many = Many(count)
    try:
        return many.look()
    finally:
        many.end(kill=True)


def main() -> None:
    options = arguments(__doc__ or "", rounds=7).parse_args()
    rows: list[tuple[str, ...]] = []
    for count in (1, 100, 400):
        figures: dict[str, Samples] = interleaved(
            {
                "look": lambda count=count: looked(count),
                "signal": lambda count=count: signalled(count),
                "kill": lambda count=count: killed(count),
            },
            options.rounds,
        )
        rows.append(
            (
                str(count),
                figures["look"].show(3, 1000),
                figures["signal"].show(1, 1000),
                figures["kill"].show(1, 1000),
            )
        )
    table(
        "Trees of one process each, in ms",
        ["trees", "a look, nothing new", "SIGTERM to the reaping of all", "SIGKILL to the same"],
        rows,
    )
    _linux.set_child_subreaper(False)


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/trees.py: Linux only")
    main()
