"""The supervisor's own stdout and stderr: `name | line`, and `procession | what we have to say`.

stdout is data, stderr is talk: the stdout of tasks goes to our stdout, their stderr and what the
supervisor says to our stderr. Where both lead to the same place they share one queue, so that
what happened first is shown first.
"""

from __future__ import annotations

import sys
import threading
import time

from procession._record import Record
from procession.logs import fds, palette
from procession.logs.outlet import CLOSED, Outlet, Share, Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OURS = "procession"
GAP = ".."  # in a name that is shown shortened
LIMIT = 8 * 1024 * 1024  # bytes that wait for one output
PATIENCE = 1.0  # seconds that a task may be held back in one stall of the terminal


class Unshown(Record):
    """What the terminal did not get in time."""

    lines: int  # of tasks that were dropped because it was slow
    size: int  # bytes of them, and what still waited at the end


class ConsoleStream:
    """One output stream of one replica, over all its runs. See `feed.Destination`.

    Everything may be called from any thread; nothing blocks.
    """

    def __init__(
        self, console: Console, outlet: Outlet, replica: str, which: str, log: str | None
    ) -> None:
        self.replica = replica
        self.which = which
        self._console = console
        self._outlet = outlet
        self._log = log
        self._label = console.label(replica, which)
        self._share = Share()
        self._stall = 0
        self._waited = 0.0

    @property
    def closed(self) -> bool:
        """True once nothing given to it will be seen any more."""
        return self._outlet.dead is not None

    @property
    def raw(self) -> bool:
        """True where the task's control sequences reach the terminal as they are."""
        return self._console.raw

    def prefix(self) -> bytes:
        """What stands before each line from now on."""
        return self._console.stamp() + self._label

    def offer(self, lines: bytes, on_room: Callable[[], None]) -> bool:
        """Take `lines`, or answer False and call `on_room` once, from another thread, later."""
        return self._outlet.offer(self._share, lines, on_room)

    def patience(self) -> float:
        """Seconds that the stream may still wait in this stall of the terminal."""
        if self._console.muted or self.closed:
            return 0.0
        if self._stall != self._outlet.stalls:
            self._stall = self._outlet.stalls
            self._waited = 0.0
        return max(0.0, self._console.patience - self._waited)

    def waited(self, seconds: float) -> None:
        """The stream has waited so long."""
        self._waited += seconds

    def lost(self, size: int, lines: int) -> None:
        """So much was not shown."""
        self._console.count(size, lines, self._share)

    def tell_lost(self) -> None:
        """Say what was not shown since the last time, if anything."""
        size, lines = self._console.take_lost(self._share)
        if not size:
            return
        why = "the terminal was turned off" if self._console.muted else "the terminal is too slow"
        where = f"; {self._log} has all of it" if self._log else ""
        self._console.say(
            f"{self.replica}: {amount(size, lines)} of its {self.which} not shown, {why}{where}"
        )


class Console:
    """Shows blocks of lines on our stdout and stderr, by a thread that starts with the first.

    `out_fd` and `err_fd` are shared with whoever started us: nothing is changed about them, and
    they are not closed. `names` are the replicas known so far, in the order of the file: the
    longest sets the width, the order the colours. `color` is meant for stdout, `err_color` for
    stderr (None: the same). `on_trouble` gets a sentence when an output
    fails; it is called from the console's thread and must not block.
    """

    def __init__(
        self,
        out_fd: int,
        err_fd: int,
        *,
        names: Sequence[str],
        color: bool,
        timestamps: bool,
        err_color: bool | None = None,
        raw: bool = False,
        on_trouble: Callable[[str], None] | None = None,
        limit: int = LIMIT,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.patience = patience
        self.raw = raw
        self._color = color
        self._err_color = color if err_color is None else err_color
        self._timestamps = timestamps
        self._clock = clock
        self._order = {name: number for number, name in enumerate(names)}
        # What is longer is shortened. It stays as it is now: what is shown before and after a
        # resize stays below each other.
        self._room = _name_room(out_fd, err_fd)
        self._short: dict[str, str] = {}
        self._width = min(max(map(len, (*names, OURS))), self._room)
        self._talk = Share()
        self._lock = threading.Lock()
        self._lost_bytes = 0
        self._lost_lines = 0
        self._streams: dict[tuple[str, str], ConsoleStream] = {}
        self._muted = False
        self._writer = Writer(on_trouble or _nobody)
        shared = fds.same_file(out_fd, err_fd)
        title = "stdout and stderr" if shared else "stderr"
        self._err = self._out = Outlet(err_fd, title, limit=limit, wake=self._writer.wake)
        if not shared:
            self._out = Outlet(out_fd, "stdout", limit=limit, wake=self._writer.wake)
            self._writer.outlets.append(self._out)
        self._writer.outlets.append(self._err)
        self._ours = self.label(OURS, "stderr")

    @property
    def muted(self) -> bool:
        """True between `mute` and `unmute`."""
        return self._muted

    def stream(self, replica: str, which: str, log: str | None = None) -> ConsoleStream:
        """Where `which` ("stdout" or "stderr") of a replica is shown; the same for all its runs.

        `log` names the file that has all of it, for the line that tells what was not shown.
        """
        key = replica, which
        if key not in self._streams:
            outlet = self._out if which == "stdout" else self._err
            self._streams[key] = ConsoleStream(self, outlet, replica, which, log)
        return self._streams[key]

    def say(self, text: str) -> None:
        """Our own words, on stderr. Any thread, never blocks; dropped and counted when full."""
        self._put((self._ours, text))

    def show(self, name: str, text: str, note: str) -> None:
        """Lines that were kept from the terminal, behind the name of their replica, and our `note`
        on them, if it is any: both on stderr, and nothing between. As `say`."""
        notes = [(self._ours, note)] if note else []
        self._put((self.label(name, "stderr"), text), *notes)

    def _put(self, *parts: tuple[bytes, str]) -> None:
        block = b""
        size = lines = 0
        for label, text in parts:
            prefix = self.stamp() + label
            raw = text.rstrip("\n").encode("utf-8", "backslashreplace")
            block += prefix + raw.replace(b"\n", b"\n" + prefix) + b"\n"
            size += len(raw)
            lines += 1 + raw.count(b"\n")
        if not self._err.offer(self._talk, block, None):
            self.count(size, lines)

    def mute(self) -> None:
        """Write nothing until `unmute`: our terminal belongs to somebody else meanwhile.

        What waits is kept; what comes beyond the limit is dropped at once, and no task waits.
        """
        self._muted = True
        self._writer.mute(True)

    def unmute(self) -> None:
        """Write again, and tell what was dropped meanwhile."""
        for stream in list(self._streams.values()):
            stream.tell_lost()
        self._muted = False
        self._writer.mute(False)

    def close(self, timeout: float, cap: float | None = None) -> Unshown:
        """Write what waits, end the thread, tell what was lost. A reader that takes nothing for
        `timeout` seconds is given up, any other after `cap` seconds (the same, if None).

        Afterwards everything given to the console vanishes. A second call does nothing.
        """
        for stream in list(self._streams.values()):
            stream.tell_lost()
        self._writer.close(timeout, cap)
        # what an output that failed did not take was told when it failed
        slow = [o for o in self._writer.outlets if o.dead in (None, CLOSED)]
        waiting = sum(outlet.lost_bytes + outlet.queued for outlet in slow)
        return Unshown(self._lost_lines, self._lost_bytes + waiting)

    def label(self, name: str, which: str) -> bytes:
        """What stands before the lines of `name` on our "stdout" or "stderr", time aside."""
        padded = self._fit(name).ljust(self._width).encode() + b" |"
        if not (self._color if which == "stdout" else self._err_color):
            return padded + b" "
        if name == OURS:
            return b"\x1b[1m" + padded + palette.RESET + b" "
        number = self._order.setdefault(name, len(self._order))
        return palette.paint(number) + padded + palette.RESET + b" "

    def _fit(self, name: str) -> str:
        """The name, shortened if need be: each to something of its own."""
        if len(name) <= self._room:
            return name
        if name not in self._short:
            taken = {*self._order, *self._short.values()}
            # a name's end tells more than its middle: `importer-of-invoices-2`
            room = self._room - len(GAP)
            tries = [name[: room - end] + GAP + name[-end:] for end in range(room // 2, room)]
            self._short[name] = next((t for t in tries if t not in taken), tries[0])
        return self._short[name]

    def stamp(self) -> bytes:
        """The time of day in front of everything, where asked for."""
        if not self._timestamps:
            return b""
        now = self._clock()
        text = time.strftime("%H:%M:%S", time.localtime(now))
        return b"%b.%03d " % (text.encode(), now % 1 * 1000)

    def count(self, size: int, lines: int, share: Share | None = None) -> None:
        """So much was not shown."""
        with self._lock:
            self._lost_bytes += size
            self._lost_lines += lines
            if share is not None:
                share.lost_bytes += size
                share.lost_lines += lines

    def take_lost(self, share: Share) -> tuple[int, int]:
        """(bytes, lines) of a stream that were not shown since the last call."""
        with self._lock:
            lost = share.lost_bytes, share.lost_lines
            share.lost_bytes = share.lost_lines = 0
        return lost


def _name_room(*outputs: int) -> int:
    """How many characters a name may take: a third of the narrowest terminal among the outputs,
    and all where none is one."""
    columns = [width for width in map(fds.columns, outputs) if width]
    return max(len(OURS), min(columns) // 3) if columns else sys.maxsize


def amount(size: int, lines: int) -> str:
    """'1,234 lines (56.7 MB)'."""
    unit = float(size)
    for name in ("bytes", "kB", "MB", "GB"):
        if unit < 1000 or name == "GB":
            break
        unit /= 1000
    text = f"{size} bytes" if name == "bytes" else f"{unit:.1f} {name}"
    if not lines:
        return text
    return f"{lines:,} line{'' if lines == 1 else 's'} ({text})"


def _nobody(_: str) -> None:
    """Trouble of a terminal that nobody wants to hear of."""
