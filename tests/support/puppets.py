"""Tasks that do what the test tells them, while `procession up` looks at them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.support.stage import Event
from tests.support.up import Project, Task, actor


class Puppet:
    """One task. `task(...)` is what to put into the file."""

    def __init__(self, project: Project, name: str) -> None:
        self.name = name
        self._project = project
        self._fifo = project.folder / f"{name}.fifo"
        os.mkfifo(self._fifo)
        self._fd = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK)
        self._lines = 0

    def task(self, **keys: object) -> Task:
        return actor("puppet", self.name, self._fifo, **keys)

    def send(self, line: str) -> None:
        """Have a line of Python done, by this run or the next."""
        os.write(self._fd, line.encode() + b"\n")

    def do(self, line: str) -> float:
        """Have it done; when that was, by the monotonic clock."""
        done = len(self._project.stage.all("did", self.name))
        self.send(line)
        event: Event = self._project.stage.wait("did", self.name, count=done + 1)[0]
        return float(event.words[0])

    def close(self) -> None:
        os.close(self._fd)


class Puppets:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._made: list[Puppet] = []
        self._ports: list[socket.socket] = []

    def __call__(self, name: str) -> Puppet:
        self._made.append(Puppet(self._project, name))
        return self._made[-1]

    def port(self) -> int:
        """One on which nobody but a puppet will listen."""
        kept = socket.socket()
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        self._ports.append(kept)
        port: int = kept.getsockname()[1]
        return port

    def close(self) -> None:
        for puppet in self._made:
            puppet.close()
        for kept in self._ports:
            kept.close()


@pytest.fixture
def puppets(project: Project) -> Iterator[Puppets]:
    made = Puppets(project)
    yield made
    made.close()
