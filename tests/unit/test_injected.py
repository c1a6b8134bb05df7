"""The variables that every run finds."""

from __future__ import annotations

import pytest

from procession.spec import Task, replicas_of
from procession.supervisor.injected import injected
from procession.supervisor.runs import cookie_of, replica_of

pytestmark = pytest.mark.quick


def test_each_replica_has_a_port_of_its_own() -> None:
    found = [injected("p", r, 4) for r in replicas_of(Task("web", "x", replicas=3, port=8000))]
    assert [env["PORT"] for env in found] == ["8000", "8001", "8002"]
    assert [env["PROCESSION_REPLICA"] for env in found] == ["1", "2", "3"]
    assert {env["PROCESSION_TASK"] for env in found} == {"web"}
    assert {env["PROCESSION_RUN_NUMBER"] for env in found} == {"4"}


def test_without_a_port_there_is_none() -> None:
    (replica,) = replicas_of(Task("web", "x"))
    assert "PORT" not in injected("p", replica, 1)


@pytest.mark.parametrize("replica", ["web", "web-1", "a.b.c"])
@pytest.mark.parametrize("run", [1, "1+7"])
def test_a_cookie_tells_whose_it_is_also_of_an_errand(replica: str, run: int | str) -> None:
    assert replica_of(cookie_of("token", replica, run)) == replica
