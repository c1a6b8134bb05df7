"""`{{ replica }}` in a file that says `template: true`: each replica as it is for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from procession import spec
from procession.cli.render import problems_json, project_text
from procession.config.explained import explain
from procession.config.load import Examined, examine

ENVIRON = {"PATH": "/usr/bin:/bin"}
HEAD = "template: true\n"


def seen(folder: Path, text: str, **variables: str) -> Examined:
    (folder / "p.yaml").write_text(text)
    return examine("p.yaml", cwd=str(folder), environ=ENVIRON, variables=variables)


def tasks(folder: Path, text: str, **variables: str) -> tuple[spec.Task, ...]:
    found = seen(folder, text, **variables)
    assert [str(problem) for problem in found.problems] == []
    assert found.decoded is not None
    return found.decoded.project.tasks


def told(folder: Path, text: str, **variables: str) -> list[str]:
    return [str(problem) for problem in seen(folder, text, **variables).problems]


@pytest.mark.quick
def test_each_replica_has_values_of_its_own(tmp_path: Path) -> None:
    (web,) = tasks(
        tmp_path,
        HEAD + "tasks:\n  web:\n    program: sh\n    replicas: '{{ vars.n }}'\n"
        "    args: [-p, '{{ 8000 + replica }}', '{{ replica }}/{{ replicas }}', plain]\n"
        "    environment: {N: '{{ replica }}', 'NAME_{{ replica }}': x, SAME: y}\n"
        "    start-delay: '{{ replica * 0.5 }}'\n"
        "    ready: {tcp: '{{ 8000 + replica }}', timeout: 2s}\n"
        "    nice: '{{ replica }}'\n    restart-backoff: '{{ replica }}'\n",
        n="3",
    )
    assert web.replicas == 3
    assert web.variants[0] == web.replace(variants=())
    assert [v.args for v in web.variants] == [
        ("-p", f"{8000 + i}", f"{i}/3", "plain") for i in (1, 2, 3)
    ]
    assert dict(web.variants[1].environment) == {"N": "2", "NAME_2": "x", "SAME": "y"}
    assert [v.start_delay for v in web.variants] == [0.5, 1.0, 1.5]
    assert [v.ready and v.ready.probes for v in web.variants] == [
        (spec.TcpProbe(8000 + i),) for i in (1, 2, 3)
    ]
    assert [v.restart.delay for v in web.variants] == [1.0, 2.0, 3.0]
    assert [v.nice for v in web.variants] == [1, 2, 3]
    assert [v.variants for v in web.variants] == [(), (), ()]


def test_replicas_that_do_not_differ_are_no_variants(tmp_path: Path) -> None:
    one, two, three = tasks(
        tmp_path,
        HEAD + "tasks:\n  a: {program: sh, args: '{{ replica }} of {{ replicas }}'}\n"
        "  b: {program: sh, replicas: 2, args: '{{ 1 + 1 }}'}\n"
        "  c: {program: sh, replicas: 2, args: '{% set replica = 5 %}{{ replica }}'}\n",
    )
    assert (one.args, one.variants) == (("1", "of", "1"), ())
    assert (two.args, two.variants) == (("2",), ())
    assert (three.args, three.variants) == (("5",), ())


@pytest.mark.quick
def test_defaults_and_anchors_are_rendered_for_each_task_by_itself(tmp_path: Path) -> None:
    a, b = tasks(
        tmp_path,
        HEAD + "x-env: &env {N: '{{ replica }} of {{ replicas }}'}\n"
        "defaults: {args: '{{ replica }}', environment: {D: '{{ replicas }}'}}\n"
        "tasks:\n  a: {program: sh, replicas: 2, environment: *env}\n"
        "  b: {program: sh, replicas: 3, environment: {<<: *env}}\n",
    )
    assert [dict(v.environment) for v in a.variants] == [
        {"D": "2", "N": "1 of 2"},
        {"D": "2", "N": "2 of 2"},
    ]
    assert [v.args for v in b.variants] == [("1",), ("2",), ("3",)]
    assert [dict(v.environment)["N"] for v in b.variants] == ["1 of 3", "2 of 3", "3 of 3"]


def test_launches_are_those_of_the_variants(tmp_path: Path) -> None:
    for name in ("r1", "r2"):
        (tmp_path / name).mkdir()
    found = seen(
        tmp_path,
        HEAD + "tasks: {web: {program: sh, replicas: 2, cwd: 'r{{ replica }}', args: x}}\n",
    )
    assert found.problems == ()
    assert {name: launch and launch.cwd for name, launch in found.launches.items()} == {
        "web-1": str(tmp_path / "r1"),
        "web-2": str(tmp_path / "r2"),
    }


def test_what_is_wrong_with_one_replica_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    text = HEAD + "tasks:\n  web:\n    program: sh\n    replicas: 3\n"
    lines = told(tmp_path, text + "    cwd: 'r{{ replica }}'\n")
    assert [line.split(" `")[0] for line in lines] == ["p.yaml:6:10: tasks.web.cwd:"] * 2
    (line,) = told(tmp_path, text + "    nice: '{{ replica * 15 }}'\n")
    assert line.startswith("p.yaml:6:11: tasks.web.nice: the number `30`")
    (line,) = told(tmp_path, text + "    nice: '{{ replica.x.y }}'\n")
    assert line.startswith("p.yaml:6:11: tasks.web.nice: ")
    (line,) = told(tmp_path, text + "    args: '{{ replica + nothing }}'\n")
    assert "`nothing` is not defined" in line
    assert "`replica`" in line, "what is there"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("depends-on: ['b{{ replica }}']", "6:18: tasks.a.depends-on[0]"),
        ("tags: '{{ replica }}'", "6:11: tasks.a.tags"),
        ("replicas: '{{ replicas }}'", "6:15: tasks.a.replicas"),
        ("autostart: '{{ replica == 1 }}'", "6:16: tasks.a.autostart"),
    ],
)
def test_what_all_replicas_share_knows_no_replica(tmp_path: Path, line: str, place: str) -> None:
    text = HEAD + f"# \ntasks:\n  a:\n    program: sh\n    {line}\n"
    (said,) = told(tmp_path, text)
    assert said.startswith(f"p.yaml:{place}: `replica` and `replicas` are not known here")
    assert said.endswith("expected a value that all replicas of the task share")


def test_outside_of_tasks_there_is_no_replica(tmp_path: Path) -> None:
    (line,) = told(tmp_path, HEAD + "name: 'a{{ replica }}'\ntasks: {a: {program: sh}}\n")
    assert line.startswith("p.yaml:2:7: name: `replica` and `replicas` are not known here")
    (line,) = told(tmp_path, HEAD + "include: '{{ replica }}.yaml'\ntasks: {a: {program: sh}}\n")
    assert line.startswith("p.yaml:2:10: include: `replica` and `replicas` are not known here")


def test_a_file_that_is_rendered_as_a_whole_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "p.yaml.j2").write_text("tasks: {a: {program: sh, args: {{ replica }}}}\n")
    found = examine("p.yaml.j2", cwd=str(tmp_path), environ=ENVIRON)
    (line,) = map(str, found.problems)
    assert "`replica` is not known to a file that is rendered as a whole" in line
    assert "expected a loop, or `template: true` in a plain file" in line


def test_without_templates_it_is_text(tmp_path: Path) -> None:
    (web,) = tasks(tmp_path, "tasks: {web: {program: sh, replicas: 2, args: '{{ replica }}'}}\n")
    assert web.args == ("{{", "replica", "}}")
    assert web.variants == ()


def test_many_replicas_are_rendered_in_time(tmp_path: Path) -> None:
    (web,) = tasks(
        tmp_path,
        HEAD
        + "tasks: {web: {program: sh, replicas: 1000, args: ['{{ replica }}', '-{{ replica }}']"
        ", environment: {A: '{{ replica }}', B: '{{ replicas - replica }}'}}}\n",
    )
    assert web.variants[-1].args == ("1000", "-1000")
    assert dict(web.variants[-1].environment) == {"A": "1000", "B": "0"}


def test_what_is_shown_of_replicas_that_differ(tmp_path: Path) -> None:
    found = seen(
        tmp_path,
        HEAD + "tasks:\n  web:\n    program: sh\n    replicas: 2\n"
        "    environment: {NR: '{{ replica }}', API_TOKEN: 'hunter{{ replica }}'}\n",
    )
    project = explain(found, environ=ENVIRON)
    text = project_text(project)
    assert '      NR: "1" ' in text
    assert '    # as web-2:\n    #   environment:\n    #     NR: "2" ' in text
    assert "hunter" not in text
    shown = problems_json("p.yaml", [], project)
    assert '"web-2"' in shown
    assert "hunter" not in shown
