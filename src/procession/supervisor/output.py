"""Where the output of the runs goes: log files, the terminal, and our own words on both.

Everything of `procession.logs` is imported, and the log folder made, only after the first tasks
were spawned: that is a third of all imports, finding the default place costs 16 ms more, and a
pipe holds 64 KiB meanwhile. A folder the user named is made before anything starts, since a
mistake there is theirs to know first.
"""

from __future__ import annotations

import errno
import os
import select
import time

from procession.core.actions import Changed, HealthChanged, ReadyChanged
from procession.core.view import tell, tell_check, worth_telling
from procession.errors import HostError, UsageError, one_line
from procession.process import limits, spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from procession.logs.capture import Capture
    from procession.logs.console import Console
    from procession.logs.files import LogFolder
    from procession.logs.pipes import Tap
    from procession.supervisor.runs import RunKey

    Taps = tuple[Tap, Tap] | None  # who listens to stdout, and to stderr

STREAMS = ("stdout", "stderr")
LOGS = len(STREAMS)  # files that a task's first run opens, in another thread, a moment later
HEADROOM = 24  # descriptors kept for our own work
CLOSE_TIMEOUT = 2.0  # seconds a terminal that takes nothing may hold up the end of the supervisor
CLOSE_CAP = 30.0  # and one that takes a little all the time


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
        log_limits: tuple[int, int, int] | None = None,  # as `logs.bounds.Limits`; None: the usual
        colors: tuple[bool, bool] = (False, False),  # on our stdout, on our stderr
        timestamps: bool = False,
        raw: bool = False,
        out_fd: int = 1,
        err_fd: int = 2,
        shown: bool = True,
        on_said: Callable[[str], object] | None = None,
    ) -> None:
        """`shown`: on these descriptors. `on_said` is told what there is for people, in any of our
        threads: it must not block or raise."""
        self._project = project
        self._replicas = replicas
        self._on_drained = on_drained
        self._quiet = quiet
        self._colors = colors
        self._timestamps = timestamps
        self._raw = raw
        self._fds = (out_fd, err_fd) if shown else None
        self._on_said = on_said
        self._log_limits = log_limits
        self._console: Console | None = None  # as the capture: both from `start` on
        self._capture: Capture | None = None
        self._folder: LogFolder | None = None
        self._limit = limits.descriptors()
        self._project_stops = False
        self._muted = False
        self._waiting: list[tuple[RunKey, tuple[int, int], Taps, bool]] = []
        # Where a replica's latest run began in its log files, for who may have to show its end.
        self._began: dict[str, tuple[int, ...]] = {}
        self._pointed_at: dict[str, str] = {}  # by replica; of the capture thread alone
        # What was said and not written yet: (when, text, for the log, for the terminal). A wave of
        # exits is one write, not one for each word of it that wakes another thread.
        self._said: list[tuple[float, str, bool, bool]] = []
        if log_dir is not None:
            try:
                self._folder = self._make_folder(log_dir)
            except HostError as e:  # the place was the user's choice
                raise UsageError("--log-dir", str(e)) from e

    def start(self) -> None:
        """Open the logs and begin to read. A default place that fails costs the logs only."""
        from procession.logs.capture import Capture

        if self._fds is not None:
            self._console = self._make_console(self._fds)
        self._capture = Capture(self._on_drained, on_trouble=self._trouble)
        if self._folder is None:
            try:
                self._folder = self._make_folder(None)
            except HostError as e:
                self.say(f"no log files: {e}")
        if self._folder is not None:
            if self._folder.note:
                self.say(self._folder.note)
            if not self._quiet:  # before anything else: where to look later
                where = f"logs: {one_line(self._folder.path)}"
                self._said.insert(0, (time.time(), where, False, True))
        self._capture.start()
        if self._folder is not None:
            self._folder.write_through(self._capture.post)
            self._capture.call(self._folder.clean)
        for run, fds, taps, kept in self._waiting:
            self._attach(self._capture, run, fds, taps, kept)
        self._waiting.clear()
        self.flush()

    def _make_console(self, on: tuple[int, int]) -> Console:
        from procession.logs.console import Console

        try:
            console = Console(
                *on,
                names=self._replicas,
                color=self._colors[0],
                err_color=self._colors[1],
                timestamps=self._timestamps,
                raw=self._raw,
                on_trouble=self._terminal_trouble,
            )
        except OSError as e:
            words = (e.strerror or str(e)).lower()
            raise HostError("our own output", f"cannot be set up: {words}") from e
        if self._muted:
            console.mute()
        return console

    @property
    def folder(self) -> str | None:
        """Where the log files of this supervisor are; None where there are none (yet)."""
        return self._folder.path if self._folder else None

    def pipes(self, owed: int = 0) -> tuple[tuple[int, int], tuple[int, int]]:
        """Two pipes for a run about to start: (read ends, write ends), stdout first.

        `owed`: descriptors that will be opened for those started before. Raises OSError (EMFILE).
        """
        out_r, out_w = os.pipe()
        try:
            err_r, err_w = os.pipe()
        except OSError:
            os.close(out_r)
            os.close(out_w)
            raise
        fds = (out_r, err_r), (out_w, err_w)
        # The lowest free number is given: so many are in use. A task more is refused before the
        # last ones are gone, which looking at /proc and bringing all down cannot do without.
        owed += LOGS * (len(self._waiting) + 1)
        if err_w + 1 + owed > self._limit - HEADROOM:
            for fd in (*fds[0], *fds[1]):
                os.close(fd)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return fds

    def attach(
        self, run: RunKey, reads: tuple[int, int], taps: Taps = None, *, kept: bool = True
    ) -> None:
        """Take over the read ends of a run, or an errand, that was started. `taps` listen to it;
        `kept`: it goes to the logs and the terminal."""
        if self._capture is not None:
            self._attach(self._capture, run, reads, taps, kept)
        else:
            self._waiting.append((run, reads, taps, kept))

    def drain(self, run: RunKey) -> None:
        """The run's tree is empty: read to the end, then call `on_drained(run)`.

        After `start` only: no tree is looked at before.
        """
        assert self._capture is not None
        self._capture.drain(run)

    def changed(self, change: Changed) -> None:
        """A replica's state changed."""
        run, moved = f" run {change.run}", f"{change.old} -> {change.new}"
        if not change.run:  # none has begun
            run, moved = "", change.new if change.old == change.new else moved
        self.event(f"{change.replica}{run}: {moved}: {change.why}")
        if worth_telling(change, quiet=self._quiet, project_stops=self._project_stops):
            self._tell(tell(change), log=False)
        if self._quiet and change.new in ("failed", "backoff") and change.old != "starting":
            self._show_end(change.replica)

    def checked(self, change: ReadyChanged | HealthChanged, *, show: bool) -> None:
        """A run is ready, or healthy, or no longer: the bad news also where quiet was asked for.
        `show`: it is news on the terminal."""
        bad = not (change.ready if isinstance(change, ReadyChanged) else change.healthy)
        self._tell(tell_check(change), show=show and (bad or not self._quiet))

    def stop_began(self, reason: str, *, forced: bool) -> None:
        """The whole project goes down."""
        self._project_stops = True
        self._tell(f"{'forced' if forced else 'stopping'}: {reason}", show=not self._quiet)

    def say(self, text: str) -> None:
        """For people: on the terminal and in the event log."""
        self._tell(text)

    def event(self, line: str) -> None:
        """For later: in `procession.log` alone."""
        self._tell(line, show=False)

    def closing(self, text: str) -> None:
        """The last words: always in the event log; on the terminal unless quiet was asked for."""
        self._tell(text, show=not self._quiet)

    def close(self) -> None:
        """Write what is left, bounded; give everything back."""
        if self._capture is None:
            self.start()
        assert self._capture is not None
        self.flush()
        self._capture.close(CLOSE_TIMEOUT)
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.write_through(None)
        if self._console is not None:
            unshown = self._console.close(CLOSE_TIMEOUT, CLOSE_CAP)
            if unshown.size and not self._muted:  # else the terminal is somebody else's
                words = f"{unshown.size} bytes were not shown: our output did not take them"
                if folder is not None:
                    folder.event(words)
                self._last_words(words)
        lost = folder.close() if folder is not None else None
        if lost:
            self._last_words(lost)

    def abandon(self) -> None:
        """Something failed, perhaps in `start`: give back what there is, whatever state it is in.
        Idempotent."""
        while self._waiting:
            for fd in self._waiting.pop()[1]:
                os.close(fd)
        if self._capture is not None:
            try:
                self._capture.close(CLOSE_TIMEOUT)
            except HostError:
                pass  # what kept it from beginning is told already
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.write_through(None)
            folder.close()
        if self._console is not None:
            self._console.close(CLOSE_TIMEOUT)

    def when_written(self, then: Callable[[], None]) -> None:
        """`then` is called, in another thread, when all that was read and said before this is in
        the logs; never, once they are closed."""
        self.flush()
        if self._capture is not None:
            self._capture.call(then)

    @property
    def muted(self) -> bool:
        """True between `mute` and `unmute`."""
        return self._muted

    def mute(self) -> None:
        """The terminal is somebody else's for a while: write nothing there. Logs go on."""
        self._muted = True
        if self._console is not None:
            self._console.mute()

    def unmute(self) -> None:
        """It is ours again."""
        self._muted = False
        if self._console is not None:
            self._console.unmute()

    def flush(self) -> None:
        """Write what was said since the last time. Due whenever the engine goes to sleep."""
        if self._capture is None or not self._said:
            return
        said, self._said = self._said, []
        if self._folder is not None:
            self._folder.events((at, text) for at, text, log, _ in said if log)
        shown = [text for _, text, _, show in said if show]
        if shown and self._console is not None:
            self._console.say("\n".join(shown))
        if self._on_said is not None:
            for text in shown:
                self._on_said(text)

    def _show_end(self, replica: str) -> None:
        """A run failed, and nobody saw what it wrote: its last lines, and where the rest is."""
        if self._folder is None or self._capture is None:
            return  # nothing was kept, which was told
        paths = [self._path_of(replica, which) for which in STREAMS]
        begins = self._began.get(replica, (0,) * len(paths))
        # The capture thread has written all of the run by now, and may wait for a disk.
        self.flush()
        self._capture.call(lambda: self._show_last(replica, list(zip(paths, begins, strict=True))))

    def _show_last(self, replica: str, files: list[tuple[str, int]]) -> None:
        spare.load("procession.logs.tail")
        from procession.logs.tail import last_lines

        lines = last_lines(files)
        if lines and self._console is not None:
            first, *more = [path for path, _ in files if _size(path)]
            where = " and ".join([first, *map(os.path.basename, more)])
            news = self._pointed_at.get(replica) != where
            self._pointed_at[replica] = where
            note = f"{replica}: all it wrote is in {where}" if news else ""
            self._console.show(replica, "\n".join(lines), note)

    def _make_folder(self, base: str | None) -> LogFolder:
        from procession.logs.bounds import Limits
        from procession.logs.files import LogFolder

        bounds = Limits(*(self._log_limits or ()))
        files = LOGS * len(self._replicas) + 1
        return LogFolder.create(base, self._project, time.time(), limits=bounds, files=files)

    def _path_of(self, replica: str, which: str) -> str:
        assert self._folder is not None
        return os.path.join(self._folder.path, self._folder.file_of(replica, which))

    def _last_words(self, text: str) -> None:
        """To stderr, when the console is gone: only if that takes them at once."""
        if self._on_said is not None:
            self._on_said(text)
        if self._fds is None:
            return
        try:
            if select.select((), (self._fds[1],), (), 0)[1]:
                # writable: 512 bytes, the least PIPE_BUF there is, fit without blocking (POSIX)
                os.write(self._fds[1], f"procession | {text}\n".encode()[:512])
        except (OSError, ValueError):
            return  # it is closed, or its number is beyond what select takes

    def _tell(self, text: str, *, log: bool = True, show: bool = True) -> None:
        self._said.append((time.time(), text, log, show))

    def _trouble(self, text: str) -> None:
        """From the capture thread, which does not wait for the engine to wake."""
        if self._folder is not None:
            self._folder.event(text)
        if self._console is not None:
            self._console.say(text)
        if self._on_said is not None:
            self._on_said(text)

    def _terminal_trouble(self, text: str) -> None:
        """From the console's thread. What still can be written to is told as well."""
        if self._folder is not None:
            self._folder.event(text)
        if self._console is not None:
            self._console.say(text)

    def _attach(
        self, capture: Capture, run: RunKey, reads: tuple[int, int], taps: Taps, kept: bool
    ) -> None:
        replica = run[0]
        folder = self._folder if kept else None
        console = self._console if kept and not self._quiet else None
        if self._quiet and folder is not None and run[1] > 1 and len(run) == 2:
            self._began[replica] = tuple(_size(self._path_of(replica, w)) for w in STREAMS)
        for number, (which, fd) in enumerate(zip(STREAMS, reads, strict=True)):
            sink = path = stream = None
            if folder is not None:
                sink = folder.sink(replica, which)
                path = self._path_of(replica, which)
            if console is not None:
                stream = console.stream(replica, which, path)
            tap = taps[number] if taps is not None else None
            capture.add(run, fd, log=sink, console=stream, name=f"{replica} {which}", tap=tap)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # it was never opened, or somebody took it away
        return 0
