"""The sockets of sd_notify(3) on the manager's side: whose they are, and who is heard."""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.supervisor import notify_socket
from procession.supervisor.notify_socket import NotifySocket, Sockets
from procession.supervisor.talk import Heard
from tests.support.programs import BOUND


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="n-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.delenv("TMPDIR", raising=False)
        yield Path(folder)


class Made:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.sockets = Sockets(self.told.append)
        self.opened: list[NotifySocket] = []

    def open(self, uid: int | None = None) -> NotifySocket:
        self.opened.append(self.sockets.open(uid))
        return self.opened[-1]

    def close(self) -> None:
        for sock in self.opened:
            sock.close()
        self.sockets.close()


@pytest.fixture
def made(runtime: Path) -> Iterator[Made]:
    found = Made()
    yield found
    found.close()


def heard(sock: NotifySocket) -> Heard:
    assert select.select([sock], [], [], BOUND)[0]
    found = sock.read()
    assert found is not None
    return found


def client(sock: NotifySocket) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.connect(sock.path)
    return found


@pytest.mark.quick
def test_the_folder_is_told_of_before_it_is_there_and_removed_in_the_end(
    made: Made, runtime: Path
) -> None:
    one, other = made.open(), made.open()
    (folder,) = runtime.iterdir()
    assert made.told == [str(folder)]
    assert one.path != other.path
    assert {Path(s.path).parent for s in made.opened} == {folder}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(os.stat(one.path).st_mode) == 0o600
    one.close()
    assert os.listdir(folder) == [os.path.basename(other.path)]
    one.close()
    made.close()
    assert list(runtime.iterdir()) == []


@pytest.mark.quick
def test_the_kernel_tells_who_speaks_and_holds_on_to_it(made: Made) -> None:
    sock = made.open()
    script = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.sendto(b'READY=1', sys.argv[1])\n"
    )
    with subprocess.Popen([sys.executable, "-S", "-c", script, sock.path]) as child:
        message = heard(sock)
        assert message.data == b"READY=1"
        assert message.pid == child.pid
        child.wait(BOUND)
    if message.pidfd is not None:  # Linux 6.5
        with pytest.raises(ProcessLookupError):
            signal.pidfd_send_signal(message.pidfd, 0)
    message.close()
    message.close()
    assert sock.read() is None


def test_what_comes_with_a_message_is_ours_to_close_and_nobody_inherits_it(made: Made) -> None:
    sock = made.open()
    reads, writes = os.pipe()
    with client(sock) as sender:
        socket.send_fds(sender, [b"BARRIER=1"], [writes, writes])
    os.close(writes)
    message = heard(sock)
    assert len(message.fds) == 2
    assert not any(map(os.get_inheritable, message.fds))
    assert not select.select([reads], [], [], 0)[0], "it is open"
    message.close()
    assert os.read(reads, 1) == b""
    os.close(reads)


def test_of_a_message_that_is_too_long_one_byte_more_is_seen(made: Made) -> None:
    sock = made.open()
    with client(sock) as sender:
        sender.send(b"x" * 5000)
        sender.send(b"x" * 4096)
    for size in (4097, 4096):
        message = heard(sock)
        message.close()
        assert len(message.data) == size


@pytest.mark.parametrize("kind", ["missing", "not ours to trust", "too deep", "unset", "relative"])
def test_where_the_runtime_folder_is_no_good_another_is_used(
    made: Made, runtime: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = runtime / ("x" * 100 if kind == "too deep" else "x")
    if kind != "missing":
        place.mkdir()
    if kind == "not ours to trust":
        place.chmod(0o777)
    value = {"unset": "", "relative": "x"}.get(kind, str(place))
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert notify_socket._base() == "/tmp"
    monkeypatch.setenv("TMPDIR", str(runtime))
    runtime.chmod(0o1777)
    assert notify_socket._base() == str(runtime)
    assert made.open().path.startswith(str(runtime))


@pytest.mark.root
def test_the_socket_of_another_user_is_that_users(made: Made, runtime: Path) -> None:
    ours, theirs = made.open(), made.open(uid=12345)
    folder = Path(theirs.path).parent
    assert folder.parent == Path("/tmp"), "where they can come"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711
    script = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(12345); os.setuid(12345)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.sendto(b'READY=1', sys.argv[1])\n"
    )
    argv = [sys.executable, "-S", "-c", script]
    assert subprocess.run([*argv, theirs.path], timeout=BOUND, check=False).returncode == 0
    heard(theirs).close()
    done = subprocess.run([*argv, ours.path], timeout=BOUND, check=False, capture_output=True)
    assert b"PermissionError" in done.stderr
