"""Answers over the project's socket. Threads of its own; the supervisor's loop never waits for it.

`http.server` of the standard library does the HTTP (`docs/decisions/`). Only this user and root get
an answer, whatever the mode of the socket says: who connects is asked for at the kernel.
"""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

from procession.control import protocol
from procession.control.peers import uid_of
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

        @property
        def version(self) -> int:
            """The latest. Never blocks."""

        def newer(self, version: int, within: float) -> None:
            """Return once the state is newer than `version`, or after so many seconds."""

        def wish(self, verb: str, names: list[str], who: str) -> None:
            """`start`, `stop` or `restart` these replicas; `who` asked, in words."""

        def down(self, force: bool, who: str) -> None: ...


MOST_AT_ONCE = 64  # connections
PATIENCE = 60.0  # seconds a connection may be silent between two requests
WHOLE_WITHIN = 10.0  # seconds for all of a request, from its first byte; as many for its answer
SILENT = 0.5  # seconds without a whole request after which a connection makes room for another
ROOM_WITHIN = 2.0  # seconds that a new one waits for room
LAST_ANSWERS = 0.5  # seconds for the answers under way when the project has ended
LATELY = 2.0  # seconds after an answer in which who got it is taken to ask again
LAST_QUESTIONS = 0.3  # seconds in which such a one is still to learn how the project has ended
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
        self._silent: dict[socket.socket, float] = {}  # since when, the longest first
        self._told: dict[socket.socket, int] = {}  # the version that it was told last
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
            if closing() or not _may_ask(connection) or not self._has_room(closing):
                connection.close()
                continue
            with self._lock:
                self._open.add(connection)
                self._silent[connection] = time.monotonic()
            try:
                self.process_request(connection, "")
            except RuntimeError:  # no thread can be started, for now
                self.shutdown_request(connection)
                self._ended.wait(RESPITE)

    def _has_room(self, closing: Callable[[], bool]) -> bool:
        """For one more connection, if need be in the place of one that asks nothing."""
        if self._room.acquire(blocking=False):
            return True
        until = time.monotonic() + ROOM_WITHIN
        while not closing() and time.monotonic() < until:
            self._drop_the_silent()
            if self._room.acquire(timeout=RESPITE):
                return True
        return False

    def _drop_the_silent(self) -> None:
        """Hang up on who has asked nothing for the longest time, if that is long."""
        with self._lock:
            connection, since = next(iter(self._silent.items()), (None, 0.0))
            if connection is not None and time.monotonic() - since >= SILENT:
                del self._silent[connection]
                _hang_up(connection)  # its thread reads the end, and gives the room back

    def shutdown_request(self, request: Any) -> None:
        """As its base says: called once for each connection, in its thread."""
        with self._lock:
            self._open.discard(request)
            self._silent.pop(request, None)
            self._told.pop(request, None)
            self._lock.notify_all()
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was faster
        request.close()
        self._room.release()

    def begins_answer(self, connection: socket.socket) -> bool:
        """A whole request is there; False: too late, and nothing may come of it."""
        with self._lock:
            if self._silent.pop(connection, None) is None:
                return False
            self._answering += 1
        return True

    def ends_answer(self, connection: socket.socket, version: object) -> None:
        """`version`: of the state that was told, if that was one."""
        with self._lock:
            self._silent[connection] = time.monotonic()
            if isinstance(version, int):
                self._told[connection] = version
            self._answering -= 1
            self._lock.notify_all()

    def end(self) -> None:
        """Hang up on everybody. Who waits for an answer gets it first; who is between two questions
        may ask once more, so that it learns how what it waits for has ended. Nobody else costs
        time."""
        self._ended.set()
        began = time.monotonic()
        with self._lock:
            self._lock.wait_for(
                lambda: not self._answering and not self._is_behind(began), LAST_QUESTIONS
            )
            self._lock.wait_for(lambda: not self._answering, LAST_ANSWERS)
            for connection in self._open:
                _hang_up(connection)

    def _is_behind(self, now: float) -> bool:
        """Has anybody asked lately, and not been told the latest?"""
        latest = self.supervisor.version
        return any(
            now - since < LATELY and self._told.get(connection, latest) < latest
            for connection, since in self._silent.items()
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is its owner's affair; a mistake of ours is to be seen."""
        if not isinstance(sys.exception() if hasattr(sys, "exception") else None, OSError):
            super().handle_error(request, client_address)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is gone already


def _may_ask(connection: socket.socket) -> bool:
    return uid_of(connection) in (os.geteuid(), 0)


class _Request(io.RawIOBase):
    """What a connection sends, each whole request bounded by the clock and not each byte of it: who
    sends one a second keeps nobody out for long."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError past the bound."""
        left = PATIENCE if self._until is None else self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        size = self._connection.recv_into(buffer)
        if self._until is None:
            self._until = time.monotonic() + WHOLE_WITHIN
        return size

    def is_whole(self) -> None:
        """What is read next is another request."""
        self._until = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = default_request_version = "HTTP/1.1"
    server: Server
    server_version = "procession"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def setup(self) -> None:
        """As its base says."""
        super().setup()
        self.rfile.close()
        self._request = _Request(self.connection)
        self.rfile = io.BufferedReader(self._request)

    def _answer(self) -> None:
        wrong: BadRequestError | None = None
        body = b""
        try:
            body = self._body()
        except BadRequestError as e:
            wrong = e
        if not self.server.begins_answer(self.connection):
            self.close_connection = True
            return
        told: dict[str, object] = {}
        try:
            status, told = self._answer_to(body, wrong)
            self._send(status, told)
        finally:
            self._request.is_whole()
            self.server.ends_answer(self.connection, told.get("version"))

    def _answer_to(
        self, body: bytes, wrong: BadRequestError | None
    ) -> tuple[int, dict[str, object]]:
        try:
            if wrong is not None:
                raise wrong
            return 200, self._told(protocol.parse(self.command, self.path, body))
        except BadRequestError as e:
            return e.status, {"error": str(e)}
        except LookupError as e:
            return 503, {"error": str(e.args[0]) if e.args else "it has ended"}
        except TimeoutError:
            return 503, {"error": "the supervisor does not answer"}

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For http.server, which says it of what is no HTTP: in our form, and hangs up."""
        self.close_connection = True
        self._send(int(code), {"error": message or explain or "this means nothing"})

    def _send(self, status: int, told: dict[str, object]) -> None:
        data = json.dumps(told, separators=(",", ":")).encode()
        self.connection.settimeout(WHOLE_WITHIN)  # for all of it: the time of sendall is total
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
        body = self.rfile.read(size)
        if len(body) < size:  # half a wish is none
            self.close_connection = True
            raise BadRequestError(400, f"the body ended after {len(body)} of {size} bytes")
        return body

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
            why = protocol.nobody(self.server.about.left_out, wish.name)
            raise BadRequestError(404, f"{wish.name!r}: {why}; there are {names}") from None
        if before[1]:
            raise BadRequestError(409, "the whole project stops")
        supervisor.wish(wish.verb, [str(row["name"]) for row in rows], self._who())
        return {"version": before[0], "replicas": rows}

    def _rows(self) -> dict[str, object]:
        version, stopping, rows = self.server.supervisor.rows()
        return {"version": version, "stopping": stopping, "replicas": rows}

    def _who(self) -> str:
        """By its name: the process that asks is gone when somebody reads of it."""
        uid = uid_of(self.connection)
        if uid is None:
            return "asked for"
        import pwd

        try:
            return f"asked for by {pwd.getpwuid(uid).pw_name}"
        except KeyError:
            return f"asked for by user {uid}"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Nothing: what a request changes is told with its reason."""
