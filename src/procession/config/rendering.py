"""Templates, from the reader's side: a job for the process that renders, answers as problems.

Loaded only for a file that is a template. The process (`config.template` says why there is one)
costs 0.1 s, most of it the import of Jinja2, which the supervisor's memory is spared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from procession.config.concealing import censored
from procession.config.scalars import NULL, TEXT, plain_kind
from procession.config.source import Mark, Problem, Source
from procession.config.yaml import Mapping, Scalar, mark_of
from procession.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from procession.config.yaml import Node

DEADLINE = 15.0  # seconds for the whole process; its own limits are nearer, but a FIFO is patient
RENDERED = " (rendered)"  # after a file's name: the text that its template gave

# -I and -S: it reads nothing of the user's and needs nothing of `site`, it gets our own path.
_PROGRAM = """\
import json, sys
job = json.load(sys.stdin)
sys.path[:] = job["modules"]
from procession.config.template import serve
serve(job)
"""
_COMMAND = ("-I", "-S", "-c", _PROGRAM)


class _Values:
    """What a template can use."""

    def __init__(self, path: str, environ: dict[str, str], variables: dict[str, str]) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self.known = {
            "configpath": path,
            "configdir": self.folder,
            "env": environ,
            "platform": sys.platform,
            "vars": variables,
        }


def render_file(
    source: Source, path: str, environ: dict[str, str], variables: dict[str, str]
) -> Source | Problem:
    """What the template `source` gives, as a source of its own; or the template's mistake.

    `path` is the file's, absolute; `variables` are those of `--var`. Raises HostError if no
    template can be rendered here.
    """
    values = _Values(path, environ, variables)
    (answer,) = _ask([source.text], values)
    if "text" in answer:
        text = answer["text"]
        if "\0" in text:
            what = "the rendered text has a NUL character"
            return source.problem(Mark(1, 1), what, "text")
        return Source(source.name + RENDERED, text)
    return _problem(answer, source.name, values)


def render_scalars(
    source: Source, root: Node, path: str, environ: dict[str, str], variables: dict[str, str]
) -> list[Problem]:
    """Render every scalar below `root` that has a tag, in its place; what could not be rendered.

    A value that was rendered is read as if it stood there without quotes (`"{{ vars.delay }}"`
    can be a number), except that nothing at all stays an empty text. Else as `render_file`.
    """
    values = _Values(path, environ, variables)
    found = list(_scalars(root))
    texts = list(dict.fromkeys(node.value for node, _ in found))
    answers = dict(zip(texts, _ask(texts, values) if texts else [], strict=True))
    problems = []
    for node, key in found:
        answer = answers[node.value]
        if "text" not in answer:
            problems.append(_problem(answer, source.name, values, source, mark_of(node), key))
            continue
        node.value = answer["text"]
        typed = node.value and plain_kind(node.value) not in (NULL, TEXT)
        node.implicit = (True, False) if typed else (False, True)
    return problems


def _scalars(root: Node) -> Iterator[tuple[Scalar, str]]:
    """Scalars with a tag, each once, whatever aliases lead to it; and the path to it."""
    seen: set[int] = set()
    waiting: list[tuple[Node, str]] = [(root, "")]
    while waiting:
        node, path = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Scalar):
            if "{{" in node.value or "{%" in node.value or "{#" in node.value:
                yield node, path
            continue
        below: list[tuple[Node, str]] = []
        if isinstance(node, Mapping):
            pairs = node.items + node.merged
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                name = key.value if isinstance(key, Scalar) else "?"
                below += (key, path), (value, f"{path}.{name}" if path else name)
        else:
            below += ((item, f"{path}[{i}]") for i, item in enumerate(node.items))
        waiting += reversed(below)


def _problem(
    answer: dict[str, Any],
    name: str,
    values: _Values,
    source: Source | None = None,
    mark: Mark | None = None,
    path: str = "",
) -> Problem:
    """The problem that an answer tells: in an included file, at a scalar, or in the template."""
    what, expected, suggestion = answer["words"]
    if not answer["file"] and source is not None and mark is not None:
        return source.problem(mark, what, expected, suggestion, path)
    file = name
    if answer["file"]:
        inside = os.path.relpath(answer["file"], values.folder)
        file = os.path.join(os.path.dirname(name), inside)
    line, column = answer["line"], answer["column"]
    hidden = tuple((start, end) for start, end in answer["hidden"])
    problem = Problem(
        file, line, column, path, what, expected, suggestion, answer["source"], hidden
    )
    return censored(problem)


def _ask(texts: list[str], values: _Values) -> list[dict[str, Any]]:
    """Let a process render `texts`: an answer for each, see `template.work`."""
    job = {"modules": sys.path, "path": values.path, "values": values.known, "texts": texts}
    try:
        ended = subprocess.run(
            [sys.executable, *_COMMAND],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [_unanswered(f"rendering takes more than {DEADLINE:g} s")] * len(texts)
    except (OSError, ValueError) as e:
        raise HostError("templates", f"{sys.executable or 'Python'} cannot be started: {e}") from e
    if ended.returncode == 0:
        answers: list[dict[str, Any]] = json.loads(ended.stdout)
        return answers
    if ended.returncode < 0:  # its hard limit of processor time, or the kernel's of memory
        return [_unanswered("rendering takes too much time or memory")] * len(texts)
    last = ended.stderr.decode(errors="backslashreplace").strip().rpartition("\n")[2]
    raise HostError("templates", f"cannot be rendered: {last}", "Jinja2, installed with us")


def _unanswered(what: str) -> dict[str, Any]:
    words = what, "a template that soon ends", ""
    return {"file": "", "line": 1, "column": 1, "source": "", "hidden": [], "words": words}
