"""What reading a file costs before the first task: imports, and loads of 100 to 1,000 tasks.

`load` is all that `up` does with a file: read, parse, decode, judge, look up every task's folder,
program and environment. Beside it stand its parts, and PyYAML's own `load` of the same text to
plain values, which judges nothing and knows no places. Decision: docs/decisions/0002.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml
from _support import Samples, arguments, interleaved, seconds, table

from procession.config.decode import decode
from procession.config.load import load
from procession.config.source import Source
from procession.config.yaml import compose
from procession.lookup import Lookup

ROOT = Path(__file__).parent.parent
BARE = "nothing"
IMPORTS = {
    BARE: "",
    "yaml": "import yaml",
    "procession.lookup": "import procession.lookup",
    "procession.config.load": "import procession.config.load",
}


def main() -> None:
    options = arguments(__doc__ or "", rounds=15).parse_args()
    imports(options.rounds)
    loads(options.rounds)


def imports(rounds: int) -> None:
    """Each in an interpreter of its own, with bytecode at hand as after an installation."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONPATH": str(ROOT / "src")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)

        def interpreter(statement: str) -> Callable[[], float]:
            command = [sys.executable, "-c", statement]
            return lambda: seconds(lambda: subprocess.run(command, check=True, env=environ))

        figures = interleaved({name: interpreter(s) for name, s in IMPORTS.items()}, rounds)
    bare = figures.pop(BARE)
    rows = [(BARE, bare.show(1, 1000))]
    rows += [(name, samples.minus(bare).show(1, 1000)) for name, samples in figures.items()]
    ours = figures["procession.config.load"].minus(figures["yaml"])
    rows.append(("procession.config.load over yaml", ours.show(1, 1000)))
    table("Imports: ms over a bare interpreter (its own time in the first row)", ["", "ms"], rows)


def loads(rounds: int) -> None:
    rows = []
    for count in (100, 400, 1000):
        figures = load_of(count, rounds)
        ratio = figures["load"].over(figures["yaml.load"])
        shown = [figures[name].show(2, 1000) for name in ("load", "events", "decode", "look up")]
        rows.append((count, *shown, figures["yaml.load"].show(2, 1000), ratio.show()))
    head = [
        "tasks",
        "load",
        "events to nodes",
        "+ decode",
        "look up",
        "yaml.load",
        "load / yaml.load",
    ]
    table("Loading a file: ms", head, rows)


def load_of(count: int, rounds: int) -> dict[str, Samples]:
    text = project(count)
    source = Source("p.yaml", text)
    environ = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "p.yaml").write_text(text)
        tasks = decode(source, folder).project.tasks

        def look_up() -> None:
            lookup = Lookup(environ)
            for task in tasks:
                lookup.resolve(task, folder)

        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        cases: dict[str, Callable[[], object]] = {
            "load": lambda: load("p.yaml", cwd=folder, environ=environ),
            "events": lambda: compose(source),
            "decode": lambda: decode(source, folder),
            "look up": look_up,
            "yaml.load": lambda: yaml.load(text, loader),
        }
        return interleaved(
            {name: lambda action=action: seconds(action) for name, action in cases.items()},
            rounds,
            warm_up=2,
        )


def project(count: int) -> str:
    """A file as people write it: seven keys a task, about 190 bytes."""
    tasks = [
        f"""\
  - name: task{i}
    program: sleep
    args: [--port, {8000 + i}, --name, "Server {i}"]
    restart: on-failure
    start-delay: 500ms
    environment:
      PORT: {8000 + i}
      MODE: production
"""
        for i in range(count)
    ]
    return "name: demo\ntasks:\n" + "".join(tasks)


if __name__ == "__main__":
    main()
