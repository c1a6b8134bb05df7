"""How fast one flooding task is read: 200 MB of 100-byte lines, against `cat` on the same pipe.

    python bench/capture.py [--rounds N] [--size MB] [--write BYTES]

Each round runs every way once, in shuffled order, into a new file; a ratio is the median of the
rounds' own ratios to `cat`, its quartiles beside. The writer waits behind a gate; the time runs
from its opening to the moment the last byte was written (`cat` has exited, the run is drained).
The bars: quiet at least 0.5 x cat, prefixed into a pipe at least 0.1 x. Status 1 if one is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from procession.logs.capture import Capture
from procession.logs.console import Console

BARS = {"quiet": 0.5, "prefixed": 0.1}
NAMES = ("web", "database")

WRITER = """
import os, sys
size, step = int(sys.argv[1]), int(sys.argv[2])
lines = b"".join(b"%099d\\n" % n for n in range(16384))  # a whole number of lines and of steps
blocks = [lines[i:i + step] for i in range(0, len(lines), step)]
os.read(0, 1)
done = 0
while done < size:
    for block in blocks:
        done += os.write(1, block)
        if done >= size:
            break
"""


class Flood:
    """A writer that waits for `go`, and the read end of its pipe."""

    def __init__(self, size: int, step: int) -> None:
        self.fd, write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", WRITER, str(size), str(step)],
            stdin=subprocess.PIPE,
            stdout=write,
        )
        os.close(write)

    def go(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(b"!")
        self._process.stdin.close()
        return time.perf_counter()

    def wait(self) -> None:
        if self._process.wait() != 0:
            raise SystemExit("the writer failed")


def by_cat(flood: Flood, log: int) -> float:
    with subprocess.Popen(["cat"], stdin=flood.fd, stdout=log):
        os.close(flood.fd)
        began = flood.go()
    return time.perf_counter() - began


def by_splice(flood: Flood, log: int) -> float:
    """Not what we do: it needs a file without O_APPEND."""
    os.set_blocking(log, True)
    with os.fdopen(os.open(f"/proc/self/fd/{log}", os.O_WRONLY), "wb", buffering=0) as plain:
        began = flood.go()
        while os.splice(flood.fd, plain.fileno(), 1 << 20):
            pass
    took = time.perf_counter() - began
    os.close(flood.fd)
    return took


def _captured(flood: Flood, log: int, console: Console | None) -> float:
    drained = threading.Event()
    troubles: list[str] = []
    capture = Capture(lambda _: drained.set(), on_trouble=troubles.append)
    stream = console.stream("web", "stdout") if console else None
    capture.add("run", flood.fd, log=log, console=stream)
    capture.start()
    began = flood.go()
    flood.wait()  # as the supervisor does: drained once the tree is gone
    capture.drain("run")
    drained.wait()
    lost = console.close(60.0) if console else None
    took = time.perf_counter() - began
    capture.close(5.0)
    if troubles or (lost and lost.size):
        raise SystemExit(f"{troubles} {lost}")
    return took


def by_capture(flood: Flood, log: int) -> float:
    return _captured(flood, log, None)


def by_prefixing(flood: Flood, log: int) -> float:
    """The terminal is a pipe that `cat` empties to nowhere."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        assert cat.stdin is not None
        out = cat.stdin.fileno()
        console = Console(out, out, names=NAMES, color=False, timestamps=False)
        return _captured(flood, log, console)


WAYS: dict[str, Callable[[Flood, int], float]] = {
    "cat": by_cat,
    "quiet": by_capture,
    "prefixed": by_prefixing,
}


def identical(path: str, size: int) -> bool:
    """The file holds the writer's lines, from the first to the last."""
    lines = b"".join(b"%099d\n" % n for n in range(16384))
    done = 0
    with open(path, "rb") as file:
        while block := file.read(len(lines)):
            if block != lines[: len(block)]:
                return False
            done += len(block)
    return done >= size


def once(way: Callable[[Flood, int], float], size: int, step: int, check: bool) -> float:
    with tempfile.NamedTemporaryFile() as file:
        log = os.open(file.name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        flood = Flood(size, step)
        took = way(flood, log)
        flood.wait()
        os.close(log)
        if check and not identical(file.name, size):
            raise SystemExit(f"{way.__name__}: the file is not what was written")
    return took


def quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=float, default=200.0, metavar="MB")
    parser.add_argument("--write", type=int, default=65536, metavar="BYTES", help="of one write")
    args = parser.parse_args()
    ways = dict(WAYS)
    if hasattr(os, "splice"):
        ways["splice"] = by_splice
    size = int(args.size * 1e6)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.rounds + 1):  # the first is for warming up, and for checking
        for name in random.sample(list(ways), len(ways)):
            seconds = once(ways[name], size, args.write, check=turn == 0)
            if turn:
                took[name].append(seconds)
    print(f"{args.size:.0f} MB in writes of {args.write}, {args.rounds} rounds, byte-identical")
    missed = False
    for name, values in took.items():
        low, middle, high = quartiles([args.size / v for v in values])
        ratios = [cat / v for cat, v in zip(took["cat"], values, strict=True)]
        ratio_low, ratio, ratio_high = quartiles(ratios)
        bar = BARS.get(name)
        verdict = "" if bar is None else f"  bar {bar}: {'met' if ratio >= bar else 'MISSED'}"
        missed |= bar is not None and ratio < bar
        print(
            f"{name:9} {middle:6.0f} MB/s ({low:.0f}-{high:.0f})"
            f"  {ratio:5.2f} x cat ({ratio_low:.2f}-{ratio_high:.2f}){verdict}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
