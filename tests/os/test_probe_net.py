"""Tries that connect, against real servers: what is well, what is told, and what is waited for."""

from __future__ import annotations

import os
import queue
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from procession.spec import HttpProbe, Probe, TcpProbe, UnixProbe
from procession.supervisor.probes import net, steps
from procession.supervisor.probes.net import Prober
from tests.support.listeners import (
    BOUND,
    Listener,
    certificate,
    closed_port,
    says,
    until_it_goes,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Loop:
    """The thread that asks: what comes back is done when it looks."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.prober = Prober(self.calls.put)
        self.answers: list[tuple[str, bool]] = []

    def ask(self, probe: Probe, timeout: float = BOUND) -> net.Try:
        return self.prober.ask(
            probe, timeout, lambda words, ours: self.answers.append((words, ours))
        )

    def answer(self, probe: Probe, timeout: float = BOUND) -> str:
        self.ask(probe, timeout)
        self.take()
        words, ours = self.answers.pop()
        assert not ours
        return words

    def take(self) -> None:
        self.calls.get(timeout=BOUND)()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.prober.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="n-", dir="/tmp") as name:
        yield Path(name)


# --- tcp and unix ------------------------------------------------------------------------------


@pytest.mark.quick
def test_who_listens_is_well_and_who_does_not_is_told(loop: Loop) -> None:
    with Listener() as server:
        assert loop.answer(TcpProbe(server.port)) == ""
        assert loop.answer(TcpProbe(server.port, "localhost")) == ""
    port, kept = closed_port()
    with kept:
        assert loop.answer(TcpProbe(port)) == "connection refused"


def test_who_answers_without_end_holds_up_nobody(loop: Loop) -> None:
    def flood(sock: socket.socket) -> None:
        sock.recv(4096)
        try:
            while True:
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 4096)
        except OSError:
            pass  # nobody wants more of it

    with Listener(flood) as endless, Listener() as server:
        loop.ask(HttpProbe(f"http://127.0.0.1:{endless.port}/"), 2.0)
        loop.ask(TcpProbe(server.port))
        loop.take()
        loop.take()
        assert sorted(loop.answers) == [("", False), ("its head is longer than 64 KiB", False)]


def test_every_address_of_a_name_is_tried(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    port, kept = closed_port()
    with kept, Listener() as server:
        inet = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*inet, ("127.0.0.1", port)), (*inet, ("127.0.0.1", server.port))]
        _look_up_as(monkeypatch, lambda: found)
        assert loop.answer(TcpProbe(1, "several")) == ""
        found.reverse()
        assert loop.answer(TcpProbe(1, "several")) == ""
        del found[0]
        assert loop.answer(TcpProbe(1, "several")) == "connection refused"


def test_a_name_that_is_not_known_is_told(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    _look_up_as(monkeypatch, unknown)
    assert loop.answer(TcpProbe(1, "nowhere")) == "name or service not known"


def test_a_name_server_that_does_not_answer_holds_up_nobody(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    asked = queue.SimpleQueue[str]()

    def hang() -> list[object]:
        asked.put("asked")
        gate.wait(BOUND)
        return []

    _look_up_as(monkeypatch, hang)
    try:
        with Listener() as server:
            loop.ask(TcpProbe(1, "slow"))
            asked.get(timeout=BOUND)
            assert loop.answer(TcpProbe(server.port)) == "", "others go on"
            words = loop.answer(TcpProbe(1, "slow"), timeout=0.05)
            assert words == "its name was not resolved within 0.05 s"
            assert asked.empty(), "the same is not asked twice at a time"
    finally:
        gate.set()
    loop.take()
    assert loop.answers == [("it has no address", False)]


def _look_up_as(monkeypatch: pytest.MonkeyPatch, found: Callable[[], list[object]]) -> None:
    """What names are resolved to; addresses are what they are."""
    true = socket.getaddrinfo

    def look_up(host: str, port: int, **more: int) -> object:
        return true(host, port, **more) if "flags" in more else found()  # type: ignore[arg-type]

    monkeypatch.setattr(net.socket, "getaddrinfo", look_up)


def test_nobody_takes_the_connection_in_time(loop: Loop) -> None:
    with socket.socket() as full, socket.socket() as one, socket.socket() as other:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, other):  # the queue of a listener that does not accept
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        began = time.monotonic()
        words = loop.answer(TcpProbe(full.getsockname()[1]), timeout=0.1)
        assert words == "nobody answered within 0.1 s"
        assert time.monotonic() - began < BOUND / 2


def test_a_connection_to_itself_is_nobody() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())  # as the kernel may choose by chance
        assert steps.is_own_echo(sock)
    with Listener() as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        assert not steps.is_own_echo(sock)


@pytest.mark.quick
def test_a_unix_socket_has_to_be_listened_on(loop: Loop, folder: Path) -> None:
    path = str(folder / "s")
    assert loop.answer(UnixProbe(path)) == "no such file or directory"
    with Listener(unix=path):
        assert loop.answer(UnixProbe(path)) == ""
    assert loop.answer(UnixProbe(path)) == "connection refused"
    assert loop.answer(UnixProbe(str(folder / ("x" * 200)))) == "af_unix path too long"


def test_a_unix_socket_with_a_full_queue_is_waited_for(loop: Loop, folder: Path) -> None:
    path = str(folder / "s")
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as filler:
        full.bind(path)
        full.listen(0)
        filler.connect(path)
        assert loop.answer(UnixProbe(path), timeout=0.1) == "nobody answered within 0.1 s"
        loop.ask(UnixProbe(path))
        full.accept()[0].close()
        loop.take()
        assert loop.answers == [("", False)]


def test_what_keeps_us_from_trying_says_nothing_of_who_is_tried(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.answer(TcpProbe(1))

    def none_left(*_: object) -> socket.socket:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(net.socket, "socket", none_left)
    loop.ask(TcpProbe(1))
    loop.take()
    assert loop.answers == [("too many open files", True)]


# --- http and https ----------------------------------------------------------------------------


@pytest.mark.quick
def test_a_server_is_asked_and_its_answer_judged(loop: Loop) -> None:
    with Listener(says(OK)) as server:
        url = f"http://127.0.0.1:{server.port}/health"
        assert loop.answer(HttpProbe(url)) == ""
        assert loop.answer(HttpProbe(url, body="^ok$")) == ""
        assert loop.answer(HttpProbe(url, body="fine")) == (
            "answered 200, and `fine` is not in what it said"
        )
        assert loop.answer(HttpProbe(url, status=((500, 599),))) == "answered 200, expected 500-599"


def test_a_long_request_and_a_long_answer_come_in_parts(loop: Loop) -> None:
    body = b"x" * 700_000 + b"needle"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with Listener(says(answer)) as server:
        headers = (("X-Long", "y" * 1_000_000),)
        url = f"http://127.0.0.1:{server.port}/"
        assert loop.answer(HttpProbe(url, body="needle$", headers=headers)) == ""


def test_a_server_that_says_nothing_or_drips_is_waited_for_so_long(loop: Loop) -> None:
    def drips(connection: socket.socket) -> None:
        for byte in OK * 1000:
            connection.sendall(bytes([byte]))
            if connection.recv(4096) == b"":
                return

    with Listener(until_it_goes) as mute, Listener(drips) as dripping:
        url = f"http://127.0.0.1:{mute.port}/"
        assert loop.answer(HttpProbe(url), timeout=0.05) == (
            "it did not answer to the end within 0.05 s"
        )
        url = f"http://127.0.0.1:{dripping.port}/"
        words = loop.answer(HttpProbe(url, headers=(("X", "y"),)), timeout=0.05)
        assert words.startswith("it did not answer to the end")


def test_what_is_no_server_of_http_is_told(loop: Loop) -> None:
    with Listener(says(b"SSH-2.0-x\r\n")) as server, Listener() as closing:
        assert loop.answer(HttpProbe(f"http://127.0.0.1:{server.port}/")) == (
            "what it answers is no HTTP/1"
        )
        words = loop.answer(HttpProbe(f"http://127.0.0.1:{closing.port}/"))
        assert words in ("it closed the connection without an answer", "connection reset by peer")


def test_tls_of_this_host_need_not_be_trusted(loop: Loop) -> None:
    with certificate() as (_, context), Listener(says(OK), tls=context) as server:
        assert loop.answer(HttpProbe(f"https://127.0.0.1:{server.port}/", body="ok")) == ""
    with Listener(says(OK)) as plain:
        words = loop.answer(HttpProbe(f"https://127.0.0.1:{plain.port}/"), timeout=0.2)
        assert words.startswith(("no TLS", "it did not answer")), words


def test_tls_of_another_host_has_to_be_trusted(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "is_loopback", lambda _: False)
    inet = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    with certificate() as (path, context), Listener(says(OK), tls=context) as server:
        _look_up_as(monkeypatch, lambda: [(*inet, ("127.0.0.1", server.port))])
        words = loop.answer(HttpProbe("https://procession.test/"))
        assert words.startswith("its certificate is not trusted"), words
        trusting = ssl.create_default_context(cafile=path)
        monkeypatch.setattr(
            loop.prober, "_context", lambda *, verified: trusting if verified else None
        )
        assert loop.answer(HttpProbe("https://procession.test/")) == ""
        words = loop.answer(HttpProbe("https://other.test/"))
        assert "Hostname mismatch" in words, words


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("::2", False), ("::ffff:10.0.0.1", False)],
)  # fmt: skip
def test_which_addresses_are_this_host(address: str, here: bool) -> None:
    assert steps.is_loopback(address) is here


# --- the thread --------------------------------------------------------------------------------


def test_of_a_try_that_was_called_off_nothing_is_told(loop: Loop) -> None:
    with Listener(until_it_goes) as server:
        url = f"http://127.0.0.1:{server.port}/"
        loop.ask(HttpProbe(url)).cancel()
        assert loop.answer(TcpProbe(server.port)) == ""
        assert loop.answers == []


def test_called_off_after_it_ended_nothing_is_told_either(loop: Loop) -> None:
    with Listener() as server:
        one = loop.ask(TcpProbe(server.port))
        call = loop.calls.get(timeout=BOUND)
        one.cancel()
        call()
        assert loop.answers == []


def test_many_at_a_time_wait_for_one_another_in_nothing(loop: Loop) -> None:
    with Listener(until_it_goes) as mute, Listener() as server:
        for _ in range(200):
            loop.ask(HttpProbe(f"http://127.0.0.1:{mute.port}/"))
        assert loop.answer(TcpProbe(server.port), timeout=2.0) == ""
        loop.prober.close()


def test_a_defect_of_ours_counts_against_nobody_and_the_next_try_is_made(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: queue.SimpleQueue[object] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda raised: seen.put(raised.exc_value))
    with Listener(until_it_goes) as mute, Listener() as server:
        loop.ask(HttpProbe(f"http://127.0.0.1:{mute.port}/"))
        with monkeypatch.context() as broken:
            broken.setattr(net, "steps_of", lambda *_: 1 / 0)
            loop.ask(TcpProbe(server.port))
            assert isinstance(seen.get(timeout=BOUND), ZeroDivisionError)
        loop.take()
        loop.take()
        assert loop.answers == [("our own part of it broke", True)] * 2
        loop.answers.clear()
        assert loop.answer(TcpProbe(server.port)) == ""


def test_without_a_try_there_is_no_thread_and_a_second_close_does_nothing() -> None:
    prober = Prober(lambda _: None)
    before = threading.active_count()
    prober.close()
    prober.close()
    assert threading.active_count() == before
