"""The socket of a running project, and who is let in. Nothing else is loaded before somebody comes.

A thread waits for the first connection, and loads the server then: a project that nobody asks
anything pays for one descriptor and one thread.
"""

from __future__ import annotations

import os
import sys
import threading

from procession.process import spare

assert sys.platform != "win32", "unix sockets"

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as sockets

    from procession.control.address import About, Claim
    from procession.control.server import Server, Supervisor


BACKLOG = 512  # connections that wait to be let in; past it connect(2) says EAGAIN at once


class Door:
    """Opened once the tasks were started. `open` and `close` in one thread."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._socket: sockets.socket | None = None
        self._thread: threading.Thread | None = None
        self._server: Server | None = None
        self._closing = False

    def open(self, supervisor: Supervisor, about: About) -> str | None:
        """Let others find the project, and ask. A sentence where that cannot be: the project runs
        all the same."""
        listening: sockets.socket | None = None
        try:
            spare.load("socket")
            import socket

            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listening.bind(self._claim.socket_path)
            # The folder is 0700; the mode is for who would open that. No umask: it is the whole
            # process's, which may be somebody's application.
            os.chmod(self._claim.socket_path, 0o600)
            listening.listen(BACKLOG)
            self._claim.tell(about)
            thread = threading.Thread(
                target=self._wait,
                args=(listening, supervisor, about),
                name="procession-door",
                daemon=True,
            )
            thread.start()
        except (OSError, RuntimeError) as e:  # the latter is all that Python says of no thread
            if listening is not None:
                listening.close()
            try:
                self._claim.tell(about)  # it is to be seen all the same, and says why it is deaf
            except OSError:
                pass  # nothing can be written there, as is told
            why = e.strerror if isinstance(e, OSError) else None
            return f"it cannot be steered from outside: {why or e}"
        self._socket, self._thread = listening, thread
        return None

    def _wait(self, listening: sockets.socket, supervisor: Supervisor, about: About) -> None:
        import select

        waiting = select.poll()
        waiting.register(listening, select.POLLIN)
        waiting.poll()
        if self._closing:
            return
        server = self._make_server(listening, supervisor, about)
        if server is not None:
            self._server = server
            server.serve(lambda: self._closing)

    def _make_server(
        self, listening: sockets.socket, supervisor: Supervisor, about: About
    ) -> Server | None:
        """None: it is closed. Who asks where there is no descriptor for it waits until there is."""
        import time

        while not self._closing:
            try:
                spare.load("procession.control.server")
                from procession.control.server import Server

                return Server(listening, supervisor, about)
            except OSError as e:
                if e.errno not in spare.NO_ROOM:
                    raise
                time.sleep(spare.NO_ROOM_PAUSE)
        return None

    def close(self, timeout: float = 1.0) -> None:
        """Answer no more, and take all away. Whoever waits for an answer sees the end."""
        self._closing = True
        listening, self._socket = self._socket, None
        if listening is not None:
            import socket

            try:
                listening.shutdown(socket.SHUT_RDWR)  # wakes the thread
            except OSError:
                pass  # some systems refuse it for a socket that listens, and wake all the same
            if self._server is not None:
                self._server.end()
            if self._thread is not None:
                self._thread.join(timeout)
            listening.close()
        self._claim.release()
