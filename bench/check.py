"""Checking files: what `procession check` costs on a good one, and whether any text breaks it.

Bars; the status is 1 where one is missed:

- `check` on a good file of 1,000 tasks, interpreter and imports included: at most 1.5 s;
- 20,000 drawn texts (random ones, YAML's own signs, files that are nearly right, broken files with
  places changed): no exception, every problem at a place that the text has, its lines printable,
  each answered within 2 s of processor time;
- every broken file of the tests' corpus, read and told: within 2 s of processor time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from _support import arguments, interleaved, seconds, table
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from procession.config.decode import decode
from procession.config.source import Source
from procession.config.telling import told
from tests.support.configs import tasks_file
from tests.unit.test_config_fuzz import CORPUS, SIGNS, check, mutations, near_misses

TASKS = 1000
BAR = 1.5  # seconds
SLOWEST = 2.0  # seconds of processor time for one text
KINDS: dict[str, st.SearchStrategy[str]] = {
    "any text": st.text(),
    "signs of YAML": st.lists(SIGNS, max_size=60).map("".join),
    "nearly right": near_misses(),
    "places changed": mutations(),
}


def main() -> int:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument(
        "--texts", type=int, default=20_000, metavar="N", help="how many (default: 20000)"
    )
    options = parser.parse_args()
    quick = _good_files(options.rounds)
    sound = _texts(options.texts)
    return 0 if quick and sound else 1


def _good_files(rounds: int) -> bool:
    """Whether the bar is met."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "p.yaml").write_text(tasks_file(TASKS))
        Path(folder, "one.yaml").write_text(tasks_file(1))

        def process(*words: str) -> Callable[[], float]:
            command = [sys.executable, "-m", "procession", "check", *words]
            return lambda: seconds(
                lambda: subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            )

        figures = interleaved(
            {
                "one task": process("one.yaml"),
                f"{TASKS} tasks": process("p.yaml"),
                f"{TASKS} tasks, --json": process("p.yaml", "--json"),
                f"{TASKS} tasks, --show": process("p.yaml", "--show"),
                f"{TASKS} tasks, --show --json": process("p.yaml", "--show", "--json"),
            },
            rounds,
        )
    bar = f"at most {BAR:g}"
    rows = [
        (name, s.show(), bar if name == f"{TASKS} tasks" else "") for name, s in figures.items()
    ]
    table("procession check on a good file, as a process: seconds", ["", "s", "bar"], rows)
    return figures[f"{TASKS} tasks"].median <= BAR


def _texts(count: int) -> bool:
    """Whether every text was answered well, and in time."""
    rows: list[tuple[object, ...]] = []
    good = True
    share = count // len(KINDS)
    for name, strategy in KINDS.items():
        played, slowest, failure = _drawn(strategy, share)
        good = good and not failure and played >= share and slowest <= SLOWEST
        rows.append((name, played, f"{slowest * 1000:.0f}", failure or "none"))
    slowest = max(_answered(text) for text in CORPUS)
    good = good and slowest <= SLOWEST
    rows.append(("the tests' corpus", len(CORPUS), f"{slowest * 1000:.0f}", "none"))
    head = ["texts", "how many", f"slowest, ms (at most {SLOWEST * 1000:.0f})", "failures"]
    table("Texts read and told", head, rows)
    return good


def _drawn(strategy: st.SearchStrategy[str], count: int) -> tuple[int, float, str]:
    """How many texts were tried, the time of the slowest, and what broke the reader, or nothing."""
    times: list[float] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def every(text: str) -> None:
        times.append(_answered(text))

    failure = ""
    try:
        every()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a row of the table
        failure = f"{type(error).__name__}: {error}"
    return len(times), max(times, default=0.0), failure


def _answered(text: str) -> float:
    """Read a text and tell its problems, plainly and in colour; the seconds it took."""
    began = time.process_time()
    problems = decode(Source("f", text), "/srv").report.problems()
    plain = told(problems, color=False)
    told(problems, color=True)
    took = time.process_time() - began
    assert all(line.replace("\t", " ").isprintable() for line in plain.split("\n"))
    assert plain.count("\n") >= len(problems)
    check(text)  # what the tests hold against any text: places, order, words
    return took


if __name__ == "__main__":
    raise SystemExit(main())
