"""A burst of 60 mixed SIGTERM and SIGINT, from the return of the installing call to process end.

    python bench/shutdown_burst.py [--runs N]

For each interpreter this is run with: idle and busy programs, N runs of each (default 100), the
signals as fast as they go or spread over the whole of the program's end, its finalization
included. Bar: no hang, exactly one callback each, exit status 0, nothing on stderr. Then the time
to the callback while the main thread is in a C call of 5 s that releases the GIL and that no signal
interrupts: at most 0.2 s.
Exits with 1 if the bar is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from _support import Samples, table

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "programs"
LIMIT = 10.0  # s: a run that takes longer hangs


def start(program: str, *args: str) -> subprocess.Popen[bytes]:
    env = dict(os.environ, PYTHONPATH=str(ROOT / "src"))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(PROGRAMS / program), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != b"ready\n":
        process.kill()
        raise SystemExit(f"{program} did not start: {line!r} {process.communicate()[1]!r}")
    return process


def burst(mode: str, spread: float, dice: random.Random) -> str:
    """One run. Empty if all is well, else what was wrong."""
    process = start("shutdown_burst.py", mode)
    for _ in range(60):
        # Not reaped before communicate(): the pid is the program's, alive or not.
        os.kill(process.pid, dice.choice((signal.SIGTERM, signal.SIGINT)))
        if spread:
            time.sleep(dice.uniform(0, 2 * spread / 60))
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hang"
    wrong = []
    if process.returncode != 0:
        wrong.append(f"status {process.returncode}")
    if out.count(b"callback\n") != 1:
        wrong.append(f"{out.count(b'callback')} callbacks")
    if err:
        wrong.append(f"stderr {err[-200:]!r}")
    return ", ".join(wrong)


def bursts(mode: str, runs: int) -> list[str]:
    """What was wrong in the runs that failed."""
    dice = random.Random(mode)
    wrong = [burst(mode, (0, 0.005, 0.03, 0.1)[i % 4], dice) for i in range(runs)]
    return [failure for failure in wrong if failure]


def c_call() -> float:
    """The time from the signal to the callback, in seconds; LIMIT if it did not come."""
    process = start("shutdown_c_call.py")  # in read() until its stdin is closed
    assert process.stdout is not None
    sent = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    ready, _, _ = select.select([process.stdout], [], [], 5.0)
    late = time.monotonic() - sent
    out, _ = process.communicate(timeout=LIMIT)
    return late if ready and out == b"callback\nreturned\n" else LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description="Burst of 60 signals against procession.shutdown")
    parser.add_argument("--runs", type=int, default=100, metavar="N", help="of each (default: 100)")
    runs = parser.parse_args().runs
    rows, failed = [], 0
    for mode in ("idle", "busy"):
        wrong = bursts(mode, runs)
        hangs = wrong.count("hang")
        failed += len(wrong)
        rows.append((mode, runs, hangs, len(wrong) - hangs, "; ".join(wrong[:3])))
    table(
        "60 mixed SIGTERM and SIGINT: bar 0 failures",
        ["main thread", "runs", "hangs", "other failures", "the first of them"],
        rows,
    )
    late = Samples([c_call() for _ in range(max(3, runs // 10))])
    table(
        "Main thread in a C call of up to 5 s: bar 200 ms",
        ["signal to callback, ms", "worst", "runs"],
        [(late.show(2, 1000), f"{max(late.values) * 1000:.2f}", len(late.values))],
    )
    return 1 if failed or max(late.values) > 0.2 else 0


if __name__ == "__main__":
    sys.exit(main())
