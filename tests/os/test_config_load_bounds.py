"""What reading costs: hostile files end in time, and the start path imports next to nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from procession.config.load import load
from procession.config.source import MAX_BYTES, MAX_PROBLEMS
from procession.errors import ConfigError

SECONDS = 2.0  # of processor time, so that other work on the machine does not count

A_TASK = "tasks:\n  a:\n    program: sh\n"


def laughs(lines: list[str]) -> str:
    return "\n".join([*lines, "tasks: {a: {program: sh, args: *z}}"])


def filled(unit: str, head: str = "", tail: str = "") -> str:
    return head + unit * ((MAX_BYTES - len(head) - len(tail)) // len(unit)) + tail


HOSTILE = {
    "too large": "#" * 10_000_000,
    "billion laughs": laughs(
        ["x-0: &a0 [x]"]
        + [f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
        + ["x-z: &z [*a29]"]
    ),
    "a long chain of merges": laughs(
        ["x-0: &a0 {k: x}"]
        + [f"x-{i}: &a{i} {{<<: *a{i - 1}, k{i}: x}}" for i in range(1, 20_000)]
        + ["x-z: &z {<<: *a19999}"]
    ),
    "deep lists": "[" * (MAX_BYTES - 1),
    "deep mappings": filled("{a: "),
    "deep block": filled("- "),
    "deep keys": filled("? "),
    "many values": filled("- a\n", "tasks:\n"),
    "many keys": filled("    restrat: no\n", A_TASK),
    "different keys": A_TASK + "".join(f"    restar{i}: x\n" for i in range(45_000)),
    "many broken tasks": "tasks:\n"
    + "".join(f"- {{nam: a{i}, program: pyhton{i}, restart: yse}}\n" for i in range(20_000)),
    "many missing programs": "tasks:\n"
    + "".join(f"- {{name: a{i}, program: pyhton{i}}}\n" for i in range(20_000)),
    "many good tasks": "tasks:\n" + "".join(f"  a{i}: {{program: sh}}\n" for i in range(30_000)),
    "one long argument string": filled('"a b" ', "tasks: {a: {program: sh, args: '", "'}}\n"),
    "a long string for many": "x-a: &a '" + '"a" ' * 125_000 + "'\ntasks:\n"
    + "".join(f"  t{i}: {{program: sh, args: *a}}\n" for i in range(12_000)),
    "a large task for many": f"x-a: &a {{program: sh, args: [{'a,' * 100_000}]}}\ntasks:\n"
    + "".join(f"  t{i}: *a\n" for i in range(12_000)),
    "a huge number": A_TASK + "    start-delay: " + "9" * 1_000_000 + "\n",
    "a long duration": A_TASK + "    start-delay: " + "1s" * 500_000 + "\n",
    "one line": filled("a", "tasks: "),
    "quotes": filled("'", "'"),
    "escapes": filled("\\u0041", 'tasks: "', '"\n'),
    "anchors": filled("- &b c\n", "tasks:\n"),
    "aliases without anchors": filled("- *b\n", "tasks:\n"),
    "tags": filled("- !x b\n", "tasks:\n"),
    "documents": filled("---\n"),
    "carriage returns": filled("\r"),
    "comments": filled("# x\n"),
}  # fmt: skip


def slowness() -> float:
    """How many times as long as on a quiet machine of 2026 this one takes now, for what is a tenth
    of a second there; at least 1."""
    began = time.process_time()
    words: dict[str, int] = {}
    for number in range(300_000):
        word = f"w{number % 1000}"
        words[word] = words.get(word, 0) + len(word)
    return max(1.0, (time.process_time() - began) / 0.1)


@pytest.mark.timeout(120)  # of a host that does much else
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_file_takes_long(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    slow = slowness()
    began = time.process_time()
    problems: tuple[object, ...] = ()
    try:
        load("p.yaml", cwd=str(tmp_path), environ={"PATH": "/usr/bin:/bin"})
    except ConfigError as error:
        problems = error.problems
        str(error)
    took = time.process_time() - began
    assert took < SECONDS * max(slow, slowness())
    assert len(problems) <= MAX_PROBLEMS + 1


@pytest.mark.quick
def test_loading_imports_yaml_and_nothing_else_that_costs(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(A_TASK + "    args: -a -b\n    start-delay: 1.5\n")
    script = (
        "import sys; import yaml; before = set(sys.modules); cwd = sys.argv[1]\n"
        "from procession.config.load import load\n"
        "load('p.yaml', cwd=cwd, environ={'PATH': '/bin'})\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] == "procession"}
    assert set(loaded) - ours <= {"__future__", "errno", "gc"}
    assert {"procession.config.load", "procession.lookup", "procession.spec"} <= ours
