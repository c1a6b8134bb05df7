"""`procession.notify` against a manager's real socket: paths, names, queues, descriptors."""

import array
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from procession import notify

PROGRAMS = Path(__file__).parent.parent / "programs"


class Manager:
    """The listening side: one datagram socket, as a process manager opens it."""

    def __init__(self, address: str) -> None:
        self.address = address
        raw = os.fsencode(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(b"\0" + raw[1:] if raw.startswith(b"@") else raw)
        self.socket.settimeout(10)

    def wants_credentials(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def take(self) -> bytes:
        return self.take_all()[0]

    def take_all(self) -> tuple[bytes, list[int], int | None]:
        """One message: its text, the descriptors with it, the pid the kernel vouches for."""
        text, control, flags, _ = self.socket.recvmsg(8192, socket.CMSG_SPACE(1024))
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        fds: list[int] = []
        pid = None
        for level, kind, data in control:
            assert level == socket.SOL_SOCKET
            if kind == socket.SCM_RIGHTS:
                got = array.array("i")
                got.frombytes(data)
                fds += got
            elif kind == socket.SCM_CREDENTIALS:
                pid = struct.unpack("3i", data)[0]
        return text, fds, pid

    def fill(self) -> int:
        """Messages until the queue takes no more."""
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        filler.setblocking(False)
        filler.connect(self.socket.getsockname())
        count = 0
        with filler:
            while True:
                try:
                    filler.send(b"STATUS=filler")
                except BlockingIOError:
                    return count
                count += 1

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    # pytest's own folders can be too deep for a socket address
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="n-") as folder:
        yield Path(folder)


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Manager]]:
    managers: list[Manager] = []

    def start(address: str) -> Manager:
        managers.append(Manager(address))
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        return managers[-1]

    yield start
    for manager in managers:
        manager.close()


@pytest.fixture
def manager(listen: Callable[[str], Manager], short_dir: Path) -> Manager:
    return listen(str(short_dir / "notify"))


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def run_program(name: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / name)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (notify.ready, b"READY=1"),
        (lambda: notify.ready("on :8080"), b"READY=1\nSTATUS=on :8080"),
        (notify.stopping, b"STOPPING=1"),
        (lambda: notify.stopping("bye"), b"STOPPING=1\nSTATUS=bye"),
        (lambda: notify.status("größer = besser"), "STATUS=größer = besser".encode()),
        (lambda: notify.status(""), b"STATUS="),
        (notify.watchdog, b"WATCHDOG=1"),
        (lambda: notify.watchdog(trigger=True), b"WATCHDOG=trigger"),
        (lambda: notify.extend(1.5), b"EXTEND_TIMEOUT_USEC=1500000"),
        (lambda: notify.extend(1e-9), b"EXTEND_TIMEOUT_USEC=1"),
        (lambda: notify.errno(2), b"ERRNO=2"),
        (lambda: notify.mainpid(4711), b"MAINPID=4711"),
        (lambda: notify.notify(READY=True, X_A="b", MAINPID=7), b"READY=1\nX_A=b\nMAINPID=7"),
        (lambda: notify.send("READY=1\nSTATUS=x\n"), b"READY=1\nSTATUS=x\n"),
        (lambda: notify.send("STATUS=" + "x" * 4089), b"STATUS=" + b"x" * 4089),
    ],
)
def test_what_goes_over_the_wire(
    manager: Manager, call: Callable[[], bool], message: bytes
) -> None:
    assert call() is True
    assert manager.take() == message


@pytest.mark.quick
def test_a_reload_carries_the_monotonic_time(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert notify.reloading("rereading") is True
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    head, stamp, status = manager.take().decode().split("\n")
    assert (head, status) == ("RELOADING=1", "STATUS=rereading")
    name, _, usec = stamp.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before // 1000 <= int(usec) <= after // 1000


@pytest.mark.quick
def test_an_abstract_name_is_reached(listen: Callable[[str], Manager]) -> None:
    manager = listen(f"@procession/test/{os.getpid()}")
    assert notify.ready() is True
    assert manager.take() == b"READY=1"


def test_names_and_paths_are_bytes(listen: Callable[[str], Manager], short_dir: Path) -> None:
    for address in (str(short_dir / "n\udcff"), f"@p\udcff{os.getpid()}"):
        manager = listen(address)
        assert notify.ready() is True
        assert manager.take() == b"READY=1"


def test_the_longest_addresses_work_and_one_more_byte_is_told(
    listen: Callable[[str], Manager], short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(short_dir / "x")
    path = path.ljust(107, "x")
    name = f"@{os.getpid()}-".ljust(108, "x")
    for address in (path, name):
        manager = listen(address)
        assert notify.ready() is True
        assert manager.take() == b"READY=1"
        monkeypatch.setenv("NOTIFY_SOCKET", address + "x")
        with pytest.raises(ValueError, match="a unix socket address holds"):
            notify.ready()


@pytest.mark.quick
def test_nobody_there_is_silence(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, listen: Callable[[str], Manager]
) -> None:
    (short_dir / "file").touch()
    stale = listen(str(short_dir / "stale"))
    stale.close()
    assert (short_dir / "stale").is_socket()
    for address in (
        str(short_dir / "stale"),
        str(short_dir / "never-was"),
        str(short_dir / "no" / "such" / "folder"),
        str(short_dir / "file"),
        str(short_dir / "file" / "below"),
        f"@procession/nobody/{os.getpid()}",
    ):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert notify.ready() is False, address
        assert notify.barrier(5) is False, address


def test_a_socket_that_is_no_manager_is_an_error(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(short_dir / "stream"))
        stream.listen()
        monkeypatch.setenv("NOTIFY_SOCKET", str(short_dir / "stream"))
        with pytest.raises(OSError, match="wrong type for socket"):
            notify.ready()


def test_no_permission_is_an_error(manager: Manager, short_dir: Path) -> None:
    os.chmod(manager.address, 0)
    os.chmod(short_dir, 0o755)  # the socket refuses, not the folder
    assert run_program("notify_without_permission.py") == "PermissionError 13"


def test_the_kernel_tells_who_speaks_to_a_manager_that_asks(manager: Manager) -> None:
    notify.ready()
    assert manager.take_all() == (b"READY=1", [], None)
    manager.wants_credentials()
    notify.ready()
    assert manager.take_all() == (b"READY=1", [], os.getpid())


def test_a_forked_child_speaks_for_itself(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.wants_credentials()
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert notify.status("parent") is True
    assert notify.watchdog_interval() == 2.0
    child = os.fork()
    if child == 0:
        sent = notify.status("child")
        os._exit(0 if sent and notify.watchdog_interval() is None else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert manager.take_all() == (b"STATUS=parent", [], os.getpid())
    assert manager.take_all() == (b"STATUS=child", [], child)


def test_many_threads_lose_and_mix_nothing(manager: Manager) -> None:
    def speak(who: int) -> bool:
        return all(notify.notify(X_WHO=who, X_N=n) for n in range(50))

    threads = [in_thread(lambda who=who: speak(who)) for who in range(8)]  # type: ignore[misc]
    got = [manager.take() for _ in range(400)]
    for thread, answers in threads:
        thread.join(10)
        assert answers == [True]
    assert sorted(got) == sorted(b"X_WHO=%d\nX_N=%d" % (w, n) for w in range(8) for n in range(50))


@pytest.mark.quick
def test_a_full_queue_is_waited_for_only_so_long(manager: Manager) -> None:
    queued = manager.fill()
    assert notify.send("WATCHDOG=1", timeout=0) is False
    for call, bound in (
        (lambda: notify.send("WATCHDOG=1", timeout=0.2), 0.2),
        (lambda: notify.barrier(0.2), 0.2),
        (notify.ready, notify.SEND_TIMEOUT),
    ):
        began, burnt = time.monotonic(), time.thread_time()
        assert call() is False
        # waited, not spun: an unconnected socket would burn the whole time
        assert time.thread_time() - burnt < bound / 2
        assert bound - 0.01 <= time.monotonic() - began < bound + 15
    taken = [manager.take() for _ in range(queued)]
    assert taken == [b"STATUS=filler"] * queued
    assert notify.ready() is True  # what was dropped came never; what comes now is first
    assert manager.take() == b"READY=1"


def test_a_place_in_the_queue_ends_the_wait(manager: Manager) -> None:
    queued = manager.fill()
    thread, answers = in_thread(lambda: notify.send("READY=1", timeout=10))
    for _ in range(queued):
        assert manager.take() == b"STATUS=filler"
    assert manager.take() == b"READY=1"
    thread.join(10)
    assert answers == [True]


def test_descriptors_travel_along(manager: Manager) -> None:
    reader, writer = os.pipe()
    assert notify.send("FDSTORE=1\nFDNAME=queue", fds=[reader, writer]) is True
    text, fds, _ = manager.take_all()
    assert text == b"FDSTORE=1\nFDNAME=queue"
    os.write(fds[1], b"same pipe")
    assert os.read(reader, 100) == b"same pipe"
    for fd in (reader, writer, *fds):
        os.close(fd)


@pytest.mark.quick
def test_a_barrier_ends_when_the_manager_lets_go(manager: Manager) -> None:
    assert notify.ready() is True
    thread, answers = in_thread(lambda: notify.barrier(10))
    assert manager.take() == b"READY=1"
    text, fds, _ = manager.take_all()
    assert (text, len(fds)) == (b"BARRIER=1", 1)
    assert answers == []  # taken out of the queue, yet not done with
    os.close(fds[0])
    thread.join(10)
    assert answers == [True]


@pytest.mark.quick
def test_a_barrier_that_the_manager_holds_is_bounded(manager: Manager) -> None:
    began = time.monotonic()
    assert notify.barrier(0.2) is False
    assert 0.19 <= time.monotonic() - began < 30
    assert notify.barrier(0) is False
    _, held, _ = manager.take_all()
    for fd in held + manager.take_all()[1]:
        os.close(fd)


def test_a_barrier_is_waited_for_with_many_files_open(manager: Manager) -> None:
    thread, answers = in_thread(lambda: run_program("notify_many_files.py"))
    _, fds, _ = manager.take_all()
    os.close(fds[0])
    thread.join(20)
    assert answers == ["True"]


def test_sockets_are_not_inherited_and_always_closed(
    manager: Manager, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    inheritable: list[bool] = []

    class Recorded(socket.socket):
        def connect(self, address: object) -> None:
            opened.append(self)
            inheritable.append(os.get_inheritable(self.fileno()))
            super().connect(address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", Recorded)
    notify.ready()
    notify.barrier(0)
    monkeypatch.setenv("NOTIFY_SOCKET", str(short_dir / "nobody"))
    notify.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    with pytest.raises(OSError, match="Bad file descriptor"):
        notify.send("FDSTORE=1", fds=[987654])
    assert inheritable == [False] * 4
    assert [sock.fileno() for sock in opened] == [-1] * 4
    manager.take()
    os.close(manager.take_all()[1][0])


def test_no_call_leaves_a_descriptor(
    manager: Manager, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.listdir("/dev/fd")
    for _ in range(20):
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        assert notify.ready() is True
        assert notify.barrier(0) is False
        manager.take()
        os.close(manager.take_all()[1][0])
        monkeypatch.setenv("NOTIFY_SOCKET", str(short_dir / "nobody"))
        assert (notify.ready(), notify.barrier(0)) == (False, False)
        monkeypatch.setenv("NOTIFY_SOCKET", "relative")
        with pytest.raises(ValueError, match="absolute"):
            notify.barrier(0)
    assert os.listdir("/dev/fd") == before


@pytest.mark.quick
def test_it_stands_alone_and_loads_nothing_heavy() -> None:
    assert run_program("notify_what_is_loaded.py") == "procession procession.notify"
