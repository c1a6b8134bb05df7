"""How fast one flooding task is read: 200 MB of 100-byte lines, against `cat` on the same pipe.

The writer waits behind a gate; the time runs from its opening to the moment the last byte was
written (`cat` has exited, the run is drained, the terminal has it all). `output.py` measures the
same through the whole of `procession up`; this is the part that `procession.logs` plays.
The bars: to the log alone at least 0.5 times `cat`, with the prefixed lines into a pipe besides
at least 0.1 times. Status 1 if one is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from _support import arguments, interleaved, table

from procession.logs.capture import Capture
from procession.logs.console import Console

BARS = {"Capture": 0.5, "Capture, prefixed to a cat": 0.1}
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


def once(way: Callable[[Flood, int], float], size: int, step: int) -> float:
    """The seconds of one way into a new file, whose bytes are compared afterwards."""
    with tempfile.NamedTemporaryFile() as file:
        log = os.open(file.name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        flood = Flood(size, step)
        took = way(flood, log)
        flood.wait()
        os.close(log)
        if not identical(file.name, size):
            raise SystemExit(f"{way.__name__}: the file is not what was written")
    return took


def main() -> int:
    parser = arguments(__doc__.splitlines()[0], rounds=5)
    parser.add_argument("--size", type=float, default=200.0, metavar="MB")
    parser.add_argument("--write", type=int, default=65536, metavar="BYTES", help="of one write")
    args = parser.parse_args()
    ways = {"cat >file": by_cat, "Capture": by_capture, "Capture, prefixed to a cat": by_prefixing}
    if hasattr(os, "splice"):
        ways["splice, no O_APPEND"] = by_splice
    size = int(args.size * 1e6)
    took = interleaved(
        {name: lambda way=way: once(way, size, args.write) for name, way in ways.items()},
        args.rounds,
    )
    missed = False
    rows = []
    for name, samples in took.items():
        ratio = took["cat >file"].over(samples)
        bar = BARS.get(name)
        missed |= bar is not None and ratio.median < bar
        verdict = "" if bar is None else f"{bar}: {'met' if ratio.median >= bar else 'MISSED'}"
        rows.append((name, samples.per_second(args.size).show(0), ratio.show(), verdict))
    table(
        f"{args.size:.0f} MB of 100-byte lines in writes of {args.write} bytes, byte-identical",
        ("way", "MB/s", "x cat", "bar"),
        rows,
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
