"""Which tasks run: `--only`, `--except`, and what they need."""

from __future__ import annotations

import pytest

from procession.core.selection import select, task_called
from procession.errors import UsageError
from procession.spec import Dependency, Project, Task

pytestmark = pytest.mark.quick


def task(name: str, *needs: str, tags: str = "", replicas: int = 1) -> Task:
    return Task(
        name,
        "x",
        tags=tuple(tags.split()),
        depends_on=tuple(Dependency(need) for need in needs),
        replicas=replicas,
    )


SHOP = Project(
    "shop",
    "/srv",
    (
        task("web", "db", "cache", tags="front http", replicas=3),
        task("db", "disk", tags="store"),
        task("cache", tags="store"),
        task("disk"),
        task("Worker", "db", tags="back"),
    ),
    exit_code_from="web",
)


def names(project: Project) -> list[str]:
    return [replica.name for replica in project.replicas()]


def needs(project: Project, name: str) -> list[str]:
    (found,) = (t for t in project.tasks if t.name == name)
    return [need.task for need in found.depends_on]


def test_nothing_said_is_everything() -> None:
    assert select(SHOP) is SHOP


def test_a_task_comes_with_what_it_needs_in_the_files_order() -> None:
    assert names(select(SHOP, ["worker"])) == ["db", "disk", "Worker"]
    assert names(select(SHOP, ["web"])) == ["web-1", "web-2", "web-3", "db", "cache", "disk"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["db"], ["db"]),
        (["DB", "cache"], ["db", "cache"]),
        (["store"], ["db", "cache"]),
        (["web-2"], ["web-2"]),
        (["WEB-3", "web-1", "disk"], ["web-1", "web-3", "disk"]),
        (["front"], ["web-1", "web-2", "web-3"]),
        (["web-1", "web"], ["web-1", "web-2", "web-3"]),
        (["back", "back"], ["Worker"]),
    ],
)
def test_words_are_names_replicas_or_tags(words: list[str], found: list[str]) -> None:
    assert names(select(SHOP, words, needed=False)) == found


def test_what_is_not_there_is_no_need() -> None:
    assert needs(select(SHOP, ["worker"], needed=False), "Worker") == []
    assert needs(select(SHOP, ["worker", "disk", "db"], needed=False), "Worker") == ["db"]
    assert needs(select(SHOP, without=["cache"]), "web") == ["db"]


def test_what_is_excluded_is_left_out_with_what_it_alone_needs() -> None:
    assert names(select(SHOP, without=["front", "db"])) == ["cache", "disk", "Worker"]
    assert names(select(SHOP, ["worker"], ["db"])) == ["Worker"]
    assert names(select(SHOP, without=["web-2"]))[:2] == ["web-1", "web-3"]
    assert names(select(SHOP, ["web"], ["web-1", "store"])) == ["web-2", "web-3"]


def test_one_replica_of_a_task_is_itself() -> None:
    (web, *_) = select(SHOP, ["web-2"], needed=False).replicas()
    assert (web.name, web.index) == ("web-2", 2)
    variants = tuple(task("web").replace(args=(str(i),), replicas=3) for i in (1, 2, 3))
    project = SHOP.replace(tasks=(SHOP.tasks[0].replace(variants=variants),))
    assert [r.task.args for r in select(project, ["web-2", "web-3"]).replicas()] == [("2",), ("3",)]


def test_what_is_asked_for_starts_and_what_it_needs() -> None:
    later = tuple(t.replace(autostart=False) for t in SHOP.tasks)
    project = SHOP.replace(tasks=later)
    assert {t.autostart for t in select(project, ["worker"]).tasks} == {True}
    assert {t.autostart for t in select(project, without=["web"]).tasks} == {False}


def test_whose_status_it_is_when_that_task_does_not_run() -> None:
    assert select(SHOP, ["web"]).exit_code_from == "web"
    assert select(SHOP, ["db"]).exit_code_from is None


@pytest.mark.parametrize(
    ("only", "without", "said"),
    [
        (["web", "nope"], [], "--only: no task, replica or tag is called `nope`; expected Worker"),
        (["web-4"], [], "--only: no task, replica or tag is called `web-4`"),
        (["db-1"], [], "--only: no task, replica or tag is called `db-1`"),
        ([], ["Front"], "--except: no task, replica or tag is called `Front`"),
        (["db"], ["store"], "--except: no task is left to run"),
        ([], ["web", "store", "disk", "back"], "--except: no task is left to run"),
    ],
)
def test_words_that_name_nothing(only: list[str], without: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(SHOP, only, without, needed=False)
    assert str(caught.value).startswith(said)


def test_a_task_by_the_name_of_an_option() -> None:
    assert task_called(SHOP, "worker", "--exit-code-from") == "Worker"
    with pytest.raises(UsageError, match="--exit-code-from: no task that runs has the name `x`"):
        task_called(SHOP, "x", "--exit-code-from")
