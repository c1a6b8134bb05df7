"""What `import procession.shutdown` costs a hosted program, beyond the standard library it uses.

Each figure is an interpreter of its own, with the bytecode cached, as after an installation; with
and without take turns. The bar: at most 10 ms. The
second row is for information: the first call installs, and only then are `signal`, `threading`
and `queue` imported. Exits with 1 if the bar is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _support import Samples, arguments, interleaved, seconds, table

BAR = 0.010  # s
OWN = "import __future__, _thread"
CASES = {
    "its own standard library": OWN,
    "procession.shutdown": f"{OWN}; import procession.shutdown",
    "what the first call imports": f"{OWN}; import atexit, queue, signal, threading",
    "install()": "import procession.shutdown as s; s.install()",
}


def measure(env: dict[str, str], rounds: int) -> dict[str, Samples]:
    def interpreter(statement: str) -> float:
        command = [sys.executable, "-c", statement]
        return seconds(lambda: subprocess.run(command, check=True, env=env))

    return interleaved(
        {name: lambda s=statement: interpreter(s) for name, statement in CASES.items()},
        rounds,
    )


def main() -> int:
    options = arguments(__doc__ or "", rounds=25).parse_args()
    source = Path(__file__).resolve().parent.parent / "src"
    env = dict(os.environ, PYTHONPATH=str(source), PYTHONDONTWRITEBYTECODE="")
    with tempfile.TemporaryDirectory() as cache:
        figures = measure({**env, "PYTHONPYCACHEPREFIX": cache}, options.rounds)
    bare, imported, base, installed = (figures[name] for name in CASES)
    cost = imported.minus(bare)
    table(
        "procession.shutdown: ms beyond the standard library's own",
        ["", "ms", "bar"],
        [
            ("import procession.shutdown", cost.show(2, 1000), f"{BAR * 1000:.0f}"),
            ("import and install()", installed.minus(base).show(2, 1000), ""),
        ],
    )
    return 0 if cost.median <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
