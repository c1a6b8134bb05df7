"""Configuration files for tests: broken ones with what has to be told of them, and good ones.

Of a broken file every problem is listed, in order: line, column, path, and parts of its words.
"""

from __future__ import annotations

from typing import NamedTuple


class Told(NamedTuple):
    """A problem as a test wants it. Every one of `parts` must be in its line."""

    line: int
    column: int
    path: str
    parts: tuple[str, ...]


class Broken(NamedTuple):
    """A file with mistakes, and all that must be told of it."""

    name: str
    text: str
    problems: tuple[Told, ...]


def told(line: int, column: int, path: str, *parts: str) -> Told:
    return Told(line, column, path, parts)


def broken(name: str, text: str, *problems: Told) -> Broken:
    return Broken(name, text, problems)


def tasks_file(count: int) -> str:
    """A good file of `count` tasks, each with the keys people use, none with an env-file."""
    lines = ["name: demo", "tasks:"]
    for i in range(count):
        lines += [
            f"  - name: task{i}",
            "    program: sleep",
            f'    args: [--port, {8000 + i}, --name, "Server {i}"]',
            "    restart: on-failure",
            "    start-delay: 500ms",
            "    environment:",
            f"      PORT: {8000 + i}",
            "      MODE: production",
        ]
    return "\n".join(lines) + "\n"


def one_task(*keys: str) -> str:
    """A file with the task `web`, its keys from line 4 on, each line indented by 4 blanks."""
    return "\n".join(["tasks:", "  web:", "    program: sleep", *(f"    {k}" for k in keys)]) + "\n"
