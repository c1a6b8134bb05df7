"""`check --show` of order, checks, restarts, stops and rights; of several files and of defaults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from procession import keys
from procession.cli.render import problems_json, project_text
from procession.config.decode import decode, decode_parts
from procession.config.explained import Explained, explain
from procession.config.load import Examined
from procession.config.origins import Item
from procession.config.part import Part
from procession.config.source import Source
from procession.lookup import Lookup
from tests.support.systems import read_as_on

SECRET = "hunter2"
RICH = """\
name: shop
exit-code-from: web
abort-on-failure: true
stop-timeout: 1m30s
logs: {max-file: 1M, keep-runs: 3}
tasks:
  web:
    program: sleep
    shell: true
    launch-prefix: [gdb, -ex, run, --args]
    depends-on: {db: healthy, job: {condition: completed, restart: true, timeout: 5s}}
    ready:
      http:
        url: http://me:hunter2@127.0.0.1:8000/
        status: [200, '300-399']
        body: ok
        headers: {Authorization: hunter2, Accept: hunter2}
      tcp: '[::1]:8000'
      exec: [probe, --token, hunter2]
      any: true
      interval: 50ms
    ready-timeout: 5s
    health: {log: 'x+', file: up, unix: s.sock, notify: true, fd: 7, then: mark, failures: 9}
    watchdog: 10s
    restart:
      policy: always
      backoff: {first: 2, factor: 1.5, jitter: 0}
      stable-after: 1m
      limit: 5
      within: 10m
      rules: {75: restart, SIGKILL: give-up}
    replicas: 3
    port: 8000
    stop:
      - {command: [quit, -x], wait: 5s}
      - {signal: INT, to: tree, wait: 2s}
    autostart: false
    user: www-data
    group: 33
    supplementary-groups: []
    umask: '022'
    nice: -5
    cpus: 0-2
    limits: {nofile: 1024, as: [1G, unlimited], core: unlimited}
  db:
    program: x
    health: {tcp: 5432}
    stop: {command: quit -x, extend: 5}
    restart: {policy: no, delay: 3}
  job: {program: x, completes: true, restart: on-failure, restart-backoff: 5}
"""


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    read_as_on("linux", monkeypatch)


def explained(*texts: str) -> Explained:
    names = (f"{chr(ord('a') + i)}.yaml" for i in range(len(texts)))
    parts = [Part(Source(name, text), "/srv") for name, text in zip(names, texts, strict=True)]
    decoded = decode_parts(parts, "/srv")
    assert [str(problem) for problem in decoded.problems()] == []
    files = tuple(part.name for part in parts)
    seen = Examined(files[-1], (), decoded, {}, Lookup({}), (), files)
    return explain(seen, environ={})


def flat(items: tuple[Item, ...], above: str = "") -> dict[str, tuple[Any, str]]:
    """Each value with its origin, by its path: `ready.http.url`."""
    found: dict[str, tuple[Any, str]] = {}
    for i, item in enumerate(items):
        path = f"{above}{item.key or i}"
        value = item.value
        if isinstance(value, tuple) and value and isinstance(value[0], Item):
            found |= flat(value, f"{path}.")
        else:
            found[path] = value, str(item.origin)
    return found


@pytest.mark.quick
def test_what_is_shown_is_a_file_that_means_the_same() -> None:
    text = RICH.replace(SECRET, "open").replace("me:open@", "").replace("--token, ", "")
    text = text.replace("Authorization: open, Accept: open", "A: ''")
    meant = decode(Source("p.yaml", text), "/srv").project
    shown = project_text(explained(text))
    again = decode(Source("shown.yaml", shown), "/srv")
    assert [str(problem) for problem in again.problems()] == []
    tasks = tuple(task.replace(cwd="/srv") for task in meant.tasks)
    assert again.project == meant.replace(tasks=tasks)


def test_when_a_task_is_ready_that_has_no_probe() -> None:
    shown = project_text(explained("tasks: {a: {program: x}, b: {program: x, completes: true}}\n"))
    first, _, second = shown.partition("  b:")
    assert "# ready: once it was started" in first
    assert "# ready: when it ended well" in second


@pytest.mark.quick
def test_every_value_has_its_place() -> None:
    project = explained(RICH)
    top = flat(project.items)
    assert top["exit-code-from"] == ("web", "a.yaml:2:17")
    assert top["stop-timeout"] == (90.0, "a.yaml:4:15")
    assert top["logs.max-file"] == (1 << 20, "a.yaml:5:18")
    assert top["logs.max-total"] == (1 << 30, "default")
    web = flat(project.tasks[0].items)
    assert [item.key for item in project.tasks[0].items] == [f.key for f in keys.TASK_FIELDS[1:]]
    assert web["depends-on.db.condition"] == ("healthy", "a.yaml:11:22")
    assert web["depends-on.job.timeout"] == (5.0, "a.yaml:11:83")
    assert web["depends-on.db.restart"] == (False, "default")
    assert web["ready.tcp"] == ("[::1]:8000", "a.yaml:18:12")
    assert web["ready.http.status"] == ((200, "300-399"), "a.yaml:15:17")
    assert web["ready.http.method"] == ("GET", "default")
    assert web["ready.interval"] == (0.05, "a.yaml:21:17")
    assert web["ready.timeout"] == (1.0, "default")
    assert web["health.then"] == ("mark", "a.yaml:23:76")
    assert web["restart.policy"] == ("always", "a.yaml:26:15")
    assert web["restart.backoff.factor"] == (1.5, "a.yaml:27:35")
    assert web["restart.backoff.longest"] == (30.0, "default")
    assert web["restart.rules.SIGKILL"] == ("give-up", "a.yaml:31:37")
    assert web["restart-backoff"] == (None, "default")
    assert web["stop.steps.0.command"] == (("quit", "-x"), "a.yaml:35:19")
    assert web["stop.steps.1.to"] == ("tree", "a.yaml:36:27")
    assert web["stop.extend"] == (60.0, "default")
    assert web["umask"] == ("022", "a.yaml:41:12")
    assert web["cpus"] == ((0, 1, 2), "a.yaml:43:11")
    assert web["limits.as"] == ((1 << 30, "unlimited"), "a.yaml:44:32")
    db, job = (flat(task.items) for task in project.tasks[1:])
    assert db["restart.delay"] == (3.0, "a.yaml:49:34")
    assert (job["restart.delay"], job["restart-backoff"]) == (
        (None, "default"),
        (5.0, "a.yaml:50:76"),
    )
    assert job["restart.policy"] == ("on-failure", "a.yaml:50:47")
    assert job["restart.backoff"] == (None, "default")


@pytest.mark.quick
def test_headers_and_what_looks_secret_are_masked() -> None:
    project = explained(RICH)
    for shown in (project_text(project), problems_json("p.yaml", [], project), repr(project)):
        assert SECRET not in shown
    web = flat(project.tasks[0].items)
    assert web["ready.http.headers.Accept"] == ("***", "a.yaml:17:51")
    assert web["ready.http.url"][0] == "http://***@127.0.0.1:8000/"


def test_of_several_files_each_value_names_its_own() -> None:
    project = explained(
        "defaults: {environment: {LOG: info, A: 1}, restart: {policy: always, limit: 3}}\n"
        "tasks: {web: {program: x, stop: {signal: INT, timeout: 5}}}\n",
        "name: two\nlogs: {keep-runs: 3}\n"
        "tasks: {web: {environment: [A=2], stop: {timeout: 9}, restart: no}}\n",
        "logs: {max-file: 1M}\n",
    )
    assert project.files == ("a.yaml", "b.yaml", "c.yaml")
    assert str(project.name.origin) == "b.yaml:1:7"
    assert flat(project.items)["logs.keep-runs"] == (3, "b.yaml:2:19")
    assert flat(project.items)["logs.max-file"] == (1 << 20, "c.yaml:1:18")
    (web,) = project.tasks
    assert str(web.origin) == "a.yaml:2:9"
    values = flat(web.items)
    assert values["program"] == ("x", "a.yaml:2:24")
    assert values["environment.LOG"] == ("info", "a.yaml:1:31")
    assert values["environment.A"] == ("2", "b.yaml:3:29")
    assert values["stop.signal"] == ("SIGINT", "a.yaml:2:42")
    assert values["stop.timeout"] == (9.0, "b.yaml:3:51")
    assert values["restart.policy"] == ("no", "b.yaml:3:64")
    assert values["restart.limit"] == (3, "a.yaml:1:77")
    text = project_text(project)
    assert text.startswith("# a.yaml, b.yaml, c.yaml as understood; relative paths are meant from")
    again = decode(Source("shown.yaml", text), "/srv")
    assert again.problems() == []


@pytest.mark.parametrize(
    ("default", "own", "delay", "backoff"),
    [
        ("restart-backoff: 5", "restart: {policy: no, delay: 3}", (3.0, "a.yaml:4:36"), None),
        ("restart: {policy: no, delay: 3}", "restart-backoff: 5", None, (5.0, "a.yaml:4:24")),
    ],
)
def test_a_delay_is_shown_at_the_key_that_says_it(
    default: str, own: str, delay: object, backoff: object
) -> None:
    tasks = f"tasks: {{web: {{program: x}},\n  a: {{{own}, program: x}}}}\n"
    project = explained(f"defaults:\n  {default}\n{tasks}")
    values = flat(project.tasks[1].items)
    nothing = (None, "default")
    assert values["restart.delay"] == (delay or nothing)
    assert values["restart-backoff"] == (backoff or nothing)


def test_as_json() -> None:
    view = json.loads(problems_json("p.yaml", [], explained(RICH)))["project"]
    assert view["files"] == ["a.yaml"]
    assert view["keys"]["abort-on-failure"]["value"] is True
    web = view["tasks"][0]["keys"]
    steps = web["stop"]["value"]["steps"]["value"]
    assert steps[1]["value"]["signal"]["value"] == "SIGINT"
    assert web["depends-on"]["value"]["db"]["value"]["condition"]["value"] == "healthy"
    assert web["limits"]["value"]["nofile"]["value"] == 1024
    assert view["tasks"][1]["keys"]["limits"]["value"] == {}
    assert view["tasks"][0]["others"] == {}
