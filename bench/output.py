"""One task writes 200 MB of 100-byte lines through the whole of `procession up`.

Against `cat >file` on the same pipe from the same writer: to the log alone (`--quiet`), and with
the prefixed lines into a pipe besides that a `cat` empties. From the opening of the writer's gate
to the end of the process, logs checked byte by byte by their digest. The bars: 0.5 times and 0.1
times the throughput of `cat`. Then 1,000 quick runs of one task and 1,000 tasks at once: no line
lost, nothing started needlessly. Status 1 if anything is missed. Needs a C compiler.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _support import arguments, interleaved, table
from _up import COMMAND, compiled

BARS = {"procession up --quiet": 0.5, "procession up | cat": 0.1}
QUICK = 1000
COUNTER = "n=0; [ -e n ] && read n <n; n=$((n+1)); echo $n >n; echo run $n; [ $n -eq {runs} ]"


class Flood:
    """A writer of `size` bytes that waits at a gate."""

    def __init__(self, folder: Path, size: int, step: int) -> None:
        self.folder = folder
        self.size = size
        self.gate = folder / "gate"
        os.mkfifo(self.gate)
        self.words = [compiled("flood", folder), str(self.gate), str(size), str(step)]
        self.log = folder / "log"
        lines = b"".join(b"%099d\n" % n for n in range(16384))
        whole, rest = divmod(size, len(lines))
        digest = hashlib.sha256()
        for _ in range(whole):
            digest.update(lines)
        digest.update(lines[:rest])
        self.digest = digest.digest()

    def go(self) -> float:
        """Open the gate; waits until the writer stands there."""
        os.close(os.open(self.gate, os.O_WRONLY))
        return time.perf_counter()

    def check(self, path: Path) -> None:
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").digest() != self.digest:
                raise SystemExit(f"{path}: not what was written")
        path.unlink()


def by_cat(flood: Flood) -> float:
    with (
        open(flood.log, "wb") as log,
        subprocess.Popen(flood.words, stdout=subprocess.PIPE) as writer,
        subprocess.Popen(["cat"], stdin=writer.stdout, stdout=log) as cat,
    ):
        assert writer.stdout is not None
        writer.stdout.close()
        began = flood.go()
        cat.wait()
        took = time.perf_counter() - began
    flood.check(flood.log)
    return took


def by_up(flood: Flood, shown: bool) -> float:
    logs = flood.folder / "logs"
    null = subprocess.DEVNULL
    file = flood.folder / "procession.yaml"
    words = ", ".join(flood.words[1:])
    file.write_text(f"name: flood\ntasks: {{web: {{program: {flood.words[0]}, args: [{words}]}}}}")
    command = [*COMMAND, "-f", str(file), "--log-dir", str(logs), *([] if shown else ["--quiet"])]
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat,
        subprocess.Popen(command, stdin=null, stdout=cat.stdin, stderr=null) as up,
    ):
        assert cat.stdin is not None
        cat.stdin.close()
        began = flood.go()
        if up.wait() != 0:
            raise SystemExit(f"procession ended with {up.returncode}")
        cat.wait()
        took = time.perf_counter() - began
    flood.check((logs / "flood" / "latest").resolve() / "web.log")
    return took


def quick(folder: Path, tasks: str) -> tuple[float, Path]:
    """Run such a project to its end: seconds, and where its logs are."""
    folder.mkdir()
    (folder / "procession.yaml").write_text(f"name: quick\ntasks:\n{tasks}")
    command = [*COMMAND, "--quiet", "--log-dir", "logs"]
    began = time.perf_counter()
    if subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise SystemExit(f"{folder.name}: procession failed")
    return time.perf_counter() - began, folder / "logs" / "quick" / "latest"


def quick_runs(folder: Path) -> float:
    script = COUNTER.format(runs=QUICK)
    keys = "restart: on-failure, restart-backoff: 0"
    took, logs = quick(folder, f"  a: {{program: sh, args: [-c, '{script}'], {keys}}}\n")
    wanted = "".join(f"run {n}\n" for n in range(1, QUICK + 1))
    if (logs / "a.log").read_text() != wanted:
        raise SystemExit(f"{logs}/a.log: lines are missing")
    return took


def quick_tasks(folder: Path) -> float:
    names = [f"t{n:04}" for n in range(QUICK)]
    keys = "restart: on-failure"
    lines = (f"  {n}: {{program: echo, args: word of {n}, {keys}}}\n" for n in names)
    took, logs = quick(folder, "".join(lines))
    wrong = [n for n in names if (logs / f"{n}.log").read_text() != f"word of {n}\n"]
    if wrong:
        raise SystemExit(f"lines are missing: {wrong}")
    begun = (logs / "procession.log").read_text().count("-> running")
    if begun != QUICK:
        raise SystemExit(f"{begun} runs of {QUICK} tasks")
    return took


def main() -> int:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--size", type=float, default=200.0, metavar="MB")
    parser.add_argument("--write", type=int, default=65536, metavar="BYTES", help="of one write")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flood = Flood(folder, int(options.size * 1e6), options.write)
        figures = interleaved(
            {
                "cat >file": lambda: by_cat(flood),
                "procession up --quiet": lambda: by_up(flood, shown=False),
                "procession up | cat": lambda: by_up(flood, shown=True),
            },
            options.rounds,
        )
        cat = figures["cat >file"]
        rows = []
        for what, samples in figures.items():
            ratio = cat.over(samples)
            bar = BARS.get(what)
            verdict = "" if bar is None else f"{bar}: {'met' if ratio.median >= bar else 'MISSED'}"
            missed |= bar is not None and ratio.median < bar
            rows.append((what, samples.per_second(options.size).show(0), ratio.show(), verdict))
        title = f"{options.size:.0f} MB of 100-byte lines in writes of {options.write} bytes"
        table(title, ["", "MB/s", "times cat", "bar"], rows)
        runs, tasks = quick_runs(folder / "runs"), quick_tasks(folder / "tasks")
        table(
            "No line lost, nothing started needlessly",
            ["", "seconds"],
            [
                (f"{QUICK} quick runs of one task", f"{runs:.2f}"),
                (f"{QUICK} quick tasks at once", f"{tasks:.2f}"),
            ],
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
