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
from procession.config.part import Late, put
from procession.config.source import Mark, Problem, Source
from procession.config.yaml import Mapping, Scalar, mark_of
from procession.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from procession.config.yaml import Node

    _Asked = tuple[int, dict[str, int]]  # which text, and what it knows besides

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


class Templates:
    """Renders what the file at `path` (absolute) says; `variables` are those of `--var`.

    Every method raises HostError if no template can be rendered here.
    """

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

    def file(self, source: Source) -> Source | Problem:
        """What the template `source` gives, as a source of its own; or the template's mistake."""
        (answer,) = self._ask([source.text], [(0, {})])
        if "text" in answer:
            text = answer["text"]
            if "\0" in text:
                what = "the rendered text has a NUL character"
                return source.problem(Mark(1, 1), what, "text")
            return Source(source.name + RENDERED, text)
        return self._problem(answer, source)

    def render(self, source: Source, root: Node) -> tuple[list[Problem], list[Late]]:
        """Render every scalar below `root` that has a tag, in its place; what could not be
        rendered, and what needs the number of a replica, which is left as it is.

        A value that was rendered is read as `config.part.put` says.
        """
        found = list(_scalars(root))
        texts = list(dict.fromkeys(node.value for node, _ in found))
        asked: list[_Asked] = [(i, {}) for i in range(len(texts))]
        answers = dict(zip(texts, self._ask(texts, asked, late=True), strict=True))
        problems, late = [], []
        for node, path in found:
            answer = answers[node.value]
            if "late" in answer:
                late.append(Late(node, path))
            elif "text" in answer:
                put(node, answer["text"])
            else:
                problems.append(self._problem(answer, source, mark_of(node), path))
        return problems, late

    def each(
        self, source: Source, wanted: Iterable[tuple[Late, int, int]]
    ) -> dict[tuple[int, int, int], str | Problem]:
        """What texts come to for replicas: `(late, replica, replicas)`. By the `id` of the node and
        these numbers."""
        cases = {(id(late.node), i, n): late for late, i, n in wanted}
        texts = list(dict.fromkeys(late.text for late in cases.values()))
        index = {text: i for i, text in enumerate(texts)}
        keys = dict.fromkeys((late.text, i, n) for (_, i, n), late in cases.items())
        asked: list[_Asked] = [(index[t], {"replica": i, "replicas": n}) for t, i, n in keys]
        answers = dict(zip(keys, self._ask(texts, asked), strict=True))
        found: dict[tuple[int, int, int], str | Problem] = {}
        for (node, i, n), late in cases.items():
            answer = answers[late.text, i, n]
            found[node, i, n] = (
                answer["text"]
                if "text" in answer
                else self._problem(answer, source, mark_of(late.node), late.path)
            )
        return found

    def _problem(
        self, answer: dict[str, Any], source: Source, mark: Mark | None = None, path: str = ""
    ) -> Problem:
        """The problem that an answer tells: in an included file, at a scalar, in the template."""
        what, expected, suggestion = answer["words"]
        if not answer["file"] and mark is not None:
            return source.problem(mark, what, expected, suggestion, path)
        file = source.name
        if answer["file"]:
            inside = os.path.relpath(answer["file"], self.folder)
            file = os.path.join(os.path.dirname(source.name), inside)
        line, column = answer["line"], answer["column"]
        hidden = tuple((start, end) for start, end in answer["hidden"])
        problem = Problem(
            file, line, column, path, what, expected, suggestion, answer["source"], hidden
        )
        return censored(problem)

    def _ask(
        self, texts: list[str], asked: list[_Asked], *, late: bool = False
    ) -> list[dict[str, Any]]:
        """Let a process render: an answer for each that is asked, see `template.work`."""
        if not asked:
            return []
        return _answers(
            {
                "modules": sys.path,
                "path": self.path,
                "values": self.known,
                "texts": texts,
                "asked": asked,
                "late": late,
            }
        )


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


def _answers(job: dict[str, Any]) -> list[dict[str, Any]]:
    count = len(job["asked"])
    try:
        ended = subprocess.run(
            [sys.executable, *_COMMAND],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [_unanswered(f"rendering takes more than {DEADLINE:g} s")] * count
    except (OSError, ValueError) as e:
        raise HostError("templates", f"{sys.executable or 'Python'} cannot be started: {e}") from e
    if ended.returncode == 0:
        made: list[dict[str, Any]] = json.loads(ended.stdout)
        return made
    if ended.returncode < 0:  # its hard limit of processor time, or the kernel's of memory
        return [_unanswered("rendering takes too much time or memory")] * count
    last = ended.stderr.decode(errors="backslashreplace").strip().rpartition("\n")[2]
    raise HostError("templates", f"cannot be rendered: {last}", "Jinja2, installed with us")


def _unanswered(what: str) -> dict[str, Any]:
    words = what, "a template that soon ends", ""
    return {"file": "", "line": 1, "column": 1, "source": "", "hidden": [], "words": words}
