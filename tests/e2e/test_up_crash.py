"""`procession up`: its own death, by any half, at any time. Nothing survives it.

As an ordinary user without control groups: what is found is found by lineage, session, group and
cookie alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.programs import as_ordinary_user
from tests.support.stage import WITHIN
from tests.support.up import Inotify, Project, actor, children, readable, sh

CRASH_GRACE = 1.0  # the default of --crash-grace


def families(tasks: int, deaf: int) -> dict[str, dict[str, object]]:
    """Tasks of 6 processes, 2 of them daemonised; the first so many of the tasks are deaf."""
    kinds = ["deaf"] * deaf + ["obedient"] * (tasks - deaf)
    return {
        f"t{number}": actor("family", f"t{number}", kind, 3, 2) for number, kind in enumerate(kinds)
    }


def nobody() -> list[str]:
    """What goes before a command that an ordinary user shall run."""
    return as_ordinary_user([])


def test_deaf_trees_are_gone_soon_after_ctrl_c(project: Project) -> None:
    """10 tasks that ignore every request, each with a child and a daemon."""
    names = [f"t{number}" for number in range(10)]
    project.tasks(
        {name: actor("family", name, "deaf", 1, 1, stop={"timeout": "1s"}) for name in names}
    )
    up = project.up("--quiet", wrap=nobody())
    project.stage.ready(count=30)
    up.kill(signal.SIGINT)
    assert project.stage.gone(within=2.0) >= 0.9, "they had their second"
    assert up.status() == 0, up.said()


@pytest.mark.quick
def test_the_supervisor_is_killed(project: Project) -> None:
    """20 tasks of 6 processes, a third daemonised, 7 tasks deaf."""
    project.tasks(families(20, 7))
    up = project.up("--quiet", wrap=nobody())
    ready = project.stage.ready(count=120)
    (supervisor,) = children(up.pid) & {event.parent for event in ready}
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone(within=CRASH_GRACE + 1.0)
    assert up.status() == 1, up.said()
    heard = {event.who for event in project.stage.all("heard")}
    obedient = {e.who for e in ready if int(e.who[1:].partition(".")[0]) >= 7}
    assert len(obedient) == 78
    assert heard == obedient, "who obeys had the signal, and nobody was killed first"
    assert "Traceback" not in up.err
    assert up.err.strip(), "it says what was swept"


def test_the_supervisor_is_killed_and_each_task_has_its_own_signal(project: Project) -> None:
    project.tasks(
        {
            "int": actor("obedient", "int", stop={"signal": "INT"}),
            "usr1": actor("obedient", "usr1", stop={"signal": "USR1"}),
            "term": actor("obedient", "term"),
        }
    )
    up = project.up(wrap=nobody())
    supervisor = project.stage.ready("int", "usr1", "term")[0].parent
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone(within=CRASH_GRACE + 1.0)
    assert up.status() == 1, up.said()
    assert {(e.who, e.words[0]) for e in project.stage.all("heard")} == {
        ("int", "SIGINT"),
        ("usr1", "SIGUSR1"),
        ("term", "SIGTERM"),
    }


@pytest.mark.quick
def test_who_prints_while_it_is_swept_is_not_cut_off(project: Project) -> None:
    """The supervisor was the only reader of its pipes: SIGPIPE would end the clean-up."""
    folder = project.folder
    clean = "trap 'echo last words; echo an error >&2; echo through >done; exit 0' TERM"
    # what one process of a task writes to another is not ours to read
    between = "(trap 'echo 3; exit' TERM; echo 2; echo 1; echo >b; while :; do sleep 0.01; done)"
    project.tasks(
        {
            "a": sh(f"{clean}; echo first; echo >a; while :; do sleep 0.01; done"),
            "b": sh(f"{between} | (trap '' TERM; sort >sorted)"),
            # it would meet the pipe without a reader within a moment
            "c": sh("trap 'echo bye; exit' TERM; while :; do echo x; done"),
            # who cannot be tied to a run holds the same pipe
            "d": sh("(env -i setsid sleep 60 &); trap 'echo bye; exit' TERM; while :; do :; done"),
        }
    )
    with Inotify() as changes:
        changes.add(folder)
        up = project.up()
        deadline = time.monotonic() + WITHIN
        while not ((folder / "a").exists() and (folder / "b").exists()):
            assert changes.wait(deadline), up.said()
    project.until_logged(" began")
    deadline = time.monotonic() + WITHIN
    while _pipes(up.pid) < 2 * 4 + 2:  # the guardian looks around every 0.1 s; two are its own
        assert time.monotonic() < deadline, "it holds no output"
        os.sched_yield()
    (supervisor,) = children(up.pid)
    os.kill(supervisor, signal.SIGKILL)
    assert up.status() == 1, up.said()
    assert (folder / "done").read_text() == "through\n"
    assert (folder / "sorted").read_text() == "1\n2\n3\n"
    assert project.log("a.log") == b"first\nlast words\n"
    assert b" the supervisor was lost (killed by SIGKILL)" in project.log("procession.log")
    assert project.log("c.log").endswith(b"x\nbye\n")
    assert project.log("d.log") == b"bye\n"
    assert project.log("a.stderr.log").endswith(b"an error\n")  # the shell tells of its `sleep`


def test_a_crash_is_swept_also_with_next_to_no_descriptors(project: Project) -> None:
    """The last words of a task may be lost then; no task is."""
    names = [f"t{number}" for number in range(40)]
    project.tasks({name: actor("obedient", name) for name in names})
    few = ["sh", "-c", 'ulimit -n 300 && exec "$@"', "sh"]
    up = project.up("--quiet", wrap=few)
    supervisor = project.stage.ready(*names)[0].parent
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone(within=CRASH_GRACE + 1.0)
    assert up.status() == 1, up.said()
    assert {event.who for event in project.stage.all("heard")} == set(names)
    assert "Traceback" not in up.err


def test_the_crash_grace_is_an_option(project: Project) -> None:
    project.tasks({"deaf": actor("deaf", "deaf", stop={"timeout": "1h"})})
    up = project.up("--crash-grace", "0.2", wrap=nobody())
    os.kill(project.stage.ready("deaf")[0].parent, signal.SIGKILL)
    assert project.stage.gone(within=1.0) >= 0.1
    assert up.status() == 1, up.said()


def test_the_supervisor_is_killed_during_a_stop(project: Project) -> None:
    project.tasks(
        {
            "deaf": actor("family", "deaf", "deaf", 1, 1, stop={"timeout": "1h"}),
            "hears": actor("hears_once", "hears", project.gate("never"), stop={"timeout": "1h"}),
        }
    )
    up = project.up(wrap=nobody())
    supervisor = project.stage.ready("deaf", "hears")[0].parent
    project.stage.ready(count=4)
    up.kill(signal.SIGTERM)
    project.stage.wait("heard", "hears")
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone(within=CRASH_GRACE + 1.0)
    assert up.status() == 1, up.said()


@pytest.mark.quick
@pytest.mark.parametrize("whole_group", [False, True], ids=["alone", "its whole group"])
def test_the_guardian_is_killed(project: Project, whole_group: bool) -> None:
    """The supervisor sees it, and stops all gracefully."""
    tasks = families(3, 0)
    tasks["deaf"] = actor("family", "deaf", "deaf", 1, 1, stop={"timeout": "300ms"})
    project.tasks(tasks)
    up = project.up("--quiet", wrap=nobody(), group=True)
    ready = project.stage.ready(count=21)
    (supervisor,) = children(up.pid) & {event.parent for event in ready}
    pidfd = os.pidfd_open(supervisor)
    try:
        (os.killpg if whole_group else os.kill)(up.pid, signal.SIGKILL)
        assert up.status() == -signal.SIGKILL
        project.stage.gone(within=3.0)
        assert readable(pidfd, time.monotonic() + 5.0), "the supervisor ended too"
    finally:
        os.close(pidfd)
    heard = {event.who for event in project.stage.all("heard")}
    assert heard == {e.who for e in ready if not e.who.startswith("deaf")}
    assert b"guardian" in project.log("procession.log")


def test_a_stopped_supervisor_is_killed(project: Project) -> None:
    """It cannot answer any more, and its death is seen all the same."""
    project.tasks({"a": actor("family", "a", "obedient", 1, 1)})
    up = project.up(wrap=nobody())
    supervisor = project.stage.ready("a")[0].parent
    project.stage.ready(count=3)
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone(within=CRASH_GRACE + 1.0)
    assert up.status() == 1, up.said()


def test_a_stopped_supervisor_does_not_deafen_up(project: Project) -> None:
    """SIGSTOP to the supervisor, then SIGTERM to up: the request wakes it."""
    project.tasks({"a": actor("obedient", "a")})
    up = project.up(wrap=nobody())
    supervisor = project.stage.ready("a")[0].parent
    os.kill(supervisor, signal.SIGSTOP)
    up.kill(signal.SIGTERM)
    assert up.status() == 0, up.said()
    project.stage.gone()


def test_the_guardians_last_words_do_not_wait_for_a_reader(project: Project) -> None:
    """stderr is a full pipe that nobody reads, and the supervisor is killed."""
    project.tasks({"a": actor("obedient", "a")})
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writes, b"x" * 4096)
    os.set_blocking(writes, True)
    try:
        up = project.up("--quiet", err=writes)
        os.kill(project.stage.ready("a")[0].parent, signal.SIGKILL)
        assert up.status() == 1
        project.stage.gone()
    finally:
        os.close(reads)
        os.close(writes)


def test_what_was_there_before_us_is_not_swept(project: Project) -> None:
    """The orphan of an older child of the process that became `up` comes to the guardian."""
    project.tasks({"a": actor("obedient", "a")})
    go = project.folder / "go"
    os.mkfifo(go)
    older = "(read _ <go; setsid sleep 60 & echo $! >stranger.new; mv stranger.new stranger) & "
    up = project.up(wrap=["/bin/sh", "-c", older + 'exec "$@"', "sh"])
    project.stage.ready("a")
    gate = os.open(go, os.O_RDWR | os.O_CLOEXEC)  # as a reader too: nobody need be there yet
    try:
        with Inotify() as changes:
            changes.add(project.folder)
            os.write(gate, b"\n")
            deadline = time.monotonic() + 10
            while not (project.folder / "stranger").exists():
                assert changes.wait(deadline), "it never came"
    finally:
        os.close(gate)
    stranger = int((project.folder / "stranger").read_text())
    while _parent(stranger) != up.pid:  # its parent ends right after it was written down
        os.sched_yield()
    try:
        assert up.stop() == 0, up.said()
        assert "swept" not in up.err
        project.stage.gone()
    finally:
        os.kill(stranger, signal.SIGKILL)


def _pipes(pid: int) -> int:
    found = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += "pipe:" in os.readlink(fd)
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_crash_before_any_task_began(project: Project) -> None:
    project.tasks({"a": {"program": "true", "start-delay": "1h"}})
    up = project.up(wrap=nobody())
    project.until_logged("began")
    (supervisor,) = children(up.pid)
    os.kill(supervisor, signal.SIGKILL)
    assert up.status() == 1, up.said()
    assert "Traceback" not in up.err
