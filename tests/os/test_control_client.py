"""What a client says of a supervisor that lives and cannot be asked, and of one that has ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from procession.control import client as clients
from procession.control.address import About, Claim, claim
from procession.control.client import Client, NotRunningError, RefusedError, SilentError
from procession.control.protocol import LONGEST_WAIT, ROW_KEYS

WITHIN = 10.0
ROW = {**dict.fromkeys(ROW_KEYS), "name": "web", "task": "web"}
GOOD = json.dumps({"version": 3, "stopping": False, "replicas": [ROW]}).encode()


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d said\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class Stage:
    """A project that is claimed, with a socket at which the test answers."""

    def __init__(self, runtime: str, pid: int) -> None:
        self.claim: Claim = claim(runtime, "/srv/shop.yaml", "shop")
        self.client = Client(self.claim.folder, About("shop", "/srv/shop.yaml", pid, 0.0))
        self.requests: list[bytes] = []
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def listen(self) -> socket.socket:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(WITHIN)
        self._socket.bind(self.claim.socket_path)
        self._socket.listen(8)
        return self._socket

    def answers(self, *connections: Sequence[bytes]) -> None:
        """Of each connection, one answer to each request, then the end; then the door is shut."""
        listening = self.listen()

        def serve() -> None:
            for answers in connections:
                with listening.accept()[0] as connection:
                    connection.settimeout(WITHIN)
                    for answer in answers:
                        self.requests.append(connection.recv(4096))
                        connection.sendall(answer)
            listening.close()

        self._thread = threading.Thread(target=serve)
        self._thread.start()

    def close(self) -> None:
        self.client.close()
        if self._thread is not None:
            self._thread.join(WITHIN)
        if self._socket is not None:
            self._socket.close()
        self.claim.release()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(clients, "ENDS_WITHIN", 0.05)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/r", 0o700)
        made = Stage(f"{folder}/r", os.getpid())
        yield made
        made.close()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(b"[]"), r"status 200 what means nothing here: `\[\]`"),
        (http(b"{}"), r"what means nothing here: `\{\}`"),
        (http(b'{"version": 1, "replicas": [{"name": "web"}]}'), "another version of procession"),
        (http(b'{"version": 1, "replicas": [7]}'), "another version of procession"),
        (http(b"hello"), "what means nothing here: `hello`"),
        (http(b"[" * 100_000), "what means nothing here"),
        (http(b"\xff\x1b[2J"), r"nothing here: `\\xff\\x1b\[2J`"),
        (http(b""), "what means nothing here: nothing"),
        (http(b"{}", 500), r"status 500 what means nothing here: `\{\}`"),
        (http(b'{"error": 7}', 500), "status 500 what means nothing here"),
        (http(b'{"error": "no \\u001b[2J"}', 409), r"shop: no \\x1b\[2J"),
        (b"hello\r\n\r\n", r"answers what is no HTTP \(BadStatusLine\)"),
        (b"HTTP/1.1 200 said\r\nContent-Length: 9\r\n\r\n{", "hangs up"),
    ],
)
def test_a_wrong_answer_is_named(stage: Stage, answer: bytes, words: str) -> None:
    stage.answers([answer])
    with pytest.raises(RefusedError, match=words) as raised:
        stage.client.replicas()
    assert "\n" not in str(raised.value)


@pytest.mark.quick
def test_a_socket_that_is_gone_is_no_end(stage: Stage) -> None:
    path = stage.claim.socket_path
    with pytest.raises(RefusedError, match=rf"its socket {path} is gone.*`kill {os.getpid()}`"):
        stage.client.replicas()
    stage.listen().close()
    with pytest.raises(RefusedError, match=f"nobody listens at {path}.*`kill {os.getpid()}`"):
        stage.client.replicas()


def test_whose_place_another_has_taken_has_ended(stage: Stage) -> None:
    """What a killed supervisor had left is there until its successor has cleared it away."""
    stage.client.about = About("shop", "/srv/shop.yaml", 1, 0.0)
    with pytest.raises(NotRunningError, match="shop: it has ended"):
        stage.client.replicas()
    assert not stage.client.is_alive  # whoever waits for its end does not wait for the other's


def test_who_hangs_up_is_asked_once_more_and_not_said_to_have_ended(stage: Stage) -> None:
    stage.answers([http(GOOD)], [], [http(GOOD)], [])
    assert stage.client.replicas()["version"] == 3
    with pytest.raises(RefusedError, match="hangs up: are too many connected"):
        stage.client.replicas()  # the first had closed, and the second says nothing
    assert stage.client.replicas()["version"] == 3
    with pytest.raises(RefusedError, match="hangs up: are too many connected"):
        stage.client.replicas()


def test_a_connection_that_made_room_meanwhile_is_opened_anew(stage: Stage) -> None:
    stage.answers([http(GOOD)], [http(GOOD)])
    assert stage.client.replicas()["version"] == 3
    assert stage.client.wish("stop", "web")["version"] == 3
    assert [request.split()[0] for request in stage.requests] == [b"GET", b"POST"]


def test_where_the_door_is_shut_a_moment_before_the_end_it_has_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "ENDS_WITHIN", WITHIN)
    monkeypatch.setattr(time, "sleep", lambda _: stage.claim.release())
    with pytest.raises(NotRunningError, match="shop: it has ended"):
        stage.client.replicas()


def test_the_patience_is_of_what_is_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "ANSWER_WITHIN", 0.1)
    stage.listen()
    began = time.monotonic()
    with pytest.raises(RefusedError, match=r"does not answer within 0\.1 s.*`kill -KILL"):
        stage.client.replicas()
    with pytest.raises(RefusedError, match=r"does not answer within 0\.3 s"):
        stage.client.replicas(0, 0.2)
    monkeypatch.setattr(clients, "ANSWER_WITHIN", WITHIN)
    monkeypatch.setattr(clients, "AT_LEAST", 0.2)
    stage.client.hurry(0.1)
    with pytest.raises(SilentError, match=r"does not answer within 0\.2 s"):
        stage.client.replicas()
    assert time.monotonic() - began < LONGEST_WAIT / 2


def test_a_stopped_supervisor_is_said_to_be_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "ANSWER_WITHIN", 0.05)
    stage.listen()
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            stage.client.about = About("shop", "/srv/shop.yaml", process.pid, 0.0)
            with pytest.raises(
                RefusedError, match=f"stopped by a signal. `kill -CONT {process.pid}`"
            ):
                stage.client.replicas()
        finally:
            process.kill()


def test_a_queue_that_is_full_is_said_to_be(stage: Stage) -> None:
    listening = stage.listen()
    listening.listen(0)
    waiting: list[socket.socket] = []
    try:
        while len(waiting) < 8:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            waiting[-1].setblocking(False)
            waiting[-1].connect(stage.claim.socket_path)
    except BlockingIOError:
        pass
    assert len(waiting) < 8
    assert stage.client.is_alive
    with pytest.raises(RefusedError, match="does not let us in: too many wait"):
        stage.client.replicas()
    for connection in waiting:
        connection.close()
