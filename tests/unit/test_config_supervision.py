"""What a file may say of order, checks, restarts, stops and rights: each form, and its meaning."""

from __future__ import annotations

import os
from typing import Any

import pytest

from procession import spec
from procession.config.decode import decode
from procession.config.source import Source
from tests.support.configs import one_task
from tests.support.systems import read_as_on

pytestmark = pytest.mark.quick

OTHERS = "  db: {program: x, health: {tcp: 1}}\n  cache: {program: x}\n"


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each system refuses is told by tests of its own."""
    read_as_on("linux", monkeypatch)


def project_of(text: str) -> spec.Project:
    decoded = decode(Source("p.yaml", text), "/srv")
    assert [str(p) for p in decoded.problems()] == []
    return decoded.project


def task_of(*keys: str) -> spec.Task:
    return project_of(one_task(*keys) + OTHERS).tasks[0]


def below(path: str) -> str:
    return os.path.join("/srv", path)


NEEDS: list[tuple[str | tuple[str, ...], tuple[spec.Dependency, ...]]] = [
    ("depends-on: db", (spec.Dependency("db"),)),
    ("depends-on: [db, cache]", (spec.Dependency("db"), spec.Dependency("cache"))),
    ("depends_on: [db]", (spec.Dependency("db"),)),
    ("depends-on:", ()),
    ("depends-on: []", ()),
    (
        "depends-on: {db: healthy, cache: }",
        (spec.Dependency("db", "healthy"), spec.Dependency("cache")),
    ),
    (
        ("depends-on:", "  db: {condition: completed, timeout: 30s}", "  cache: {restart: true}"),
        (spec.Dependency("db", "completed", False, 30.0), spec.Dependency("cache", restart=True)),
    ),
    (
        "depends-on: {db: completed-successfully, cache: started}",
        (spec.Dependency("db", "completed-successfully"), spec.Dependency("cache", "started")),
    ),
]

PROBES: list[tuple[str, spec.Probe]] = [
    ("tcp: 8000", spec.TcpProbe(8000)),
    ("tcp: '8000'", spec.TcpProbe(8000)),
    ("tcp: db.local:5432", spec.TcpProbe(5432, "db.local")),
    ("tcp: '[::1]:8000'", spec.TcpProbe(8000, "::1")),
    ("http: 'http://127.0.0.1:8000/health'", spec.HttpProbe("http://127.0.0.1:8000/health")),
    ("http: {url: https://x}", spec.HttpProbe("https://x")),
    (
        "http: {url: 'http://x', method: head, status: 204, body: 'o+k', headers: {X-A: 1}}",
        spec.HttpProbe("http://x", "HEAD", ((204, 204),), "o+k", (("X-A", "1"),)),
    ),
    (
        "http: {url: 'http://x', status: [200, '300-399', 500 - 501], headers: }",
        spec.HttpProbe("http://x", status=((200, 200), (300, 399), (500, 501))),
    ),
    ("exec: pg_isready -h 'a b'", spec.ExecProbe(("pg_isready", "-h", "a b"))),
    ("exec: [check, 5, true]", spec.ExecProbe(("check", "5", "true"))),
    ("log: 'ready (now|soon)'", spec.LogProbe("ready (now|soon)")),
    ("log: größe", spec.LogProbe("größe")),
    ("file: run/web.pid", spec.FileProbe(below("run/web.pid"))),
    ("file: /run/web.pid", spec.FileProbe("/run/web.pid")),
    ("unix: ./web.sock", spec.UnixProbe(below("web.sock"))),
    ("notify: true", spec.NotifyProbe()),
    ("fd: 3", spec.FdProbe(3)),
]

RESTARTS: list[tuple[str, spec.Restart]] = [
    ("restart: {policy: always}", spec.Restart("always")),
    ("restart: {policy: true}", spec.Restart("always")),
    ("restart: {policy: on-failure, delay: 5s}", spec.Restart("on-failure", 5.0)),
    (
        "restart: {policy: always, backoff: {first: 2, factor: 1.5, longest: 1m, jitter: 0.5}}",
        spec.Restart("always", None, 2.0, 1.5, 60.0, 0.5),
    ),
    (
        "restart: {policy: always, stable-after: 1m, limit: 5, within: 1h}",
        spec.Restart("always", stable_after=60.0, limit=5, window=3600.0),
    ),
    (
        "restart: {policy: no, rules: {75: restart, 2: give-up, KILL: restart}}",
        spec.Restart(
            "no",
            rules=(
                spec.RestartRule(True, 75),
                spec.RestartRule(False, 2),
                spec.RestartRule(True, None, 9),
            ),
        ),
    ),
    ("restart: {policy: always, rules: }", spec.Restart("always")),
    (
        "restart: {policy: no, rules: {'075': restart}}",
        spec.Restart("no", rules=(spec.RestartRule(True, 75),)),
    ),
]

STOPS: list[tuple[str | tuple[str, ...], spec.Stop]] = [
    ("stop: {command: nginx -s quit}", spec.Stop(command=("nginx", "-s", "quit"))),
    ("stop: {command: [a, 1], extend: 2m}", spec.Stop(command=("a", "1"), extend=120.0)),
    ("stop: {command: }", spec.Stop()),
    (
        (
            "stop:",
            "- {command: [a], wait: 5s}",
            "- {signal: TERM, wait: 3}",
            "- {signal: INT, to: tree}",
        ),
        spec.Stop(
            steps=(
                spec.StopStep(command=("a",), wait=5.0),
                spec.StopStep("SIGTERM", wait=3.0),
                spec.StopStep("SIGINT", "tree", wait=10.0),
            )
        ),
    ),
    (
        "stop: {steps: [{command: a b}], extend: 5}",
        spec.Stop(steps=(spec.StopStep(command=("a", "b")),), extend=5.0),
    ),
]

OTHER: list[tuple[str, str, object]] = [
    ("ready-timeout: 30s", "ready_timeout", 30.0),
    ("watchdog: 10s", "watchdog", 10.0),
    ("replicas: 3", "replicas", 3),
    ("port: 8000", "port", 8000),
    ("autostart: false", "autostart", False),
    ("completes: true", "completes", True),
    ("launch-prefix: gdb -ex run --args", "launch_prefix", ("gdb", "-ex", "run", "--args")),
    ("launch-prefix: [nice, -n, 5]", "launch_prefix", ("nice", "-n", "5")),
    ("launch-prefix: []", "launch_prefix", ()),
    ("shell: true", "shell", True),
    ("user: www-data", "user", "www-data"),
    ("user: 0x3e8", "user", "1000"),
    ("group: 33", "group", "33"),
    ("supplementary-groups: [adm, 5, adm]", "supplementary_groups", ("adm", "5")),
    ("supplementary-groups: adm", "supplementary_groups", ("adm",)),
    ("supplementary-groups: []", "supplementary_groups", ()),
    ("umask: '022'", "umask", 0o22),
    ("umask: 022", "umask", 0o22),
    ("umask: 0o27", "umask", 0o27),
    ("umask: 0", "umask", 0),
    ("nice: -5", "nice", -5),
    ("limits: {nofile: 1024}", "limits", (("nofile", (1024, 1024)),)),
    ("limits: {as: [1G, unlimited]}", "limits", (("as", (1 << 30, None)),)),
    (
        "limits: {core: 0, stack: 8 MiB, data: unlimited}",
        "limits",
        (("core", (0, 0)), ("stack", (8 << 20, 8 << 20)), ("data", (None, None))),
    ),
]


def lines(keys: str | tuple[str, ...]) -> tuple[str, ...]:
    return (keys,) if isinstance(keys, str) else keys


@pytest.mark.parametrize(("keys", "meaning"), NEEDS)
def test_forms_of_depends_on(
    keys: str | tuple[str, ...], meaning: tuple[spec.Dependency, ...]
) -> None:
    assert task_of(*lines(keys)).depends_on == meaning


@pytest.mark.parametrize("key", ["ready", "health"])
@pytest.mark.parametrize(("written", "probe"), PROBES)
def test_forms_of_probes(written: str, probe: spec.Probe, key: str) -> None:
    check = getattr(task_of(f"{key}: {{{written}}}"), key)
    assert check.probes == (probe,)


def test_what_a_check_has_where_nothing_is_said() -> None:
    task = task_of("ready: {tcp: 1}", "health: {tcp: 1}")
    assert task.ready == spec.Check((spec.TcpProbe(1),), False, 0.2, 1.0, 0.0, 1, None, True)
    assert task.health == spec.Check((spec.TcpProbe(1),), False, 10.0, 5.0, 0.0, 1, 3, True)
    assert task_of("ready:", "health: ~").replace(args=()) == task_of()


def test_all_that_a_check_can_say() -> None:
    timing = "interval: 1s, timeout: 2s, initial-delay: 3s, successes: 4, failures: 5"
    ready = task_of(f"ready: {{tcp: 1, log: x, any: true, {timing}}}").ready
    probes = (spec.TcpProbe(1), spec.LogProbe("x"))
    assert ready == spec.Check(probes, True, 1.0, 2.0, 3.0, 4, 5)
    health = task_of(f"health: {{log: x, tcp: 1, then: mark, {timing}}}").health
    assert health == spec.Check(probes[::-1], False, 1.0, 2.0, 3.0, 4, 5, restarts=False)


@pytest.mark.parametrize(("keys", "meaning"), RESTARTS)
def test_forms_of_restart(keys: str, meaning: spec.Restart) -> None:
    assert task_of(keys).restart == meaning


def test_a_fixed_delay_by_either_key() -> None:
    assert task_of("restart: {policy: always, limit: 3}", "restart-backoff: 5").restart == (
        spec.Restart("always", 5.0, limit=3)
    )


@pytest.mark.parametrize(("keys", "meaning"), STOPS)
def test_forms_of_stop(keys: str | tuple[str, ...], meaning: spec.Stop) -> None:
    assert task_of(*lines(keys)).stop == meaning


@pytest.mark.parametrize(("line", "attribute", "meaning"), OTHER)
def test_forms_of_other_keys(line: str, attribute: str, meaning: object) -> None:
    assert getattr(task_of(line), attribute) == meaning


@pytest.mark.parametrize(
    ("written", "meaning"),
    [("0", (0,)), ("[1, 0, 1]", (0, 1)), ("'0-2, 5'", (0, 1, 2, 5)), ("1-2", (1, 2)), ("", ())],
)
def test_forms_of_cpus(written: str, meaning: tuple[int, ...]) -> None:
    assert task_of(f"cpus: {written}").cpus == meaning


def test_a_shell_line_may_begin_with_a_tilde() -> None:
    assert task_of("shell: true", "tags: x").program == "sleep"
    text = "tasks: {web: {program: '~/bin/x | cat', shell: true}}\n"
    assert project_of(text).tasks[0].program == "~/bin/x | cat"


PROJECT: list[tuple[str, dict[str, Any]]] = [
    ("exit-code-from: web", {"exit_code_from": "web"}),
    ("abort-on-failure: true", {"abort_on_failure": True}),
    ("stop-timeout: 10s", {"stop_timeout": 10.0}),
    ("logs: {max-file: 1M}", {"log_file_limit": 1 << 20}),
    ("logs: {max_total: 2 GiB, keep-runs: 3}", {"log_total": 2 << 30, "log_runs": 3}),
    ("logs:", {}),
    ("defaults:", {}),
]


@pytest.mark.parametrize(("line", "meaning"), PROJECT)
def test_forms_of_the_top_level(line: str, meaning: dict[str, Any]) -> None:
    plain = project_of(one_task())
    assert project_of(f"{line}\n" + one_task()) == plain.replace(**meaning)


def test_what_merges_bring_gives_way_in_every_mapping() -> None:
    task = project_of(
        "x-a: &a {nofile: 1, core: 2}\n"
        "x-b: &b {db: started, cache: started}\n"
        "x-c: &c {1: restart, 2: restart}\n"
        "x-d: &d {A: hunter2, B: hunter2}\n"
        "tasks:\n"
        "  web:\n"
        "    program: x\n"
        "    limits: {<<: *a, core: 3}\n"
        "    depends-on: {<<: *b, db: ready}\n"
        "    restart: {policy: no, rules: {<<: *c, 2: give-up}}\n"
        "    ready: {http: {url: 'http://x', headers: {<<: *d, b: two}}}\n" + OTHERS
    ).tasks[0]
    assert dict(task.limits) == {"core": (3, 3), "nofile": (1, 1)}
    assert {need.task: need.condition for need in task.depends_on} == {
        "db": "ready",
        "cache": "started",
    }
    assert [(r.code, r.again) for r in task.restart.rules] == [(2, False), (1, True)]
    assert task.ready is not None
    (probe,) = task.ready.probes
    assert isinstance(probe, spec.HttpProbe)
    assert probe.headers == (("b", "two"), ("A", "hunter2"))
    assert "hunter2" not in repr(task.ready)


def test_replicas_have_names_of_their_own() -> None:
    project = project_of("tasks: {web: {program: x, replicas: 3}, db: {program: y}}\n")
    assert [(r.name, r.index) for r in project.replicas()] == [
        ("web-1", 1),
        ("web-2", 2),
        ("web-3", 3),
        ("db", 1),
    ]
    assert project.tasks[0].variants == ()
