"""Speaks to a running project over its socket. Blocks; bounded by the timeouts it is given."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from urllib.parse import quote

from procession.control.address import SOCKET, About, held_by, is_alive
from procession.control.protocol import LONGEST_WAIT, is_state
from procession.errors import HostError, ProcessionError, one_line, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANSWER_WITHIN = 10.0  # seconds beside those that were asked for
AT_LEAST = 2.0  # seconds for an answer, whatever was asked for: who is busy is not silent
ENDS_WITHIN = 2.0  # seconds from when a supervisor closes its door until it lets go of its lock
PAUSE = 0.02  # seconds between two looks for that


class NotRunningError(ProcessionError):
    """No supervisor runs the project, or it ended while it was asked."""


class RefusedError(ProcessionError):
    """The supervisor lives, and says no, or nothing that can be understood."""


class SilentError(RefusedError):
    """It lives, and does not answer in time."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        if sys.platform == "win32":
            raise HostError("a running project", "it has no socket on Windows yet")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def wait_for(self, seconds: float) -> None:
        """What is asked next is answered within this time, or raises TimeoutError."""
        self.timeout = seconds
        if self.sock is not None:
            self.sock.settimeout(seconds)


class Client:
    """Of the project whose folder (`address.running`) this is. One thread."""

    def __init__(self, folder: str, about: About) -> None:
        self.about = about
        self._folder = folder
        self._path = os.path.join(folder, SOCKET)
        self._connection = _Connection(self._path)
        self._most = LONGEST_WAIT

    def hurry(self, patience: float | None) -> None:
        """Whoever asks waits so many seconds at the most: for an answer too, but for `AT_LEAST`."""
        if patience is not None:
            self._most = max(AT_LEAST, patience)

    def close(self) -> None:
        self._connection.close()

    def replicas(self, after: int | None = None, within: float = 0.0) -> dict[str, Any]:
        """`{"version", "stopping", "replicas"}`; held back as `protocol.Question` says.

        Raises NotRunningError; RefusedError, also where what lives says nothing that can be
        understood; SilentError, which is one, where it says nothing.
        """
        if after is None:
            return self._ask("GET", "/v1/replicas")
        within = min(within, LONGEST_WAIT)
        query = f"?after={after}&within={within:.3f}"
        return self._ask("GET", f"/v1/replicas{query}", held_back=within)

    def wish(self, verb: str, name: str) -> dict[str, Any]:
        """`{"version", "replicas"}` as they were when the wish came. Raises as `replicas`."""
        return self._ask("POST", f"/v1/replicas/{quote(name, safe='')}/{verb}")

    def down(self, *, force: bool = False) -> None:
        """Have the whole project stopped; returns at once. Raises as `replicas`."""
        self._ask("POST", "/v1/down", body={"force": force})

    @property
    def is_alive(self) -> bool:
        """Does its supervisor live? Another, that has taken its place meanwhile, is not it."""
        return is_alive(self._folder) and held_by(self._folder) in (None, self.about.pid)

    def _ask(
        self,
        method: str,
        target: str,
        *,
        body: object = None,
        held_back: float = 0.0,
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body)
        patience = min(ANSWER_WITHIN, self._most) + held_back
        try:
            try:
                status, answer = self._answer(method, target, data, patience)
            except (ConnectionResetError, BrokenPipeError):
                # it made room for another while we said nothing: then it has read none of this
                self._connection.close()
                status, answer = self._answer(method, target, data, patience)
        except TimeoutError as e:
            self._connection.close()
            raise SilentError(str(self._refused(self._silent(patience)))) from e
        except (http.client.IncompleteRead, OSError) as e:
            self._connection.close()
            raise self._lost(e) from e
        except http.client.HTTPException as e:
            self._connection.close()
            raise self._refused(f"answers what is no HTTP ({type(e).__name__})") from e
        return self._told(status, answer)

    def _answer(
        self, method: str, target: str, data: str | None, patience: float
    ) -> tuple[int, bytes]:
        self._connection.wait_for(patience)
        self._connection.request(method, target, data)
        response = self._connection.getresponse()
        return response.status, response.read()

    def _told(self, status: int, answer: bytes) -> dict[str, Any]:
        told: object
        try:
            told = json.loads(answer)
        except (ValueError, RecursionError):
            told = None
        if status == 200 and is_state(told):
            assert isinstance(told, dict)
            return told
        if status != 200 and isinstance(told, dict) and isinstance(told.get("error"), str):
            raise RefusedError(f"{self._project}: {one_line(told['error'])}")
        said = quoted(answer.decode("utf-8", "backslashreplace")) if answer else "nothing"
        raise self._refused(
            f"answers with status {status} what means nothing here: {said}. "
            "Is it of another version of procession?"
        )

    # --- why it failed -----------------------------------------------------------------------

    @property
    def _project(self) -> str:
        return one_line(self.about.project)

    def _refused(self, what: str) -> RefusedError:
        return RefusedError(f"{self._project}: its supervisor ({self.about.pid}) {what}")

    def _silent(self, patience: float) -> str:
        said = f"does not answer within {patience:g} s"
        if _is_stopped(self.about.pid):
            return f"{said}: it was stopped by a signal. `kill -CONT {self.about.pid}` has it go on"
        return f"{said}. {self._by_hand}, `kill -KILL {self.about.pid}` at once"

    @property
    def _by_hand(self) -> str:
        return f"`kill {self.about.pid}` ends the project gracefully"

    def _lost(self, e: Exception) -> ProcessionError:
        """There is no connection, or it broke: the project has ended, or else what this means."""
        until = time.monotonic() + ENDS_WITHIN
        while self.is_alive:
            if time.monotonic() >= until:
                return self._refused(self._deaf(e))
            time.sleep(PAUSE)
        return NotRunningError(f"{self._project}: it has ended")

    def _deaf(self, e: Exception) -> str:
        path = one_line(self._path)
        if isinstance(e, FileNotFoundError):
            return f"lives, but its socket {path} is gone: it cannot be asked. {self._by_hand}"
        if isinstance(e, ConnectionRefusedError):
            return f"lives, but nobody listens at {path}: it cannot be asked. {self._by_hand}"
        if isinstance(e, BlockingIOError):
            return "does not let us in: too many wait for that. Try again"
        if isinstance(e, ConnectionError | http.client.IncompleteRead):
            return "hangs up: are too many connected? Try again"
        assert isinstance(e, OSError)
        return f"cannot be asked at {path}: {(e.strerror or str(e)).lower()}"


def _is_stopped(pid: int) -> bool:
    """By SIGSTOP and its like; False where that cannot be seen."""
    if sys.platform != "linux":
        return False
    from procession.process import _linux

    try:
        return _linux.stat(pid).state in ("T", "t")
    except (OSError, ValueError):
        return False
