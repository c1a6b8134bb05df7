"""`procession up`: how often and how a probe is tried, and the rarer ones as checks of health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.listeners import Listener
from tests.support.puppets import Puppets
from tests.support.up import Project, actor

GOOD = b"HTTP/1.1 204 Fine\r\n\r\n"


def asked(
    project: Project,
    http: dict[str, Any],
    answer: Callable[[bytes], bytes],
    timeout: str = "5s",
) -> list[bytes]:
    """What a server was asked until `second` started, which needs `first` to be ready."""
    seen: list[bytes] = []

    def serve(sock: Any) -> None:
        seen.append(sock.recv(65536))
        sock.sendall(answer(seen[-1]))

    with Listener(serve) as server:
        url = f"http://127.0.0.1:{server.port}/up"
        check = {"http": {"url": url, **http}, "interval": "20ms", "timeout": timeout}
        project.tasks(
            {
                "first": actor("obedient", "first", ready=check),
                "second": actor("obedient", "second", depends_on=["first"]),
            }
        )
        up = project.up()
        project.stage.ready("second")
        assert up.stop() == 0, up.said()
    project.stage.gone()
    return seen


@pytest.mark.quick
@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_server_is_asked_as_the_file_says(project: Project, method: str) -> None:
    """The method, the headers; and of the statuses just those that are good."""
    answers = iter([b"HTTP/1.1 200 No\r\n\r\n", b"HTTP/1.1 404 No\r\n\r\n"])
    http = {"method": method, "status": ["201-204", 503], "headers": {"X-Token": "secret"}}
    seen = asked(project, http, lambda _: next(answers, GOOD))
    assert len(seen) == 3, "asked again until it was good, and no more"
    for request in seen:
        assert request.startswith(f"{method} /up HTTP/1.1\r\n".encode())
        assert b"\r\nX-Token: secret\r\n" in request
    log = project.log("procession.log").decode()
    assert "secret" not in log


def test_a_try_may_have_more_time_than_a_selector_takes_at_once(project: Project) -> None:
    assert len(asked(project, {}, lambda _: GOOD, timeout="1000h")) == 1


@pytest.mark.quick
def test_so_many_successes_in_a_row(project: Project) -> None:
    """A failure between them begins the count anew: the sixth try is the third in a row."""
    script = "echo . >>tries; [ $(grep -c . tries) != 3 ]"
    check = {"exec": ["sh", "-c", script], "interval": "5ms", "successes": 3, "timeout": "20s"}
    project.tasks(
        {
            "first": actor("obedient", "first", ready=check),
            "second": actor("obedient", "second", depends_on=["first"]),
        }
    )
    up = project.up()
    project.stage.ready("second")
    assert (project.folder / "tries").read_text().count(".") == 6
    assert up.stop() == 0, up.said()
    project.stage.gone()


@pytest.mark.parametrize(
    ("check", "good", "bad", "words"),
    [
        ({"file": "beat"}, "touch('beat')", "os.unlink('beat')", "it is not there"),
        ({"fd": 7}, r"os.write(7, b'\n')", "os.close(7)", "fd 7"),
    ],
)
def test_what_a_run_says_of_its_health(
    project: Project, puppets: Puppets, check: dict[str, Any], good: str, bad: str, words: str
) -> None:
    """In `health` as in `ready`, for those kinds that the run has to say something for."""
    a = puppets("a")
    health = {**check, "interval": "200ms", "failures": 2, "initial-delay": "100ms"}
    project.tasks({"a": a.task(health=health)})
    up = project.up()
    a.do(good)
    project.until_logged("a healthy")
    a.send(bad)
    assert up.status() != 0, up.said()
    assert "a failed: unhealthy: " in up.err, up.said()
    assert words in up.err
    project.stage.gone()


def test_of_several_checks_of_health_one_may_be_enough(project: Project) -> None:
    (project.folder / "one").touch()
    checks: dict[str, Any] = {
        "exec": "test -e one", "file": "never", "any": True, "interval": "20ms", "failures": 2,
    }  # fmt: skip
    project.tasks({"a": actor("obedient", "a", health=checks)})
    up = project.up()
    project.until_logged("a healthy")
    (project.folder / "one").unlink()
    assert up.status() != 0, up.said()
    project.stage.gone()


def test_who_has_to_say_that_it_is_well_and_does_not(project: Project, puppets: Puppets) -> None:
    well = puppets("well")
    health = {"notify": True, "interval": "20ms", "failures": 3}
    project.tasks({"well": well.task(health={**health, "failures": 1000})})  # it takes its time
    up = project.up()
    well.do("notify.ready()")
    project.until_logged("well healthy")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    project.stage.again()
    project.tasks({"silent": actor("obedient", "silent", health=health)})
    up = project.up()
    assert up.status() != 0, up.said()
    assert "silent failed: unhealthy: notify: not" in up.err, up.said()
    project.stage.gone()
