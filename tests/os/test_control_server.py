"""The server of a running project, before a supervisor that is played."""

from __future__ import annotations

import errno
import http.client
import json
import os
import pwd
import select
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.control import server as servers
from procession.control.address import About, claim
from procession.control.client import Client, NotRunningError, RefusedError
from procession.control.door import Door
from procession.control.protocol import ROW_KEYS
from procession.control.server import MOST_AT_ONCE, Server

WITHIN = 10.0


class Played:
    """A supervisor whose state the test moves by hand."""

    def __init__(self) -> None:
        self.version = 0
        self.stopping = False
        self.answers = True
        self.wishes: list[tuple[str, list[str], str]] = []
        self._news = threading.Condition()
        self.asked = threading.Semaphore(0)

    def rows(self) -> tuple[int, bool, list[dict[str, object]]]:
        if not self.answers:
            raise TimeoutError
        empty = dict.fromkeys(ROW_KEYS)
        rows: list[dict[str, object]] = [
            {**empty, "name": name, "task": name.partition("-")[0]}
            for name in ("web-1", "web-2", "db")
        ]
        return self.version, self.stopping, rows

    def newer(self, version: int, within: float) -> None:
        self.asked.release()
        with self._news:
            self._news.wait_for(lambda: self.version > version, within)

    def wish(self, verb: str, names: list[str], who: str) -> None:
        self.wishes.append((verb, names, who))

    def down(self, force: bool, who: str) -> None:
        self.wishes.append(("force" if force else "down", [], who))

    def move(self) -> None:
        with self._news:
            self.version += 1
            self._news.notify_all()


class Stage:
    def __init__(self, runtime: Path) -> None:
        self.supervisor = Played()
        self.claim = claim(str(runtime), "/srv/shop.yaml", "shop")
        self.about = About("shop", "/srv/shop.yaml", os.getpid(), 0.0)
        self.door = Door(self.claim)
        assert self.door.open(self.supervisor, self.about) is None
        self.clients: list[Client] = []

    def client(self) -> Client:
        self.clients.append(Client(self.claim.folder, self.about))
        return self.clients[-1]

    def raw(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(WITHIN)
        connection.connect(self.claim.socket_path)
        return connection


@pytest.fixture
def stage() -> Iterator[Stage]:
    above = Path(tempfile.mkdtemp())  # others may get there, if the modes below let them
    above.chmod(0o755)
    runtime = above / "r"
    runtime.mkdir(0o700)
    made = Stage(runtime)
    yield made
    for client in made.clients:
        client.close()
    made.door.close()
    runtime.rmdir()  # nothing is in it
    above.rmdir()


@pytest.mark.parametrize("lack", ["descriptor", "thread"])
def test_a_door_that_cannot_be_opened_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    def none(*_: object) -> None:
        if lack == "thread":
            raise RuntimeError("can't start new thread")
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    owner, name = (threading.Thread, "start") if lack == "thread" else (socket, "socket")
    monkeypatch.setattr(owner, name, none)
    door = Door(claim(str(tmp_path), "/srv/shop.yaml", "shop"))
    said = door.open(Played(), About("shop", "/srv/shop.yaml", os.getpid(), 0.0))
    assert said is not None
    assert said.startswith("it cannot be steered from outside: ")
    assert (tmp_path / os.listdir(tmp_path)[0] / "about.json").exists(), "it is to be seen"
    door.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.quick
def test_it_shows_the_state_and_takes_wishes(stage: Stage) -> None:
    client = stage.client()
    assert stat.S_IMODE(os.stat(stage.claim.socket_path).st_mode) == 0o600
    told = client.replicas()
    assert [row["name"] for row in told["replicas"]] == ["web-1", "web-2", "db"]
    assert (told["version"], told["stopping"]) == (0, False)
    assert [row["name"] for row in client.wish("restart", "web")["replicas"]] == ["web-1", "web-2"]
    client.wish("stop", "db")
    client.down(force=True)
    client.down()
    who = f"asked for by {pwd.getpwuid(os.getuid()).pw_name}"
    assert stage.supervisor.wishes == [
        ("restart", ["web-1", "web-2"], who), ("stop", ["db"], who), ("force", [], who),
        ("down", [], who),
    ]  # fmt: skip


def test_an_answer_is_held_back_until_there_is_something_new(stage: Stage) -> None:
    client = stage.client()
    told: list[int] = []
    thread = threading.Thread(target=lambda: told.append(client.replicas(0, 30.0)["version"]))
    thread.start()
    assert stage.supervisor.asked.acquire(timeout=WITHIN)
    assert not told
    stage.supervisor.move()
    thread.join(WITHIN)
    assert told == [1]
    assert stage.client().replicas(1, 0.01)["version"] == 1


def test_what_is_refused_says_why(stage: Stage) -> None:
    client = stage.client()
    with pytest.raises(
        RefusedError, match=r"'wen': no task or replica .* is called so; there are db, web"
    ):
        client.wish("stop", "wen")
    with pytest.raises(RefusedError, match="'a/b': no task"):
        client.wish("stop", "a/b")
    stage.supervisor.stopping = True
    with pytest.raises(RefusedError, match="the whole project stops"):
        client.wish("start", "web")
    stage.supervisor.answers = False
    with pytest.raises(RefusedError, match="does not answer"):
        client.replicas()
    assert stage.supervisor.wishes == []


def test_a_body_is_bounded_and_nonsense_is_no_harm(stage: Stage) -> None:
    for text in (
        b"POST /v1/down HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /v1/down HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/down HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x00\xff /v1/project HTTP/1.1\r\n\r\n",
        b"GET /v1/project HTTP/x\r\n\r\n",
        b"DELETE /v1/project HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ):
        with stage.raw() as connection:
            connection.sendall(text)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert 400 <= answer.status < 600
    assert stage.client().replicas()["version"] == 0
    assert stage.supervisor.wishes == []


def test_those_who_hang_up_and_those_who_say_nothing_hold_up_nobody(stage: Stage) -> None:
    silent = [stage.raw() for _ in range(MOST_AT_ONCE - 1)]
    for _ in range(20):
        stage.raw().close()
    assert stage.client().replicas()["version"] == 0
    for connection in silent:
        connection.close()


def test_who_asks_takes_the_place_of_who_has_been_silent_the_longest(stage: Stage) -> None:
    first = stage.client()
    first.replicas()
    silent = [stage.raw() for _ in range(MOST_AT_ONCE - 1)]
    assert stage.client().replicas()["version"] == 0
    half = [stage.raw() for _ in range(MOST_AT_ONCE)]  # in the places of all those
    for connection in half:
        connection.sendall(b"GET /v1/project HTTP/1.1\r\nHos")
    for connection in silent:
        assert connection.recv(1) == b""
    asker = stage.client()
    assert asker.replicas()["version"] == 0
    assert half[0].recv(1) == b""
    assert first.wish("stop", "db")["version"] == 0  # it was dropped, and comes again
    assert len(stage.supervisor.wishes) == 1
    for connection in (*silent, *half):
        connection.close()


def test_an_answer_that_is_held_back_gives_its_place_to_nobody(stage: Stage) -> None:
    waiter = stage.client()
    told: list[int] = []
    thread = threading.Thread(target=lambda: told.append(waiter.replicas(0, 30.0)["version"]))
    thread.start()
    assert stage.supervisor.asked.acquire(timeout=WITHIN)
    silent = [stage.raw() for _ in range(MOST_AT_ONCE - 1)]
    assert stage.client().replicas()["version"] == 0
    stage.supervisor.move()
    thread.join(WITHIN)
    assert told == [1]
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /v1/project HTTP/1.1\r\n", b"POST /v1/down HTTP/1.1\r\nContent-Length: 99\r\n\r\n"],
)
def test_a_request_is_bounded_as_a_whole(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """Who sends a byte now and then is not waited for any longer than who sends nothing."""
    monkeypatch.setattr(servers, "WHOLE_WITHIN", 0.3)
    with stage.raw() as connection:
        connection.sendall(start)
        began = time.monotonic()
        try:
            while not select.select([connection], [], [], 0.02)[0]:
                assert time.monotonic() - began < WITHIN
                connection.sendall(b"x")
            assert connection.recv(1) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # the same, while we were sending
        assert time.monotonic() - began >= 0.25
    assert stage.supervisor.wishes == []


def test_half_a_wish_is_none(stage: Stage) -> None:
    with stage.raw() as connection:
        connection.sendall(b"POST /v1/down HTTP/1.1\r\nContent-Length: 15\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        assert b"the body ended after 0 of 15 bytes" in answer.read()
    assert stage.supervisor.wishes == []


def test_a_lack_of_threads_does_not_shut_the_door(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lacks = Server.process_request, [True]

    def lacking(self: Server, request: object, address: object) -> None:
        if lacks and lacks.pop():
            raise RuntimeError("can't start new thread")
        real(self, request, address)

    monkeypatch.setattr(Server, "process_request", lacking)
    assert stage.client().replicas()["version"] == 0
    assert not lacks


@pytest.mark.parametrize("lack", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ECONNABORTED])
def test_a_lack_that_passes_does_not_shut_the_door(tmp_path: Path, lack: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "s"))
        server = Server(listening, Played(), About("shop", "/srv/shop.yaml", 1, 0.0))
        tried: list[int] = []

        class Lacking:
            def accept(self) -> None:
                tried.append(lack)
                raise OSError(lack if len(tried) < 3 else errno.EBADF, "as played")

        server.socket = Lacking()  # type: ignore[assignment]
        with pytest.raises(OSError, match="as played") as raised:
            server.serve(lambda: False)
        assert raised.value.errno == errno.EBADF
        assert len(tried) == 3


def test_the_end_answers_who_waits_and_hangs_up(stage: Stage) -> None:
    client, other = stage.client(), stage.client()
    other.replicas()
    told: list[int] = []
    thread = threading.Thread(target=lambda: told.append(client.replicas(0, 30.0)["version"]))
    thread.start()
    assert stage.supervisor.asked.acquire(timeout=WITHIN)
    stage.supervisor.move()  # as `Steering.end` does
    began = time.monotonic()
    stage.door.close()
    thread.join(WITHIN)
    assert told == [1]
    assert time.monotonic() - began < WITHIN / 2
    with pytest.raises(NotRunningError, match="shop: it has ended"):
        other.replicas()
    assert not client.is_alive


def test_the_end_is_told_to_who_asked_lately(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "LAST_QUESTIONS", WITHIN)
    ends, really = threading.Event(), Server._is_behind

    def seen(server: Server, now: float) -> bool:
        ends.set()
        return really(server, now)

    monkeypatch.setattr(Server, "_is_behind", seen)
    client, gone = stage.client(), stage.client()
    client.replicas()
    gone.replicas()
    gone.close()
    stage.supervisor.move()
    thread = threading.Thread(target=stage.door.close)
    began = time.monotonic()
    thread.start()
    assert ends.wait(WITHIN)
    assert client.replicas(0, 30.0)["version"] == 1  # between two questions when it ended
    thread.join(WITHIN)
    assert time.monotonic() - began < WITHIN / 2  # the one that has hung up is not waited for
    with pytest.raises(NotRunningError, match="shop: it has ended"):
        client.replicas()


def test_the_end_waits_for_nobody_who_knows_it_or_was_silent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "LAST_QUESTIONS", WITHIN)
    monkeypatch.setattr(servers, "LATELY", 0.0)
    silent, knows = stage.client(), stage.client()
    silent.replicas()
    stage.supervisor.move()
    knows.replicas()
    with stage.raw():  # and who never asked
        began = time.monotonic()
        stage.door.close()
        assert time.monotonic() - began < WITHIN / 2


def test_nothing_is_loaded_before_somebody_comes(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys\n"
        "from procession.control.address import About, claim\n"
        "from procession.control.door import Door\n"
        "door = Door(claim(sys.argv[1], '/f', 'shop'))\n"
        "assert door.open(None, About('shop', '/f', 1, 0.0)) is None\n"
        "print([m for m in ('http.server', 'socketserver') if m in sys.modules])\n"
        "door.close()\n"
    )
    runtime = tmp_path / "r"
    runtime.mkdir(0o700)
    words = [sys.executable, "-c", program, str(runtime)]
    assert subprocess.run(words, capture_output=True, check=True, timeout=30).stdout == b"[]\n"


@pytest.mark.root
def test_another_user_gets_no_answer_whatever_the_modes_say(stage: Stage) -> None:
    import subprocess
    import sys

    for path in (stage.claim.folder, os.path.dirname(stage.claim.folder)):
        os.chmod(path, 0o777)
    os.chmod(stage.claim.socket_path, 0o777)
    program = (
        "import os, socket, sys\n"
        "os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.settimeout(10)\n"
        "s.connect(sys.argv[1])\n"
        "try:\n"
        "    s.sendall(b'GET /v1/project HTTP/1.1\\r\\n\\r\\n')\n"
        "    print(s.recv(100))\n"
        "except OSError as e:\n"
        "    print(b'')\n"
    )
    words = [sys.executable, "-S", "-c", program, stage.claim.socket_path]
    told = subprocess.run(words, capture_output=True, check=True, timeout=30)
    assert told.stdout == b"b''\n"
    with stage.raw() as connection:
        connection.sendall(b"GET /v1/project HTTP/1.1\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert json.loads(answer.read())["project"] == "shop"
