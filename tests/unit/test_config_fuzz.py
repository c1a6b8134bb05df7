"""No text breaks the reader: it ends, in a project or in problems that have a place in the text."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from procession import keys, spec
from procession.config.decode import decode
from procession.config.source import MAX_PROBLEMS, Problem, Source, decode_bytes
from procession.core.graph import waves
from tests.support.configs import tasks_file
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES
from tests.support.configs_supervision import BROKEN_SUPERVISION
from tests.support.configs_yaml import BROKEN_YAML

RICH = """\
include: []
defaults: &d {restart: {policy: always, limit: 5}, environment: {A: 1}}
exit-code-from: web
logs: {max-file: 64M}
tasks:
  web:
    program: sleep
    depends-on: {db: {condition: healthy, restart: true, timeout: 5s}, job: completed}
    ready: {http: {url: "http://x:1/", status: ["200-299", 301], headers: {A: b}}, tcp: "[::1]:8"}
    health: {exec: [a, b], log: "x|y", any: true, then: mark, failures: 3}
    restart: {policy: no, backoff: {first: 1, jitter: 0.5}, rules: {75: restart, 9: give-up}}
    replicas: 3
    port: 8000
    launch-prefix: gdb --args
  db: {program: x, health: {tcp: 1}, stop: [{command: a b, wait: 5s}, {signal: INT, to: tree}]}
  job: {program: x, completes: true, restart: on-failure, autostart: false}
"""
BROKEN = (*BROKEN_YAML, *BROKEN_SHAPE, *BROKEN_VALUES, *BROKEN_SUPERVISION)
CORPUS = [f.text for f in BROKEN] + [tasks_file(2), *[RICH] * 20]


def every_key(fields: tuple[keys.Field, ...]) -> Iterator[str]:
    for field in fields:
        yield field.key
        yield from every_key(field.fields)


KEYS = sorted(set(every_key(keys.PROJECT_FIELDS)))
WORDS = (
    *("no", "yes", "true", "~", "null", "", "always", "1", "-1", "1.10", ".inf", ".nan", "1m30s"),
    *("0x1F", "SIGTERM", "a b", "A=1", "web", "procession", "é", "'a", '"a', '"\\0"', "{{ x }}"),
    *("http://x/", "a:80", "64M", "ready", "t0", "0-3", "{tcp: 80}", "{exec: a b}", "{http: x}"),
    *(
        "{policy: always}",
        "[{signal: INT}]",
        "{nofile: 5}",
        "{t0: ready}",
        "{75: restart}",
        "(",
        "3",
    ),
    *("[a", "{a: b", "*a", "&a", "&a x", "!!int 5", "!x y", "<<", "|", ">", "@", "%", "- a", "? a"),
)
SIGNS = st.sampled_from([*"\n\t :-[]{},&*!|>'\"%@`#?~<=\\0aé\0\r\u2028\ud800", "\n  ", ": "])


def check(text: str) -> None:
    """Read `text`, and hold what comes out against what is promised."""
    decoded = decode(Source("f", text), "/srv")
    problems = decoded.problems()
    lines = text.splitlines() or [""]
    for problem in problems:
        assert 1 <= problem.line <= len(lines) + 1, problem
        line = lines[problem.line - 1] if problem.line <= len(lines) else ""
        assert 1 <= problem.column <= len(line) + 1, problem
        assert str(problem).isprintable()
        assert problem.what
        problem.pointed()
    assert len(problems) <= MAX_PROBLEMS + 1
    assert problems == sorted(problems, key=lambda p: (p.line, p.column))
    if not problems:
        good(decoded.project)
    forgiving = decode(Source("f", text), "/srv", defaults=spec.Defaults(forgiving=True))
    left = forgiving.problems()
    assert len(left) <= len(problems)
    assert all(str(note).isprintable() for note in forgiving.report.notes)
    if not left:
        good(forgiving.project)


def good(project: spec.Project) -> None:
    """What holds for every project that is read without a problem."""
    assert project.tasks
    names = [replica.name.lower() for replica in project.replicas()]
    assert len(set(names)) == len(names)
    edges = {task.name: [need.task for need in task.depends_on] for task in project.tasks}
    assert waves(edges)
    assert project.exit_code_from in {None, *edges}
    assert all(need in edges for needs in edges.values() for need in needs)
    assert min(project.log_file_limit, project.log_total, project.log_runs) > 0
    for task in project.tasks:
        good_task(task)


def good_task(task: spec.Task) -> None:
    assert task.program.strip()
    commands = (task.args, task.launch_prefix, task.stop.command)
    assert all("\0" not in text for words in commands for text in (task.program, *words))
    assert all("=" not in name and name for name, _ in task.environment)
    assert all(os.path.isabs(path) for path in (*task.env_files, task.cwd or "/srv"))
    for time in (task.start_delay, task.stop.timeout, task.stop.extend, task.restart.longest):
        assert 0 <= time < float("inf")
    assert task.ready_timeout > 0
    assert task.restart.policy in spec.POLICIES
    assert task.restart.factor >= 1
    assert 0 <= task.restart.jitter <= 1
    assert task.stop.to in spec.TARGETS
    assert task.leftover in spec.LEFTOVERS
    assert task.success_exit_codes
    assert 1 <= task.replicas <= keys.MAX_REPLICAS
    assert task.port is None or 1 <= task.port <= task.port + task.replicas - 1 <= keys.MAX_PORT
    assert all(need.condition in spec.CONDITIONS for need in task.depends_on)
    for step in task.stop.steps:
        assert (step.signal is None) != (step.command == ())
        assert step.command or step.wait is not None
    for check in (task.ready, task.health):
        if check is not None:
            assert check.probes
            assert check.interval > 0
            assert check.timeout > 0
            assert check.successes > 0
            assert check.failures is None or check.failures > 0


@st.composite
def near_misses(draw: st.DrawFn) -> str:
    """Block YAML in the shape of a project, with any word for any key and any value."""
    lines = draw(
        st.sampled_from([["tasks:"], ["name: x", "tasks:"], ["x-a: &a {program: y}", "tasks:"]])
    )
    key = st.sampled_from([*KEYS, "x-a", "restrat", "<<", "[a]", "'program'"])
    for i in range(draw(st.integers(0, 3))):
        lines = [
            *lines,
            draw(st.sampled_from([f"  t{i}:", "  - name: t", f"  - name: t{i}", "  T0:"])),
        ]
        for _ in range(draw(st.integers(0, 5))):
            value = draw(st.sampled_from(WORDS) | st.lists(st.sampled_from(WORDS)).map(", ".join))
            form = draw(
                st.sampled_from(["{}", "[{}]", "{{{}: 1}}", "\n      - {}", "\n      {}: {}"])
            )
            lines.append(f"    {draw(key)}: {form.format(value, value)}")
    return "\n".join(lines) + "\n"


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A file of the corpus with a few places dropped, doubled or replaced."""
    text = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = at + draw(st.integers(0, 5))
        text = text[:at] + draw(st.sampled_from(["", text[at:end] * 2]) | SIGNS) + text[end:]
    return text


@settings(max_examples=300)
@given(st.text())
@example("")
@example("\ufeff")
@example("? ")
@example("- - -\n  - a")
@example("a: !!str\n")
def test_any_text(text: str) -> None:
    check(text)


@settings(max_examples=300)
@given(st.lists(SIGNS, max_size=60).map("".join))
def test_any_text_of_yamls_own_signs(text: str) -> None:
    check(text)


@settings(max_examples=400)
@given(near_misses())
def test_files_that_are_nearly_right(text: str) -> None:
    check(text)


@settings(max_examples=400)
@given(mutations())
def test_files_with_places_changed(text: str) -> None:
    check(text)


@settings(max_examples=200)
@given(st.binary(max_size=200) | mutations().map(lambda t: t.encode("utf-16", "replace")))
def test_any_bytes(data: bytes) -> None:
    source = decode_bytes("f", data)
    if isinstance(source, Problem):
        assert str(source).isprintable()
        source.pointed()
    else:
        check(source.text)


@pytest.mark.quick
def test_the_check_can_fail() -> None:
    with pytest.raises(AssertionError):
        good(spec.Project("p", "/srv", (spec.Task("a", "x", start_delay=-1.0),)))
