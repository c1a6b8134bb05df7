"""What every bench script shares: interleaved rounds, medians with their quartiles, tables.

A figure of one run says little on a machine that has other work. So the cases of a comparison
take turns, in a new order each round; what is compared are the pairs of one round, and each
figure is printed as its median with the quartiles beside it.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

# What is installed is compiled once. Where a shell forbids bytecode, each run would compile all of
# our modules and none of the baseline's.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


_WHILE = 60.0  # seconds


class Samples:
    """The figures of one case, one for each round, in the order of the rounds."""

    def __init__(self, values: Sequence[float]) -> None:
        if not values:
            raise ValueError("no figures: at least one round is needed")
        self.values = tuple(values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.values) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    def over(self, other: Samples) -> Samples:
        """The ratio of each round: what the rounds had in common cancels out."""
        return Samples([a / b for a, b in zip(self.values, other.values, strict=True)])

    def minus(self, other: Samples) -> Samples:
        """The difference of each round."""
        return Samples([a - b for a, b in zip(self.values, other.values, strict=True)])

    def per_second(self, count: float = 1) -> Samples:
        """Rates, where the figures are the seconds that `count` things took."""
        return Samples([count / value for value in self.values])

    def show(self, digits: int = 2, scale: float = 1) -> str:
        """`median (lower quartile to upper quartile)`, times `scale`."""
        low, high = self.quartiles
        return (
            f"{self.median * scale:.{digits}f} ({low * scale:.{digits}f}-{high * scale:.{digits}f})"
        )


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes on the wall."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def interleaved(
    cases: Mapping[str, Callable[[], float]], rounds: int, warm_up: int = 1
) -> dict[str, Samples]:
    """Run every case once a round, in an order shuffled anew; each returns its figure.

    The first `warm_up` rounds are run and forgotten. Progress goes to standard error: each case
    where that is a terminal, else a line for what has taken another while (`_WHILE`).
    """
    told = began = time.monotonic()
    figures: dict[str, list[float]] = {name: [] for name in cases}
    order = list(cases)
    for number in range(-warm_up, rounds):
        random.shuffle(order)
        now = time.monotonic()
        if now - told > _WHILE and not sys.stderr.isatty():
            told = now
            print(f"round {number + 1} of {rounds}, after {now - began:.0f} s", file=sys.stderr)
        for name in order:
            _progress(f"round {max(0, number + 1)} of {rounds}: {name}")
            figure = cases[name]()
            if number >= 0:
                figures[name].append(figure)
    _progress("")
    return {name: Samples(values) for name, values in figures.items()}


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, aligned, under its title, with the machine it was measured on."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(f"\n{title}\n{machine()}\n\n" + "\n".join(lines), flush=True)


def machine() -> str:
    """Where the figures come from: they mean nothing without it."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, "
        f"{os.cpu_count()} cores, load {load}"
    )


def arguments(description: str, rounds: int) -> argparse.ArgumentParser:
    """The options every script has. `rounds` is a modest number, for `make bench`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--rounds",
        type=int,
        default=rounds,
        metavar="N",
        help=f"how often each case is run (default: {rounds}); more rounds, narrower spread",
    )
    return parser
