"""Answers over the project's socket. Threads of its own; the supervisor's loop never waits for it.

`http.server` of the standard library does the HTTP (`docs/decisions/`). Only this user and root get
an answer, whatever the mode of the socket says: who connects is asked for at the kernel.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import socketserver
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler

from procession.control import protocol
from procession.control.protocol import BadRequestError

assert sys.platform != "win32", "unix sockets"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from procession.control.address import About

    class Supervisor(Protocol):
        """The running project, as others may see and steer it. Any thread."""

        def rows(self) -> tuple[int, bool, list[dict[str, object]]]:
            """(version, whether the whole project stops, all replicas).
            Raises TimeoutError where the loop does not answer, and LookupError when it has ended.
            """

        def newer(self, version: int, within: float) -> None:
            """Return once the state is newer than `version`, or after so many seconds."""

        def wish(self, verb: str, names: list[str], who: str) -> None:
            """`start`, `stop` or `restart` these replicas; `who` asked, in words."""

        def down(self, force: bool, who: str) -> None: ...


MOST_AT_ONCE = 64  # connections
PATIENCE = 60.0  # seconds a connection may be silent
LAST_ANSWERS = 0.5  # seconds for the answers under way when the project has ended
# What accept(2) says of a lack that passes, or of one who hung up meanwhile.
_PASSES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED)
RESPITE = 0.1  # seconds until it is tried again


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Serves a socket that is bound and listens, and that stays its owner's."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, listening: socket.socket, supervisor: Supervisor, about: About) -> None:
        super().__init__(listening.getsockname(), _Handler)
        self.socket = listening
        self.supervisor = supervisor
        self.about = about
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._open: set[socket.socket] = set()
        self._lock = threading.Condition()
        self._answering = 0
        self._ended = threading.Event()

    def serve(self, closing: Callable[[], bool]) -> None:
        """Until `closing`, or the socket is shut down."""
        while not closing():
            try:
                connection, _ = self.socket.accept()
            except OSError as e:
                if closing():
                    return
                if e.errno not in _PASSES:
                    raise
                self._ended.wait(RESPITE)  # the one who connects is still in the queue
                continue
            if closing() or not _may_ask(connection) or not self._room.acquire(timeout=1.0):
                connection.close()
                continue
            with self._lock:
                self._open.add(connection)
            connection.settimeout(PATIENCE)
            self.process_request(connection, "")

    def shutdown_request(self, request: Any) -> None:
        """As its base says: called once for each connection, in its thread."""
        with self._lock:
            self._open.discard(request)
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was faster
        request.close()
        self._room.release()

    def answers(self, by: int) -> None:
        """So many more answers are being made."""
        with self._lock:
            self._answering += by
            self._lock.notify_all()

    def end(self) -> None:
        """Hang up on everybody; who waits for an answer gets it first."""
        self._ended.set()
        with self._lock:
            self._lock.wait_for(lambda: not self._answering, LAST_ANSWERS)
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it is gone already

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is its owner's affair; a mistake of ours is to be seen."""
        if not isinstance(sys.exception() if hasattr(sys, "exception") else None, OSError):
            super().handle_error(request, client_address)


def _may_ask(connection: socket.socket) -> bool:
    return _uid_of(connection) in (os.geteuid(), 0)


def _uid_of(connection: socket.socket) -> int | None:
    """Of the process that connected; None: the system does not say."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")  # struct ucred: pid, uid, gid (unix(7))
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        uid: int = struct.unpack("3i", data)[1]
        return uid
    # LOCAL_PEERCRED of the BSDs and macOS: struct xucred, version then uid (unix(4))
    data = connection.getsockopt(0, 1, 76)
    version, uid = struct.unpack_from("II", data)
    return uid if version == 0 else None


def _pid_of(connection: socket.socket) -> int | None:
    if sys.platform == "linux":
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", data)[0]
        return pid
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = default_request_version = "HTTP/1.1"
    server: Server
    server_version = "procession"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.answers(1)
        try:
            self._answer_it()
        finally:
            self.server.answers(-1)

    def _answer_it(self) -> None:
        status: int
        told: dict[str, object]
        try:
            status, told = 200, self._told(protocol.parse(self.command, self.path, self._body()))
        except BadRequestError as e:
            status, told = e.status, {"error": str(e)}
        except LookupError as e:
            status, told = 503, {"error": str(e.args[0]) if e.args else "it has ended"}
        except TimeoutError:
            status, told = 503, {"error": "the supervisor does not answer"}
        self._send(status, told)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For http.server, which says it of what is no HTTP: in our form, and hangs up."""
        self.close_connection = True
        self._send(int(code), {"error": message or explain or "this means nothing"})

    def _send(self, status: int, told: dict[str, object]) -> None:
        data = json.dumps(told, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        try:
            size = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            size = -1
        if not 0 <= size <= protocol.MOST_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise BadRequestError(
                400, f"a body has at most {protocol.MOST_BODY} bytes, told before it"
            )
        return self.rfile.read(size)

    def _told(self, request: protocol.Request) -> dict[str, object]:
        supervisor = self.server.supervisor
        if isinstance(request, protocol.AboutAsked):
            return dict(self.server.about.__dict__)
        if isinstance(request, protocol.Question):
            if request.after is not None:
                supervisor.newer(request.after, request.within)
            return self._rows()
        if isinstance(request, protocol.Down):
            supervisor.down(request.force, self._who())
            return self._rows()
        return self._wish(supervisor, request)

    def _wish(self, supervisor: Supervisor, wish: protocol.Wish) -> dict[str, object]:
        before = supervisor.rows()
        try:
            rows = protocol.chosen(before[2], [wish.name])
        except KeyError:
            names = ", ".join(sorted({str(row["task"]) for row in before[2]}))
            raise BadRequestError(
                404, f"no task is called {wish.name!r}; there are {names}"
            ) from None
        if before[1]:
            raise BadRequestError(409, "the whole project stops")
        supervisor.wish(wish.verb, [str(row["name"]) for row in rows], self._who())
        return {"version": before[0], "replicas": rows}

    def _rows(self) -> dict[str, object]:
        version, stopping, rows = self.server.supervisor.rows()
        return {"version": version, "stopping": stopping, "replicas": rows}

    def _who(self) -> str:
        pid = _pid_of(self.connection)
        return "asked for" if pid is None else f"asked for by process {pid}"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Nothing: what a request changes is told with its reason."""
