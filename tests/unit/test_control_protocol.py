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


def judged(goal: goals.Goal, *names: str) -> goals.Judge:
    return goals.Judge(dict.fromkeys(names, goal))


def test_all_have_to_be_ready_at_the_same_time() -> None:
    judge = judged(goals.ready, "web", "db")
    db = row("db", "db")
    assert judge.look([row(), row("db", "db", ready=False)]) == ["web running: because"]
    assert (judge.is_over, judge.open) == (False, ["db"])
    # it begins anew: that it was ready once is of no use
    assert judge.look([row(state="backoff", ready=False), db]) == [
        "web backoff: because",
        "db running: because",
    ]
    assert (judge.is_over, judge.open) == (False, ["web"])
    assert judge.look([row(run=2), db]) == ["web running: because"]
    assert judge.is_over
    assert not judge.failed


def test_the_first_that_cannot_become_ready_is_the_end_of_it() -> None:
    judge = judged(goals.ready, "web", "db")
    slow = row("db", "db", ready=False)
    judge.look([row(), slow])
    bad = row(state="failed", ready=False)
    assert judge.look([bad, slow]) == ["web failed: because"]
    assert judge.is_over
    assert judge.failed == {"web": "web failed: because"}
    both = judged(goals.ready, "web", "db")
    both.look([bad, row("db", "db")])  # of one version: what is good does not make up for it
    assert both.is_over
    assert list(both.failed) == ["web"]


def test_a_start_is_lost_with_the_run_that_came_of_it() -> None:
    judge = judged(lambda now: goals.started(now, 0), "web", "db")
    slow = row("db", "db", state="running", ready=False)
    assert judge.look([row(), slow]) == ["web running: because"]
    judge.look([row(state="failed", ready=False), slow])
    assert judge.is_over
    assert list(judge.failed) == ["web"]


@pytest.mark.parametrize("goal", [goals.exited, goals.stopped])
def test_an_end_stays_one_and_all_are_waited_for(goal: goals.Goal) -> None:
    judge = judged(goal, "web", "db")
    assert judge.look([row(state="failed"), row("db", "db")]) == ["web failed: because"]
    assert judge.look([row(run=2), row("db", "db")]) == []  # somebody started it again
    assert (judge.is_over, judge.open) == (False, ["db"])
    assert judge.look([row(run=2), row("db", "db", state="completed")]) == ["db completed: because"]
    assert judge.is_over
    assert list(judge.failed) == (["web"] if goal is goals.exited else [])


def test_who_is_late_is_named_with_the_reason() -> None:
    rows = [row(f"web-{n}", reason="not ready yet: tcp 80: refused\n") for n in range(1, 8)]
    assert goals.late("ready", 4.0, rows[:1]) == (
        "after 4 s not ready: web-1 (running: not ready yet: tcp 80: refused\\n)"
    )
    assert goals.late("ended", 0.25, rows).endswith(") and 2 more")
