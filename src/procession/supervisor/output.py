"""Where the output of the runs goes: log files, the terminal, and our own words on both.

The log folder is made, and the capture thread started, only after the first tasks were spawned:
finding the default place costs 16 ms of imports, and a pipe holds 64 KiB meanwhile. A folder the
user named is made before anything starts, since a mistake there is theirs to know first.
"""

from __future__ import annotations

import os
import time

from procession.core.actions import Changed
from procession.core.view import tell, worth_telling
from procession.errors import HostError
from procession.logs.capture import Capture
from procession.logs.console import Console
from procession.logs.files import LogFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    RunKey = tuple[str, int]

STREAMS = ("stdout", "stderr")
CLOSE_TIMEOUT = 2.0  # seconds a slow terminal or disk may hold up the end of the supervisor


class Output:
    """Used by the engine's thread alone; `on_drained` is called from the capture thread."""

    def __init__(
        self,
        project: str,
        replicas: Sequence[str],
        on_drained: Callable[[Hashable], None],
        *,
        quiet: bool = False,
        log_dir: str | None = None,
        color: bool = False,
        timestamps: bool = False,
        out_fd: int = 1,
        err_fd: int = 2,
    ) -> None:
        self._project = project
        self._quiet = quiet
        self._log_dir = log_dir
        self._console = Console(
            out_fd,
            err_fd,
            names=replicas,
            color=color,
            timestamps=timestamps,
            on_trouble=self.event,
        )
        self._capture = Capture(on_drained, on_trouble=self.say)
        self._folder: LogFolder | None = None
        self._started = False
        self._waiting: list[tuple[RunKey, tuple[int, int]]] = []
        self._lines: list[str] = []
        if log_dir is not None:
            self._folder = LogFolder.create(log_dir, project, time.time())

    def start(self) -> None:
        """Open the logs and begin to read. A default place that fails costs the logs only."""
        if self._folder is None:
            try:
                self._folder = LogFolder.create(None, self._project, time.time())
            except HostError as e:
                self.say(f"no log files: {e}")
        if self._folder is not None and self._folder.note:
            self.say_only(self._folder.note)
        self._started = True
        for line in self._lines:
            self.event(line)
        self._lines.clear()
        self._capture.start()
        if self._folder is not None:
            self._folder.write_through(self._capture.post)
        for run, fds in self._waiting:
            self._attach(run, fds)
        self._waiting.clear()

    @property
    def folder(self) -> str | None:
        """Where the log files of this supervisor are; None where there are none (yet)."""
        return self._folder.path if self._folder else None

    def pipes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Two pipes for a run about to start: (read ends, write ends), stdout first."""
        out_r, out_w = os.pipe()
        try:
            err_r, err_w = os.pipe()
        except OSError:
            os.close(out_r)
            os.close(out_w)
            raise
        return (out_r, err_r), (out_w, err_w)

    def attach(self, run: RunKey, reads: tuple[int, int]) -> None:
        """Take over the read ends of a run that was started."""
        if self._started:
            self._attach(run, reads)
        else:
            self._waiting.append((run, reads))

    def drain(self, run: RunKey) -> None:
        """The run's tree is empty: read to the end, then call `on_drained(run)`."""
        self._capture.drain(run)

    def changed(self, change: Changed) -> None:
        self.event(f"{change.replica} run {change.run}: {change.old} -> {change.new}: {change.why}")
        if worth_telling(change, quiet=self._quiet):
            self.say_only(tell(change))

    def say(self, text: str) -> None:
        """For people: on the terminal and in the event log."""
        self.event(text)
        self.say_only(text)

    def closing(self, text: str) -> None:
        """The last words: always in the event log; on the terminal unless quiet was asked for."""
        self.event(text)
        if not self._quiet:
            self.say_only(text)

    def say_only(self, text: str) -> None:
        self._console.say(text)

    def event(self, line: str) -> None:
        """For later: in `procession.log` alone."""
        if not self._started:
            self._lines.append(line)
        elif self._folder is not None:
            self._folder.event(line)

    def close(self) -> None:
        """Write what is left, bounded; give everything back."""
        if not self._started:
            self.start()
        self._capture.close(CLOSE_TIMEOUT)
        lost = None
        if self._folder is not None:
            self._folder.write_through(None)
            lost = self._folder.close()
        if lost:
            self.say_only(lost)
        self._console.close(CLOSE_TIMEOUT)

    def _attach(self, run: RunKey, reads: tuple[int, int]) -> None:
        replica = run[0]
        for which, fd in zip(STREAMS, reads, strict=True):
            sink = path = console = None
            if self._folder is not None:
                sink = self._folder.sink(replica, which)
                path = os.path.join(self._folder.path, self._folder.file_of(replica, which))
            if not self._quiet:
                console = self._console.stream(replica, which, path)
            self._capture.add(run, fd, log=sink, console=console, name=f"{replica} {which}")
