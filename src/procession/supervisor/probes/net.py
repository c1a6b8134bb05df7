"""Tries that connect: tcp, unix and http, all of them in one thread that never waits for one.

Nothing blocks: a try is a generator that says what it waits for. Its time is over at its deadline,
wherever it is: at a name that is not resolved, in a handshake, or at a server that drips.
"""

from __future__ import annotations

import errno
import heapq
import os
import selectors
import socket
import sys
import threading
import time
from collections import deque

from procession.errors import one_line
from procession.spec import HttpProbe, TcpProbe, UnixProbe
from procession.supervisor.probes.aside import Aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator
    from typing import Any

    from procession.supervisor.probes.kinds import Done

    Steps = Generator[int | tuple[str, int], Any, None]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
BLOCK = 64 * 1024
CLOSE_TIMEOUT = 1.0  # seconds
_PROGRESS = {
    errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)
}  # fmt: skip
# What keeps us from trying says nothing of who is tried.
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


class Try:
    """One try of a probe, under way. Call `cancel` in the thread that asked."""

    def __init__(self, prober: Prober, probe: object, timeout: float, done: Done) -> None:
        self.probe = probe
        self.timeout = timeout
        self.done: Done | None = done
        self.deadline = 0.0
        self.steps: Steps
        self.sock: socket.socket | None = None
        self.listened: int | None = None  # the descriptor by which the selector has it
        self.waits = "its name was not resolved"  # what is said when the time is over
        self.over = False
        self._prober = prober

    def cancel(self) -> None:
        """Nothing is told of it any more."""
        if self.done is not None:
            self.done = None
            self._prober.forget(self)


class Prober:
    """Owns the thread, which begins with the first try. Used by one thread, but for `call`,
    through which the answers come back to it."""

    def __init__(self, call: Callable[[Callable[[], object]], object]) -> None:
        self._call = call
        self._inbox: deque[Callable[[], object]] = deque()
        self._selector: selectors.BaseSelector | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._deadlines: list[tuple[float, int, Try]] = []
        self._count = 0
        self._aside = Aside(self._post)
        self._contexts: dict[bool, ssl.SSLContext] = {}

    # --- for the thread that asks ------------------------------------------------------------

    def ask(self, probe: object, timeout: float, done: Done) -> Try:
        """Try it once; `done(words, ours)` comes through `call`, unless it is cancelled: no words
        mean that all is well, `ours` that it could not be tried. Raises OSError where there is no
        descriptor for the thread itself."""
        one = Try(self, probe, timeout, done)
        if self._thread is None:
            self._start()
        self._post(lambda: self._begin(one))
        return one

    def forget(self, one: Try) -> None:
        self._post(lambda: self._end(one))

    def close(self) -> None:
        """Give the thread and its descriptors back; what is under way is dropped."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._closing = True
            self._post(lambda: None)
            thread.join(CLOSE_TIMEOUT)

    def _start(self) -> None:
        selector = selectors.DefaultSelector()
        try:
            reads, writes = socket.socketpair()
        except OSError:
            selector.close()
            raise
        reads.setblocking(False)
        writes.setblocking(False)
        selector.register(reads, READ)
        self._selector, self._wake = selector, (reads, writes)
        self._thread = threading.Thread(target=self._main, name="procession-probes", daemon=True)
        self._thread.start()

    def _post(self, action: Callable[[], object]) -> None:
        """Any thread."""
        self._inbox.append(action)
        wake = self._wake
        if wake is not None:
            try:
                wake[1].send(b"\0")
            except OSError:
                pass  # it is full of wake-ups, one of which will do; or the thread has ended

    # --- in the thread -----------------------------------------------------------------------

    def _main(self) -> None:
        assert self._selector is not None
        assert self._wake is not None
        selector, (reads, writes) = self._selector, self._wake
        try:
            while not self._closing:
                for key, _ in selector.select(self._sleep()):
                    if key.fileobj is reads:
                        _empty(reads)
                    else:
                        self._advance(key.data)
                while self._inbox:
                    self._inbox.popleft()()
                self._expire()
        finally:
            for key in list(selector.get_map().values()):
                if isinstance(key.data, Try):
                    self._end(key.data)
            selector.close()
            reads.close()
            writes.close()

    def _sleep(self) -> float | None:
        while self._deadlines and self._deadlines[0][2].over:
            heapq.heappop(self._deadlines)
        if not self._deadlines:
            return None
        return max(0.0, self._deadlines[0][0] - time.monotonic())

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            one = heapq.heappop(self._deadlines)[2]
            if not one.over:
                self._answer(one, f"{one.waits} within {one.timeout:g} s")

    def _begin(self, one: Try) -> None:
        one.deadline = time.monotonic() + one.timeout
        self._count += 1
        heapq.heappush(self._deadlines, (one.deadline, self._count, one))
        one.steps = _steps(one, self._context)
        self._advance(one)

    def _advance(self, one: Try, answer: object = None) -> None:
        """As far as it comes without waiting."""
        if one.over:
            return
        self._unlisten(one)
        try:
            if isinstance(answer, Exception):
                wanted = one.steps.throw(answer)
            else:
                wanted = one.steps.send(answer)
        except StopIteration:
            self._answer(one, "")
            return
        except OSError as e:
            self._answer(one, _said(e), ours=e.errno in _OURS)
            return
        except ValueError as e:
            self._answer(one, str(e))
            return
        if isinstance(wanted, tuple):
            self._resolve(one, *wanted)
            return
        assert self._selector is not None
        assert one.sock is not None
        one.listened = one.sock.fileno()
        self._selector.register(one.listened, wanted, one)

    def _resolve(self, one: Try, host: str, port: int) -> None:
        def look_up() -> object:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

        self._aside.ask((host, port), one, look_up, lambda found: self._advance(one, found))

    def _context(self, *, verified: bool) -> ssl.SSLContext:
        found = self._contexts.get(verified)
        if found is None:
            import ssl

            found = self._contexts[verified] = ssl.create_default_context()
            if not verified:
                found.check_hostname = False
                found.verify_mode = ssl.CERT_NONE
        return found

    def _answer(self, one: Try, words: str, *, ours: bool = False) -> None:
        self._end(one)

        def tell() -> None:
            if one.done is not None:
                one.done(words, ours)

        self._call(tell)

    def _end(self, one: Try) -> None:
        one.over = True
        self._unlisten(one)
        if one.sock is not None:
            one.sock.close()
            one.sock = None

    def _unlisten(self, one: Try) -> None:
        assert self._selector is not None
        if one.listened is not None:
            self._selector.unregister(one.listened)
            one.listened = None


# --- what is done, step by step ------------------------------------------------------------------


def _steps(one: Try, context: Callable[..., ssl.SSLContext]) -> Steps:
    """Yields what it waits for: READ or WRITE of its socket, or a host and port whose addresses it
    is to be sent. Returns when all is well; raises OSError or ValueError."""
    probe = one.probe
    if isinstance(probe, UnixProbe):
        yield from _connect(one, [(_family_unix(), probe.path)])
    elif isinstance(probe, TcpProbe):
        yield from _connect_to(one, probe.host, probe.port)
    else:
        assert isinstance(probe, HttpProbe)
        yield from _ask_http(one, probe, context)


def _connect_to(one: Try, host: str, port: int) -> Steps:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except (socket.gaierror, UnicodeError):
        found = yield host, port
    yield from _connect(one, [(family, address) for family, _, _, _, address in found])


def _connect(one: Try, addresses: list[tuple[int, Any]]) -> Steps:
    """To the first that takes us; raises what the last one said."""
    one.waits = "nobody answered"
    failure: OSError = OSError("it has no address")
    for family, address in addresses:
        try:
            one.sock = socket.socket(family, socket.SOCK_STREAM)
            one.sock.setblocking(False)
            code = one.sock.connect_ex(address)
            if code in _PROGRESS and family != getattr(socket, "AF_UNIX", None):
                yield WRITE
                code = one.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code and is_own_echo(one.sock):
                code = errno.ECONNREFUSED
            if not code:
                return
            failure = OSError(code, _strerror(code))
        except OSError as e:
            failure = e
        if one.sock is not None:
            one.sock.close()
            one.sock = None
    raise failure


def is_own_echo(sock: socket.socket) -> bool:
    """Is it connected to itself? Where nobody listens on a local port out of the range from which
    we are given ours, the two may be the same: TCP takes that for both sides calling at once."""
    return sock.family != getattr(socket, "AF_UNIX", None) and (
        sock.getsockname() == sock.getpeername()
    )


def _ask_http(one: Try, probe: HttpProbe, context: Callable[..., ssl.SSLContext]) -> Steps:
    from procession.supervisor.probes.http import Answer, Target, judged

    target = Target(probe)
    yield from _connect_to(one, target.host, target.port)
    assert one.sock is not None
    one.waits = "it did not answer"
    if target.secure:
        # nobody has a certificate for an address that means another host everywhere
        verified = not is_loopback(one.sock.getpeername()[0])
        one.sock = context(verified=verified).wrap_socket(
            one.sock, do_handshake_on_connect=False, server_hostname=target.host
        )
        yield from _patiently(one.sock.do_handshake)
    left = target.request
    while left:
        sent = yield from _patiently(lambda: one.sock.send(left), WRITE)  # type: ignore[union-attr]  # noqa: B023 - called at once
        left = left[sent:]
    answer = Answer(wants_body=probe.body is not None, head_only=probe.method == "HEAD")
    one.waits = "it did not answer to the end"
    more = True
    while more:
        more = not answer.feed((yield from _patiently(lambda: _received(one.sock))))
    if wrong := judged(probe, answer):
        raise ValueError(wrong)


def _patiently(call: Callable[[], Any], wanted: int = READ) -> Generator[int, None, Any]:
    """What `call` gives, once it need not wait."""
    while True:
        try:
            return call()
        except BlockingIOError:
            yield wanted
        except OSError as e:
            # by name: `ssl` is not imported where nobody asks for it
            kind = type(e).__name__
            if kind not in ("SSLWantReadError", "SSLWantWriteError"):
                raise
            yield READ if kind == "SSLWantReadError" else WRITE


def _received(sock: socket.socket | None) -> bytes:
    assert sock is not None
    try:
        return sock.recv(BLOCK)
    except OSError as e:
        # many servers end a TLS connection without a word; what came counts
        if type(e).__name__ in ("SSLEOFError", "SSLZeroReturnError"):
            return b""
        raise


def is_loopback(address: str) -> bool:
    """Of an address as `getpeername` tells it."""
    return address == "::1" or address.removeprefix("::ffff:").startswith("127.")


def _family_unix() -> int:
    if sys.platform == "win32":
        raise ValueError("Python has no unix sockets on Windows")
    return socket.AF_UNIX


def _said(e: OSError) -> str:
    if type(e).__name__ == "SSLCertVerificationError":
        return one_line(f"its certificate is not trusted: {getattr(e, 'verify_message', '')}")
    if type(e).__name__.startswith("SSL"):
        return one_line(f"no TLS: {getattr(e, 'reason', None) or e}")
    return one_line((e.strerror or str(e)).lower().rstrip("."))


def _strerror(code: int) -> str:
    """Windows tells the errors of sockets in a table of its own."""
    told = getattr(socket, "errorTab", {}).get(code)
    return str(told) if told else os.strerror(code)


def _empty(sock: socket.socket) -> None:
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return
