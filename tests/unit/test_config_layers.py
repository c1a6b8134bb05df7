"""Several files of one project, and `defaults`: what is laid over what, and whose place is told."""

from __future__ import annotations

import os

import pytest

from procession import spec
from procession.config.decode import Decoded, decode_parts
from procession.config.part import Part
from procession.config.source import Source
from tests.support.systems import read_as_on

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each system refuses is told by tests of its own."""
    read_as_on("linux", monkeypatch)


def laid(*texts: str, folders: tuple[str, ...] = (), whole: bool = True) -> Decoded:
    """The files `a.yaml`, `b.yaml`, ... of these texts, each laid over those before it."""
    where = folders or ("/srv",) * len(texts)
    names = (f"{chr(ord('a') + i)}.yaml" for i in range(len(texts)))
    parts = [
        Part(Source(name, text), folder)
        for name, text, folder in zip(names, texts, where, strict=True)
    ]
    return decode_parts(parts, where[0], whole=whole)


def project(*texts: str, folders: tuple[str, ...] = ()) -> spec.Project:
    decoded = laid(*texts, folders=folders)
    assert [str(problem) for problem in decoded.problems()] == []
    return decoded.project


def told(*texts: str, whole: bool = True) -> list[str]:
    return [str(problem) for problem in laid(*texts, whole=whole).problems()]


def task(*texts: str) -> spec.Task:
    return project(*texts).tasks[0]


# --- files over each other


def test_a_later_file_wins_key_by_key() -> None:
    found = task(
        "tasks: {web: {program: a, args: [1, 2], restart: always, tags: [x]}}\n",
        "tasks: {web: {args: [3], start-delay: 5}}\n",
    )
    assert found == spec.Task(
        "web", "a", ("3",), restart=spec.Restart("always"), tags=("x",), start_delay=5.0
    )


def test_tasks_are_in_the_order_in_which_they_are_first_named() -> None:
    found = project(
        "tasks: [{name: a, program: x}, {name: b, program: x}]\n",
        "tasks: {c: {program: x}, a: {program: y}}\n",
    )
    assert [(t.name, t.program) for t in found.tasks] == [("a", "y"), ("b", "x"), ("c", "x")]


def test_variables_are_laid_over_each_other_in_either_form() -> None:
    found = task(
        "tasks: {web: {program: x, environment: {A: 1, B: 1}}}\n",
        "tasks: {web: {environment: [B=2, C=2]}}\n",
        "tasks: {web: {environment: }}\n",
    )
    assert dict(found.environment) == {"A": "1", "B": "2", "C": "2"}


def test_mappings_of_one_meaning_are_laid_over_each_other() -> None:
    found = task(
        "tasks:\n  web:\n    program: x\n    stop: {signal: INT, timeout: 5}\n"
        "    restart: {policy: always, limit: 3}\n    limits: {nofile: 1, core: 1}\n",
        "tasks: {web: {stop: {timeout: 9}, restart: on-failure, limits: {core: 2}}}\n",
    )
    assert found.stop == spec.Stop("SIGINT", timeout=9.0)
    assert found.restart == spec.Restart("on-failure", limit=3)
    assert dict(found.limits) == {"nofile": (1, 1), "core": (2, 2)}


def test_a_growing_delay_stands_for_a_fixed_one_and_the_other_way_round() -> None:
    grows = "tasks: {web: {program: x, restart: {policy: no, backoff: {first: 2}}}}\n"
    fixed = "tasks: {web: {program: x, restart-backoff: 5}}\n"
    assert task(fixed, grows).restart == spec.Restart("no", None, 2.0)
    assert task(grows, fixed).restart.delay == 5.0


def test_a_ladder_stands_for_a_signal_and_the_other_way_round() -> None:
    ladder = "tasks: {web: {program: x, stop: [{command: a}]}}\n"
    signal = "tasks: {web: {program: x, stop: {signal: INT}}}\n"
    longer = "tasks: {web: {stop: {extend: 5}}}\n"
    step = spec.StopStep(command=("a",))
    assert task(signal, ladder).stop == spec.Stop(steps=(step,))
    assert task(ladder, signal).stop == spec.Stop("SIGINT")
    assert task(ladder, longer).stop == spec.Stop(steps=(step,), extend=5.0)


def test_probes_and_needs_stand_for_themselves() -> None:
    found = task(
        "tasks:\n  web: {program: x, ready: {tcp: 1}, health: {tcp: 1}, depends-on: [a, b]}\n"
        "  a: {program: x}\n  b: {program: x}\n",
        "tasks: {web: {ready: {log: up}, health: , depends-on: [b]}}\n",
    )
    assert found.ready is not None
    assert found.ready.probes == (spec.LogProbe("up"),)
    assert found.health is None
    assert found.depends_on == (spec.Dependency("b"),)


def test_the_top_level_key_by_key() -> None:
    found = project(
        "name: one\nabort-on-failure: true\nstop-timeout: 5\nlogs: {max-file: 1M, keep-runs: 2}\n"
        "tasks: {web: {program: x}}\n",
        "name: two\nstop-timeout: 9\nlogs: {keep-runs: 3}\n",
    )
    assert (found.name, found.abort_on_failure, found.stop_timeout) == ("two", True, 9.0)
    assert (found.log_file_limit, found.log_runs, found.log_total) == (1 << 20, 3, 1 << 30)


def test_a_path_is_meant_from_the_folder_of_the_file_that_says_it() -> None:
    found = project(
        "tasks: {a: {program: ./x, env-file: .env}, b: {program: x}}\n",
        "tasks: {a: {ready: {file: up}}, b: {program: ./y}, c: {program: x, cwd: run}}\n",
        folders=("/srv/one", "/srv/two"),
    )
    a, b, c = found.tasks
    assert found.folder == "/srv/one"
    assert a.cwd is None, "the project's folder, where its program is said"
    assert a.env_files == (os.path.join("/srv/one", ".env"),)
    assert a.ready is not None
    assert a.ready.probes == (spec.FileProbe(os.path.join("/srv/two", "up")),)
    assert b.cwd == "/srv/two"
    assert c.cwd == os.path.join("/srv/two", "run")


# --- defaults


def test_defaults_hold_where_a_task_says_nothing() -> None:
    found = project(
        "defaults: {restart: on-failure, environment: {LOG: info, A: 0}, program: x, tags: [t]}\n"
        "tasks:\n  a: {}\n  b: {restart: no, environment: {A: 1}, program: y, tags: []}\n"
    )
    a, b = found.tasks
    assert a == spec.Task(
        "a",
        "x",
        environment=(("LOG", "info"), ("A", "0")),
        restart=spec.Restart("on-failure"),
        tags=("t",),
    )
    assert (b.program, b.restart, b.tags) == ("y", spec.Restart("no"), ())
    assert dict(b.environment) == {"LOG": "info", "A": "1"}


def test_defaults_of_all_files_hold_for_the_tasks_of_all() -> None:
    found = project(
        "defaults: {start-delay: 1, leftover: wait}\ntasks: {a: {program: x, leftover: stop}}\n",
        "defaults: {start-delay: 2}\ntasks: {b: {program: x}}\n",
    )
    assert [(t.start_delay, t.leftover) for t in found.tasks] == [(2.0, "stop"), (2.0, "wait")]


def test_a_check_of_the_defaults_is_not_for_tasks_that_complete() -> None:
    a, b = project(
        "defaults: {ready: {tcp: 1}}\ntasks: {a: {program: x}, b: {program: x, completes: true}}\n"
    ).tasks
    assert a.ready is not None
    assert b.ready is None


def test_a_task_says_that_it_has_none_of_the_check_of_the_defaults() -> None:
    a, b = project(
        "defaults: {health: {tcp: 1}}\ntasks: {a: {program: x}, b: {program: x, health: }}\n"
    ).tasks
    assert a.health is not None
    assert b.health is None


def test_a_policy_may_come_from_elsewhere() -> None:
    found = task("defaults: {restart: always}\ntasks: {a: {program: x, restart: {limit: 3}}}\n")
    assert found.restart == spec.Restart("always", limit=3)


# --- what is wrong, and where


def test_each_problem_has_the_place_of_its_own_file() -> None:
    lines = told(
        "tasks:\n  web: {program: x, restrat: no}\n",
        "tasks: {web: {start-delay: soon}}\n",
        "defaults: {tags: [a b]}\n",
    )
    assert [line.split(";")[0] for line in lines] == [
        "a.yaml:2:21: tasks.web.restrat: unknown key `restrat`",
        "b.yaml:1:28: tasks.web.start-delay: `soon` is not a duration",
        "c.yaml:1:19: defaults.tags[0]: the text `a b`",
    ]


def test_what_only_all_files_together_show() -> None:
    lines = told(
        "tasks: {web: {program: x, depends-on: [db]}, db: {program: x, port: 65535}}\n",
        "exit-code-from: wbe\ntasks: {db: {depends-on: [web], replicas: 2}}\n",
    )
    assert [line.split(";")[0] for line in lines] == [
        "a.yaml:1:40: tasks.web.depends-on.db: tasks that wait for each other: web → db → web",
        "a.yaml:1:69: tasks.db.port: the last replica's port would be 65536",
        "b.yaml:1:17: exit-code-from: no task has the name `wbe`",
    ]


def test_a_task_that_no_file_gives_a_program() -> None:
    texts = "tasks: {web: {program: x}}\n", "tasks:\n  wbe: {args: 5}\n"
    assert told(*texts) == [
        "b.yaml:2:8: tasks.wbe: `program` is missing; did you mean `web`?",
    ]
    assert told("tasks: {a: {args: x}}\n") == ["a.yaml:1:12: tasks.a: `program` is missing"]
    assert told("tasks: {web: {args: 1}}\n", "tasks: {web: {program: x}}\n") == []


def test_names_that_differ_by_case_in_two_files() -> None:
    (line,) = told("tasks: {web: {program: x}}\n", "tasks: {Web: {args: x, program: y}}\n")
    assert line.startswith("b.yaml:1:9: tasks.Web: `Web` is `web` in a.yaml:1")
    assert line.endswith("which differs by case only; expected one spelling; did you mean `web`?")


def test_no_file_has_a_task() -> None:
    assert told("name: a\n", "name: b\n") == ["b.yaml:1:1: `tasks` is missing"]
    assert told("task: {}\n", "name: b\n") == [
        "a.yaml:1:1: task: unknown key `task`; did you mean `tasks`?"
    ]


def test_nothing_is_said_of_what_is_missing_while_a_file_could_not_be_read() -> None:
    assert told("tasks: {web: {args: 5, depends-on: db}}\n", whole=False) == []


def test_logs_of_replicas_that_meet_across_files() -> None:
    (line,) = told("tasks: {web: {program: x, replicas: 2}}\n", "tasks: {web-1: {program: x}}\n")
    assert line.startswith("b.yaml:1:9: tasks.web-1: the name `web-1` is that of a replica of")
