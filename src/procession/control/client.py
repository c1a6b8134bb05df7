"""Speaks to a running project over its socket. Blocks; bounded by the timeouts it is given."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from urllib.parse import quote

from procession.control.address import SOCKET, About, is_alive
from procession.control.protocol import LONGEST_WAIT
from procession.errors import HostError, ProcessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANSWER_WITHIN = 10.0  # seconds beside those that were asked for


class NotRunningError(ProcessionError):
    """No supervisor runs the project, or it ended while it was asked."""


class RefusedError(ProcessionError):
    """The supervisor says no; its words."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        if sys.platform == "win32":
            raise HostError("a running project", "it has no socket on Windows yet")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Of the project whose folder (`address.running`) this is. One thread."""

    def __init__(self, folder: str, about: About) -> None:
        self.about = about
        self._folder = folder
        self._connection = _Connection(os.path.join(folder, SOCKET), ANSWER_WITHIN + LONGEST_WAIT)

    def close(self) -> None:
        self._connection.close()

    def replicas(self, after: int | None = None, within: float = 0.0) -> dict[str, Any]:
        """`{"version", "stopping", "replicas"}`; held back as `protocol.Question` says.

        Raises NotRunningError, RefusedError.
        """
        query = "" if after is None else f"?after={after}&within={min(within, LONGEST_WAIT):.3f}"
        return self._ask("GET", f"/v1/replicas{query}")

    def wish(self, verb: str, name: str) -> dict[str, Any]:
        """`{"version", "replicas"}` as they were when the wish came. Raises as `replicas`."""
        return self._ask("POST", f"/v1/replicas/{quote(name, safe='')}/{verb}")

    def down(self, *, force: bool = False) -> None:
        """Have the whole project stopped; returns at once. Raises as `replicas`."""
        self._ask("POST", "/v1/down", {"force": force})

    @property
    def is_alive(self) -> bool:
        """Does its supervisor live?"""
        return is_alive(self._folder)

    def _ask(self, method: str, target: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, target, data)
            answer = self._connection.getresponse()
            told = json.loads(answer.read())
        except (TimeoutError, BlockingIOError) as e:  # the latter: too many wait to be let in
            self._connection.close()
            raise RefusedError(
                f"{self.about.project}: its supervisor ({self.about.pid}) does not answer"
            ) from e
        except (OSError, http.client.HTTPException, ValueError) as e:
            self._connection.close()
            raise NotRunningError(f"{self.about.project}: it has ended") from e
        if answer.status != 200:
            raise RefusedError(f"{self.about.project}: {told['error']}")
        assert isinstance(told, dict)
        return told
