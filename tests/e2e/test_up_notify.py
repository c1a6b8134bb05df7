"""`procession up` as the manager whom tasks speak to by sd_notify(3), with our own client."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.puppets import Puppet, Puppets
from tests.support.up import Project, actor, children


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the test's own, at the end of which no socket is left."""
    with tempfile.TemporaryDirectory(prefix="n-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)
        assert folders(Path(folder)) == []


def folders(runtime: Path) -> list[Path]:
    """Those of our sockets."""
    return list(runtime.glob("procession-*"))


def started(project: Project, puppet: Puppet, **keys: object) -> None:
    """One task that is to say that it is ready."""
    project.tasks({puppet.name: puppet.task(**{"ready": {"notify": True}, **keys})})
    project.up()
    project.stage.ready(puppet.name)


def ended(project: Project) -> None:
    (up,) = project.ups
    assert up.stop() == 0, up.said()
    project.stage.gone()


@pytest.mark.quick
def test_the_socket_is_for_our_user_alone(
    project: Project, puppets: Puppets, runtime: Path
) -> None:
    a = puppets("a")
    started(project, a)
    (folder,) = folders(runtime)
    (sock,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(sock.stat().st_mode) == 0o600
    a.do(f"assert os.environ['NOTIFY_SOCKET'] == {str(sock)!r}")
    a.do("assert 'WATCHDOG_USEC' not in os.environ")
    ended(project)


def test_who_is_not_asked_has_no_socket(project: Project, runtime: Path) -> None:
    project.tasks({"a": actor("facts", "found.json")})
    up = project.up()
    assert up.status() == 0, up.said()
    assert "NOTIFY_SOCKET" not in project.facts("found.json")["environment"]


@pytest.mark.quick
def test_ready_is_said_by_the_run_or_whom_it_started(project: Project, puppets: Puppets) -> None:
    """A barrier waits until it was heard: `systemd-notify` ends right after it has spoken."""
    a = puppets("a")
    started(project, a)
    child = "from procession import notify; assert notify.ready('up'); assert notify.barrier(10)"
    argv = [sys.executable, "-c", child]
    a.do(f"import subprocess; subprocess.run({argv!r}, check=True)")
    a.do("assert notify.barrier(10)")
    assert "a ready" in project.log("procession.log").decode()
    ended(project)


def test_a_daemon_of_the_run_is_of_the_run(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    started(project, a)
    speaks = "notify.ready(), notify.barrier(10), time.sleep(1000)"
    a.do(f"os.fork() or (os.setsid(), os.fork() and os._exit(0), {speaks})")
    project.until_logged("a ready")
    ended(project)


@pytest.mark.quick
def test_a_stranger_is_not_heard_and_told_of_once(
    project: Project, puppets: Puppets, runtime: Path
) -> None:
    """Also not another task of the same project."""
    a, b = puppets("a"), puppets("b")
    project.tasks({p.name: p.task(ready={"notify": True}) for p in (a, b)})
    project.up()
    project.stage.ready("a", "b")
    a.do("touch(os.environ['NOTIFY_SOCKET'] + '.is-of-a')")
    (mark,) = runtime.glob("*/*.is-of-a")
    path = str(mark).removesuffix(".is-of-a")
    mark.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for _ in range(3):
            sock.sendto(b"READY=1", path)
    project.until_logged(f"a message of process {os.getpid()} is ignored: it is not of this run")
    b.do(f"os.environ['NOTIFY_SOCKET'] = {path!r}; notify.ready()")
    b.do("assert notify.barrier(10)")
    a.do("assert notify.barrier(10)")
    log = project.log("procession.log").decode()
    assert log.count("is ignored: it is not of this run") == 1
    assert "a ready" not in log
    a.do("notify.ready()")
    project.until_logged("a ready")
    assert "b ready" not in project.log("procession.log").decode()
    ended(project)


def test_what_is_no_message_or_means_nothing_is_told_and_harms_nobody(
    project: Project, puppets: Puppets
) -> None:
    a = puppets("a")
    started(project, a)
    a.do("import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
         "s.connect(os.environ['NOTIFY_SOCKET'])")  # fmt: skip
    a.do(r"s.send(b'\xff\xfe\0READY=1'); s.send(b'READY=1' * 2000); s.send(b'')")
    a.do("s.send(b'FDSTORE=1'); s.send(b'ERRNO=2'); s.send(b'READY=perhaps'); s.send(b'X_OWN=1')")
    a.do("r, w = os.pipe(); socket.send_fds(s, [b'FDSTORE=1'], [w] * 200); os.close(w)")
    a.do("assert os.read(r, 1) == b'', 'what was sent along is closed'")
    a.do("assert notify.barrier(10)")
    log = project.log("procession.log").decode()
    for words in (
        "a message that holds a NUL is ignored",
        "a message that is longer than 4096 bytes is ignored",
        "a message that is empty is ignored",
        "FDSTORE= means nothing here, and is ignored",
        "READY=perhaps means nothing here",
        "tells of error 2 (No such file or directory)",
    ):
        assert log.count(words) == 1, (words, log)
    assert "X_OWN" not in log
    assert "a ready" not in log
    a.do("notify.ready()")
    project.until_logged("a ready")
    ended(project)


def test_a_flood_holds_up_nobody_else(project: Project, puppets: Puppets) -> None:
    a, b = puppets("a"), puppets("b")
    project.tasks({p.name: p.task(ready={"notify": True}) for p in (a, b)})
    up = project.up()
    project.stage.ready("a", "b")
    a.send("n = 0")
    a.send("while True: n += notify.send(f'STATUS={n}')")
    project.until_logged("supervisor")
    b.do("notify.ready()")
    project.until_logged("b ready")
    (supervisor,) = children(up.pid) & {e.parent for e in project.stage.all("ready")}
    before, began = cpu(supervisor), time.monotonic()
    b.do("time.sleep(1)")  # what is measured is a time
    share = (cpu(supervisor) - before) / (time.monotonic() - began)
    assert share < 0.25, "most of a core is left to others"
    ended(project)


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- what is said later ------------------------------------------------------------------------


def test_more_time_to_become_ready(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    started(project, a, ready_timeout="4s")
    a.do("notify.extend(30); time.sleep(4.5); notify.ready()")  # longer than it had
    project.until_logged("a ready after")
    ended(project)


def test_more_time_to_stop(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    started(project, a, stop={"timeout": "1s"})
    a.do("notify.ready()")
    project.until_logged("a ready")
    a.do("import signal; signal.signal(signal.SIGTERM, lambda *_: "
         "(notify.stopping(), notify.extend(30), time.sleep(2), os._exit(0)))")  # fmt: skip
    a.send("signal.pause()")
    (up,) = project.ups
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert "a stopped: the project stops, exited with 0" in up.err, up.said()


def test_a_run_that_says_it_stops_is_not_ready_any_more(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    started(project, a)
    a.do("notify.ready()")
    project.until_logged("a ready")
    a.do("notify.stopping(); notify.ready(); notify.barrier(10)")
    project.until_logged("a not ready any more")
    ended(project)


def test_the_main_process_is_whom_a_command_of_the_stop_is_told(
    project: Project, puppets: Puppets
) -> None:
    a = puppets("a")
    stop = {"command": ["sh", "-c", "echo $PROCESSION_PID >told"]}
    started(project, a, stop=stop)
    a.do("import subprocess; child = subprocess.Popen(['sleep', '1000'])")
    a.do("notify.mainpid(1); notify.mainpid(child.pid); notify.ready(); notify.barrier(10)")
    a.do("open('pid', 'w').write(str(child.pid))")
    project.until_logged("MAINPID=1 is ignored: it is not of this run")
    ended(project)
    assert (project.folder / "told").read_text().strip() == (project.folder / "pid").read_text()


# --- ends --------------------------------------------------------------------------------------


def test_each_run_has_a_socket_of_its_own(project: Project, puppets: Puppets) -> None:
    """What one run says late is never taken for what the next one says."""
    a = puppets("a")
    started(project, a, restart="always", restart_backoff=0)
    a.do("open('first', 'w').write(os.environ['NOTIFY_SOCKET'])")
    a.send("os._exit(0)")
    project.stage.ready("a", count=2)
    a.do("open('second', 'w').write(os.environ['NOTIFY_SOCKET'])")
    first, second = [(project.folder / name).read_text() for name in ("first", "second")]
    assert first != second
    assert not os.path.exists(first)
    ended(project)


@pytest.mark.quick
def test_the_guardian_removes_what_a_killed_supervisor_left(
    project: Project, puppets: Puppets, runtime: Path
) -> None:
    a = puppets("a")
    started(project, a)
    (up,) = project.ups
    (event,) = project.stage.all("ready")
    assert len(folders(runtime)) == 1
    os.kill(event.parent, signal.SIGKILL)
    assert up.status() == 1, up.said()
    project.stage.gone()
    assert folders(runtime) == []


def test_a_folder_that_is_too_deep_is_not_used(
    project: Project, puppets: Puppets, runtime: Path
) -> None:
    deep = runtime / ("x" * 90)
    deep.mkdir()
    a = puppets("a")
    project.tasks({"a": a.task(ready={"notify": True})})
    up = project.up(env={"XDG_RUNTIME_DIR": str(deep)})
    project.stage.ready("a")
    a.do("notify.ready()")
    project.until_logged("a ready")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    shutil.rmtree(deep)  # the runtime folder in it stays
