"""A project said in code: the same keys, checks and words as a file has, told at the call."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession import ConfigError, Project, Task, keys, spec
from procession.config.code import Place, Said, Written, flow, quote
from procession.config.decode import decode
from procession.config.source import Source
from procession.config.yaml import Scalar, compose, kind_of

pytestmark = pytest.mark.quick
ROOT = Path(__file__).parents[2]


def task_of(one: Task) -> spec.Task:
    (found,) = Project(one, folder="/").load().project.tasks
    return found


def in_file(text: str) -> spec.Task:
    decoded = decode(Source("p.yaml", text), "/")
    assert not decoded.problems()
    (found,) = decoded.project.tasks
    return found


def words_of(project: Project) -> list[str]:
    """The problems without their places."""
    return [str(problem).split(": ", 1)[1] for problem in project.problems()]


def test_a_task_in_code_is_that_of_a_file() -> None:
    said = task_of(
        Task(
            "web",
            "sh",
            ["-c", "exit 0"],
            cwd=Path("/tmp"),
            environment={"A": 1, "B": True, "C": "x y", "D": 1.5},
            depends_on=None,
            restart={"policy": "always", "limit": 3},
            ready={"tcp": 8000, "interval": "20ms"},
            stop={"signal": signal.SIGINT, "timeout": 2},
            success_exit_codes=(0, 3),
            tags=["a", "b"],
            watchdog="5s" if sys.platform == "linux" else None,
        )
    )
    written = in_file(
        """
tasks:
  web:
    program: sh
    args: [-c, exit 0]
    cwd: /tmp
    environment: {A: 1, B: true, C: x y, D: 1.5}
    restart: {policy: always, limit: 3}
    ready: {tcp: 8000, interval: 20ms}
    stop: {signal: SIGINT, timeout: 2}
    success-exit-codes: [0, 3]
    tags: [a, b]
    watchdog: 5s
"""
    )
    assert said == written


def test_the_keys_of_a_project() -> None:
    project = Project(
        Task("one", "sh"),
        name="called",
        folder="/",
        abort_on_failure=True,
        stop_timeout="1m",
        defaults={"restart": "always"},
        logs={"keep-runs": 2},
    )
    made = project.load().project
    assert (made.name, made.folder, made.abort_on_failure) == ("called", "/", True)
    assert (made.stop_timeout, made.log_runs) == (60.0, 2)
    assert made.tasks[0].restart.policy == "always"


def test_mistakes_have_the_words_of_a_file_and_the_place_of_the_call(tmp_path: Path) -> None:
    one = Task("one", "sh", restrat="always", restart="sometimes", ready={"tpc": 1}, replicas="3")  # type: ignore[call-arg]
    line = one._said.place.line
    problems = Project(one, Task("two", "sh", depends_on=["three"]), folder="/").problems()
    assert [(p.file, p.line - line, p.path) for p in problems] == [
        ("tests/os/test_api_building.py", 0, "tasks.one.restrat"),
        ("tests/os/test_api_building.py", 0, "tasks.one.restart"),
        ("tests/os/test_api_building.py", 0, "tasks.one.ready.tpc"),
        ("tests/os/test_api_building.py", 0, "tasks.one.replicas"),
        ("tests/os/test_api_building.py", 2, "tasks.two.depends-on.three"),
    ] or Path.cwd() != ROOT
    file = tmp_path / "p.yaml"
    file.write_text(
        'tasks:\n  one: {program: sh, restrat: "always", restart: "sometimes", '
        'ready: {tpc: 1}, replicas: "3"}\n  two: {program: sh, depends-on: ["three"]}\n'
    )
    assert words_of(Project(files=file)) == [str(p).split(": ", 1)[1] for p in problems]
    assert {p.source_line for p in problems} == {""}


def test_all_mistakes_are_in_the_exception() -> None:
    project = Project(Task("one", "sh", umaks=7), Task("one", "sh"), Task("-", "sh"), folder="/")  # type: ignore[call-arg]
    with pytest.raises(ConfigError) as wrong:
        project.check()
    assert list(wrong.value.problems) == project.problems()
    unknown, twice, name = map(str, wrong.value.problems)
    assert unknown.endswith("tasks.one.umaks: unknown key `umaks`; did you mean `umask`?")
    place = Project(Task("one", "sh"))._said.place
    assert f"the name `one` is taken in {place.file}:" in twice
    assert "name" in name


def test_a_project_of_nothing() -> None:
    (problem,) = Project(folder="/").problems()
    assert (problem.path, problem.what) == ("tasks", "no task at all")
    assert problem.file.endswith("test_api_building.py")


def test_tasks_are_laid_over_files(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: base\ntasks:\n  one: {program: sh, args: -c true, port: 1}\n")
    loaded = Project(Task("one", port=2), Task("two", "sh"), files=file).load()
    one, two = loaded.project.tasks
    assert (one.program, one.args, one.port) == ("sh", ("-c", "true"), 2)
    assert two.name == "two"
    assert (loaded.project.name, loaded.file) == ("base", str(file))
    # a task that the file does not have needs a program: the place is the call's
    (problem,) = Project(Task("oen", port=2), files=file).problems()
    assert str(problem).endswith("tasks.oen: `program` is missing; did you mean `one`?")
    assert problem.file.endswith("test_api_building.py")


def test_a_problem_of_a_file_stays_there(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("tasks:\n  one: {program: sh, umaks: 7}\n")
    (problem,) = Project(Task("one", port=2), files=[file]).problems()
    assert (problem.file, problem.line, problem.column) == (str(file), 2, 22)
    assert problem.source_line


def test_what_is_no_matter_of_a_program() -> None:
    for key in ("include", "template", "tasks"):
        with pytest.raises(TypeError, match=f"{key}: not in a program"):
            Project(**{key: True})
    with pytest.raises(TypeError, match=r"environment\.A: a value of type set"):
        Task("one", "sh", environment={"A": {1}})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="is no Task"):
        Project("procession.yaml")  # type: ignore[arg-type]


def test_nothing_secret_is_shown() -> None:
    task = Task("one", "sh", environment={"TOKEN": "hunter2", "OTHER": ["hunter2"]})  # type: ignore[dict-item]
    project = Project(task, folder="/")
    shown = repr((task, project, task._said, project.problems())) + str(project.problems()[0])
    assert "hunter2" not in shown


@given(st.text())
def test_any_text_is_itself_or_half_a_pair(text: str) -> None:
    node, problems = compose(Source("t", f"[{quote(text)}]\n"))
    if problems:
        assert any("\ud800" <= c <= "\udfff" for c in text)
        return
    (scalar,) = node.items  # type: ignore[union-attr]
    assert scalar.value == text
    assert kind_of(scalar) == "text"


_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_any_value_is_said_on_one_line_and_read_again(value: object) -> None:
    text = flow(value, "key")
    assert len(f"a: {text}".splitlines()) == 1
    node, problems = compose(Source("t", f"a: {text}\n"))
    assert not problems
    _same(node.items[1], value)  # type: ignore[union-attr]


def _same(node: Any, value: object) -> None:
    if isinstance(value, dict):
        assert [key.value for key in node.items[::2]] == list(value)
        for one, inner in zip(node.items[1::2], value.values(), strict=True):
            _same(one, inner)
    elif isinstance(value, list):
        for one, inner in zip(node.items, value, strict=True):
            _same(one, inner)
    else:
        assert isinstance(node, Scalar)
        kind = kind_of(node)
        if isinstance(value, bool):
            assert (kind, node.value) == ("boolean", str(value).lower())
        elif isinstance(value, int):
            assert (kind, int(node.value)) == ("integer", value)
        elif isinstance(value, float):
            assert kind in ("float", "integer")
        else:
            assert (kind, node.value) == (("null", "null") if value is None else ("text", value))


def test_lines_know_their_calls() -> None:
    one, two = Place("a.py", 3, 5), Place("b.py", 7, 1)
    written = Written(Said(one, ()), [Said(two, (("name", '"x"'), ("program", '"sh"')))])
    assert written.source.text == 'tasks:\n- name: "x"\n  program: "sh"\n'
    assert written._place(3) == two
    assert written._place(99) == two


def test_the_types_and_the_page_are_what_the_model_says() -> None:
    tool = ROOT / "tools" / "python_reference.py"
    found = importlib.util.spec_from_file_location("python_reference", tool)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert module.KEYS.read_text() == module.keys_text(), f"run python {tool}"
    assert module.PAGE.read_text() == module.page(), f"run python {tool}"
    names = {field.key.replace("-", "_") for field in keys.TASK_FIELDS}
    assert names - set(module.OWN_OF_TASK) == set(_annotations(module.keys_text(), "TaskKeys"))


def _annotations(text: str, name: str) -> list[str]:
    block = text.partition(f"class {name}(")[2].partition("\n\n\n")[0]
    return [line.split(":")[0].strip() for line in block.splitlines()[1:]]
