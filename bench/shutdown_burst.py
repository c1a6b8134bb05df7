"""A burst of 60 mixed SIGTERM and SIGINT, from the return of the installing call to process end.

    python bench/shutdown_burst.py [--runs N]

For each interpreter this is run with: idle and busy programs, N runs of each (default 100), the
signals as fast as they go or spread over the whole of the program's end, its finalization
included. Bar: no hang, exactly one callback each, exit status 0, nothing on stderr. Then the time
to the callback while the main thread is in a C call of 5 s that releases the GIL and that no signal
interrupts: at most 0.2 s.
Exits with 1 if the bar is missed.
"""

import argparse
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def bursts(mode: str, runs: int) -> int:
    """Failed runs. Prints a line of the table."""
    dice = random.Random(mode)
    failures = []
    for i in range(runs):
        wrong = burst(mode, (0, 0.005, 0.03, 0.1)[i % 4], dice)
        if wrong:
            failures.append(wrong)
    hangs = failures.count("hang")
    print(f"{mode:6} {runs:5} {hangs:6} {len(failures) - hangs:6}   {'; '.join(failures[:3])}")
    return len(failures)


def c_call(runs: int) -> float:
    """The longest time from the signal to the callback, in seconds."""
    worst = 0.0
    for _ in range(runs):
        process = start("shutdown_c_call.py")  # in read() until its stdin is closed
        assert process.stdout is not None
        sent = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        ready, _, _ = select.select([process.stdout], [], [], 5.0)
        worst = max(worst, time.monotonic() - sent)
        out, _ = process.communicate(timeout=LIMIT)
        if not ready or out != b"callback\nreturned\n":
            return LIMIT
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description="Burst of 60 signals against procession.shutdown")
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    print(f"CPython {sys.version.split()[0]}")
    print("mode    runs  hangs  other   first failures")
    failed = sum(bursts(mode, runs) for mode in ("idle", "busy"))
    worst = c_call(max(1, runs // 20))
    print(f"main thread in a C call of 5 s: callback after at most {worst:.4f} s (bar 0.2 s)")
    return 1 if failed or worst > 0.2 else 0


if __name__ == "__main__":
    sys.exit(main())
