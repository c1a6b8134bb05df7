"""What is done in a try that connects, step by step, and what each step waits for."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import sys

from procession.spec import HttpProbe, TcpProbe, UnixProbe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator
    from typing import Any

    from procession.supervisor.probes.net import Try

    Steps = Generator[int | float | tuple[str, int], Any, None]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
BLOCK = 64 * 1024
_PROGRESS = {
    errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)
}  # fmt: skip
# A unix socket with a full queue says so at once, where TCP waits, and nothing tells of room.
_FULL = {errno.EAGAIN, errno.EWOULDBLOCK}
FULL_PAUSE = 0.01  # seconds


def steps_of(one: Try, context: Callable[..., ssl.SSLContext]) -> Steps:
    """Yields what it waits for: READ or WRITE of its socket, seconds, or a host and port whose
    addresses it is to be sent. Returns when all is well; raises OSError or ValueError."""
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
            while (code := one.sock.connect_ex(address)) in _FULL and is_unix(one.sock):
                yield FULL_PAUSE
            if code in _PROGRESS:
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
    return not is_unix(sock) and sock.getsockname() == sock.getpeername()


def is_unix(sock: socket.socket) -> bool:
    return sock.family == getattr(socket, "AF_UNIX", None)


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
    while not answer.feed((yield from _patiently(lambda: _received(one.sock)))):
        # Others have their turn, and the deadline its say, also where there is always more. (What
        # TLS has read already no selector tells of.)
        if not getattr(one.sock, "pending", int)():
            yield READ
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


def _strerror(code: int) -> str:
    """Windows tells the errors of sockets in a table of its own."""
    told = getattr(socket, "errorTab", {}).get(code)
    return str(told) if told else os.strerror(code)
