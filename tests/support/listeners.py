"""Small servers in threads of the test itself: each connection gets what one function does."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

BOUND = 10.0  # seconds that a server waits for anything

# Of nobody, for `procession.test`: made for these tests, and trusted by no one.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWDiy6PYBHtV3fHkt
8mpqDxS5GE2TOLA4QYrhKY8T7V+hRANCAASLOL59iTfUzCy3WgjNqujkU9hoLsrJ
XWEBdBZDc0bpnyeR3m6jWcR5fnScHWTqYj+u2VJ4MqzhhbV+28riJO+V
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBqDCCAU2gAwIBAgIUWZqYE6/lsn1XSBhBNzbZjv6whW8wCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPcHJvY2Vzc2lvbi50ZXN0MCAXDTI2MTEyODAwMTM0M1oYDzIx
MjYxMTA0MDAxMzQzWjAaMRgwFgYDVQQDDA9wcm9jZXNzaW9uLnRlc3QwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAASLOL59iTfUzCy3WgjNqujkU9hoLsrJXWEBdBZD
c0bpnyeR3m6jWcR5fnScHWTqYj+u2VJ4MqzhhbV+28riJO+Vo28wbTAdBgNVHQ4E
FgQUI5Qd/Zoo0SIsCbFA/nrhR534OagwHwYDVR0jBBgwFoAUI5Qd/Zoo0SIsCbFA
/nrhR534OagwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgg9wcm9jZXNzaW9u
LnRlc3QwCgYIKoZIzj0EAwIDSQAwRgIhAPPmczlh6GYZFFMjwTxGya7+g7kOcIHm
qQ8C54oCbAY2AiEA84GI2VeE/APfsBMe8t9oEY4uCH9wGRb/wsj+g3sj/3Q=
-----END CERTIFICATE-----
"""


class Listener:
    """Listens on a free port of 127.0.0.1, or on a unix socket. `serve(connection)` is called in a
    thread for each that comes; the connection is closed after it. Ended on leaving the `with`."""

    def __init__(
        self,
        serve: Callable[[socket.socket], object] = lambda _: None,
        *,
        unix: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._serve = serve
        self._tls = tls
        family = socket.AF_INET if unix is None else socket.AF_UNIX
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(("127.0.0.1", 0) if unix is None else unix)
        self.socket.listen()
        self.port: int = 0 if unix is not None else self.socket.getsockname()[1]
        self.accepted = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:  # shut down
                return
            self.accepted += 1
            connection.settimeout(BOUND)
            thread = threading.Thread(target=self._handle, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _handle(self, connection: socket.socket) -> None:
        # what a client that has gone does to its server is not the test's business
        with connection, contextlib.suppress(OSError):
            if self._tls is None:
                self._serve(connection)
                return
            with self._tls.wrap_socket(connection, server_side=True) as secure:
                self._serve(secure)

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)  # `close` alone leaves `accept` asleep
        self.socket.close()
        for thread in self._threads:
            thread.join(BOUND)


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Reads a request without a body, and answers so."""

    def serve(connection: socket.socket) -> None:
        seen = b""
        while not seen.endswith(b"\r\n\r\n"):
            block = connection.recv(1 << 20)
            if not block:
                return
            seen = seen[-4:] + block
        connection.sendall(answer)

    return serve


def says_the_last(answers: list[bytes]) -> Callable[[socket.socket], None]:
    """As `says`, of whatever is the last of them when a request comes."""
    return lambda connection: says(answers[-1])(connection)  # noqa: PLW0108 - not yet known


def until_it_goes(connection: socket.socket) -> None:
    """Says nothing, until the client has gone."""
    while connection.recv(4096):
        pass


@contextlib.contextmanager
def certificate() -> Iterator[tuple[str, ssl.SSLContext]]:
    """The file of it, and a server's context with it."""
    fd, path = tempfile.mkstemp(suffix=".pem")
    with os.fdopen(fd, "w") as file:
        file.write(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    try:
        yield path, context
    finally:
        os.unlink(path)


def closed_port() -> tuple[int, socket.socket]:
    """A port of 127.0.0.1 on which nobody listens; it is kept while the socket is open."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    return kept.getsockname()[1], kept
