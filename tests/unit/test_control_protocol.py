"""What a request means, and which rows a name means."""

from __future__ import annotations

import pytest

from procession.control import goals
from procession.control.protocol import (
    LONGEST_WAIT,
    AboutAsked,
    BadRequestError,
    Down,
    Question,
    Wish,
    chosen,
    parse,
)

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("method", "target", "body", "meant"),
    [
        ("GET", "/v1/project", b"", AboutAsked()),
        ("GET", "/v1/replicas", b"", Question()),
        ("GET", "/v1/replicas?after=7&within=2.5", b"", Question(7, 2.5)),
        ("POST", "/v1/replicas/web-1/restart", b"", Wish("restart", "web-1")),
        ("POST", "/v1/replicas/a%2Fb/stop", b"", Wish("stop", "a/b")),
        ("POST", "/v1/down", b"", Down()),
        ("POST", "/v1/down", b'{"force": true, "more": 1}', Down(True)),
    ],
)
def test_requests(method: str, target: str, body: bytes, meant: object) -> None:
    assert parse(method, target, body) == meant


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "word"),
    [
        ("GET", "/", b"", 404, "/v1"),
        ("GET", "/v2/project", b"", 404, "/v1"),
        ("GET", "/v1/replicas/web/eat", b"", 404, "nothing here"),
        ("GET", "/v1/replicas/web/stop", b"", 405, "POST"),
        ("POST", "/v1/replicas", b"", 405, "GET"),
        ("POST", "/v1/replicas//stop", b"", 404, "nothing here"),
        ("GET", "/v1/replicas?after=x", b"", 400, "number"),
        ("GET", "/v1/replicas?within=nan", b"", 400, "seconds"),
        ("GET", f"/v1/replicas?within={LONGEST_WAIT + 1}", b"", 400, "seconds"),
        ("GET", "/v1/replicas?how=well", b"", 400, "`after`"),
        ("POST", "/v1/down", b"{", 400, "JSON"),
        ("POST", "/v1/down", b"[" * 60_000, 400, "JSON"),
        ("POST", "/v1/down", b"[]", 400, "object"),
        ("POST", "/v1/down", b'{"force": 1}', 400, "true or false"),
    ],
)
def test_what_means_nothing_is_refused_in_words(
    method: str, target: str, body: bytes, status: int, word: str
) -> None:
    with pytest.raises(BadRequestError, match=word) as refused:
        parse(method, target, body)
    assert refused.value.status == status


def row(name: str = "web", task: str = "web", **known: object) -> dict[str, object]:
    facts = {"state": "running", "ready": True, "run": 1, "wanted": True, "reason": "because"}
    return {"name": name, "task": task, **facts, **known}


def test_a_task_means_all_its_replicas_and_a_replica_itself() -> None:
    rows = [row("web-1"), row("web-2"), row("db", "db")]
    assert chosen(rows, []) == rows
    assert chosen(rows, ["web"]) == rows[:2]
    assert chosen(rows, ["web-2", "web", "db"]) == [rows[1], rows[0], rows[2]]
    with pytest.raises(KeyError, match="wen"):
        chosen(rows, ["web", "wen"])


def test_when_a_start_has_come_true() -> None:
    assert goals.run_before("start", row(run=4)) == 3  # it is up: the run there is will do
    assert goals.run_before("start", row(run=4, state="backoff")) == 4
    assert goals.run_before("restart", row(run=4)) == 4
    assert goals.started(row(run=4), 4) is None
    assert goals.started(row(run=5, ready=False), 4) is None
    assert goals.started(row(run=5), 4) == (True, "web running: because")
    assert goals.started(row(run=5, state="backoff"), 4) == (False, "web backoff: because")
    assert goals.started(row(run=4, state="backoff"), 4) is None
    assert goals.started(row(run=5, state="completed"), 4) == (True, "web completed: because")
    assert goals.started(row(run=4, state="failed"), 4) == (False, "web failed: because")
    assert goals.started(row(run=4, state="skipped"), 4) == (False, "web skipped: because")


def test_when_others_have_come_true() -> None:
    assert goals.stopped(row(state="stopping")) is None
    assert goals.stopped(row(state="failed")) == (True, "web failed: because")
    assert goals.ready(row(ready=False)) is None
    assert goals.ready(row()) == (True, "web running: because")
    assert goals.ready(row(ready=False, state="skipped")) == (False, "web skipped: because")
    assert goals.exited(row()) is None
    assert goals.exited(row(state="completed")) == (True, "web completed: because")
    assert goals.exited(row(state="failed")) == (False, "web failed: because")
