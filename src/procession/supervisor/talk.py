"""What one run says by sd_notify(3), and what becomes of it. POSIX only.

Heard is who is of the run's tree, whoever that is (`NotifyAccess=all` of systemd.exec(5)); what
somebody else says is passed over, with a note. The meaning of each word is that of sd_notify(3);
where there was a choice:

- READY=1 counts for tasks with a `notify` probe, and ends what RELOADING=1 began. A run that
  reloads stays ready; what it says of itself is "reloading" meanwhile.
- STOPPING=1 is final.
- MAINPID is who commands of a stop are told of (PROCESSION_PID), while it is of the tree. The
  leader stays the leader: its end is the end of the run, but for what `leftover` says.
- WATCHDOG_USEC changes the time of a `watchdog` that the file asks for, and makes none.
- ERRNO is told with its name, EXTEND_TIMEOUT_USEC with how much of it there is: once a run.
"""

from __future__ import annotations

import os
import signal
import sys

from procession.core import events as ev
from procession.core.parts import seconds
from procession.supervisor.notify_message import Message, parsed
from procession.supervisor.probes.sign import Sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procession.supervisor.loop import Loop
    from procession.supervisor.probes.throttle import Ears
    from procession.supervisor.runs import LiveRun

    class Socket(Protocol):
        """`notify_socket.NotifySocket`."""

        path: str

        def fileno(self) -> int: ...
        def read(self) -> Heard | None: ...
        def close(self) -> None: ...

    class Dog(Protocol):
        """What a watchdog hears."""

        def alive(self) -> None: ...
        def trigger(self) -> None: ...
        def change(self, seconds: float) -> None: ...


NOTES = 16  # different ones of a run; more of them would be a flood of their own


class Heard:
    """One message. `pid`: who sent it, None where this host cannot tell, 0 for who is in a pid
    namespace that we cannot see. `pidfd` holds on to it; `fds` came with it. `close` it."""

    __slots__ = ("data", "fds", "pid", "pidfd")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pid: int | None = None
        self.pidfd: int | None = None
        self.fds: list[int] = []

    def close(self) -> None:
        """Give back what came with it: that is what a BARRIER waits for."""
        fds, self.fds = self.fds, []
        for fd in fds if self.pidfd is None else [*fds, self.pidfd]:
            os.close(fd)
        self.pidfd = None


class ReadySign(Sign):
    """READY=1. Whether it still holds is asked, not taken."""

    def take(self) -> bool:
        return self.said


class Talk:
    """One run's side of it. The loop's thread."""

    def __init__(self, sock: Socket, ears: Ears, loop: Loop) -> None:
        self.ready = ReadySign()
        self.dog: Dog | None = None  # while a watchdog is about
        self.watchdog: float | None = None  # another time than the file says, in seconds
        self.main_pid: int | None = None
        self.path = sock.path
        self._sock = sock
        self._ears = ears
        self._loop = loop
        self._noted: set[str] = set()
        self._live: LiveRun
        self._status = self._shown = ""
        self._reload_status: str | None = None  # since the reload began
        self._reloading = False
        self._stopping = False

    def spawned(self, live: LiveRun) -> None:
        self._live = live
        self._ears.listen(self._sock.fileno(), self._read)

    def close(self) -> None:
        """Idempotent. What is still in the queue is dropped."""
        if self._sock.fileno() >= 0:
            self._ears.ignore(self._sock.fileno())
            self._sock.close()

    def _read(self) -> bool:
        """True: there may be more."""
        heard = self._sock.read()
        if heard is None:
            return False
        try:
            if self._is_of_the_run(heard):
                self._take(parsed(heard.data))
        finally:
            heard.close()
        return True

    def _is_of_the_run(self, heard: Heard) -> bool:
        if heard.pid is None:
            return True  # this host does not tell; only our user comes to this socket
        if heard.pid and self._live.tree.holds(heard.pid) and _is_there(heard):
            return True
        who = f"process {heard.pid}" if heard.pid else "a process that cannot be seen from here"
        kind = "gone" if heard.pid and not os.path.exists(f"/proc/{heard.pid}") else "stranger"
        if kind == "gone":
            self._tell(kind, f"{who} ended before its message was read: it has to wait (BARRIER=1)")
        else:
            self._tell(kind, f"a message of {who} is ignored: it is not of this run")
        return False

    def _take(self, message: Message | str) -> None:
        if isinstance(message, str):
            self._tell(message, f"a message that {message} is ignored")
            return
        if message.barrier:
            return  # what came with it is closed next
        for what in message.ignored:
            self._tell(what, f"{what} means nothing here, and is ignored")
        run = self._live.run
        if message.errno is not None:
            self._tell("errno", f"tells of error {message.errno} ({os.strerror(message.errno)})")
        if message.extend is not None:
            most = self._live.task.stop.extend
            more = f"asks for {seconds(message.extend)} more"
            self._tell("extend", f"{more}; it gets {seconds(most)} in all (`stop: {{extend: …}}`)")
            self._loop.tell(ev.ExtendAsked(*run, message.extend))
        if message.main_pid is not None:
            self._take_main_pid(message.main_pid)
        self._take_status(message)
        if message.stopping and not self._stopping:
            self._stopping, self.ready.said = True, False
            self._loop.tell(ev.StoppingTold(*run))
        elif message.ready and not self._stopping:
            self.ready.say()
        self._take_watchdog(message)

    def _take_status(self, message: Message) -> None:
        if message.status is not None:
            self._status = message.status
        if message.reloading:
            self._reloading, self._reload_status = True, message.status
        elif message.ready:
            self._reloading = False
        elif message.status is not None:
            self._reload_status = message.status
        shown = (self._reload_status or "reloading") if self._reloading else self._status
        if shown != self._shown:
            self._shown = shown
            self._loop.tell(ev.StatusTold(*self._live.run, shown))

    def _take_main_pid(self, pid: int) -> None:
        if self._live.tree.holds(pid):
            self.main_pid = pid
        else:
            self._tell("MAINPID", f"MAINPID={pid} is ignored: it is not of this run")

    def _take_watchdog(self, message: Message) -> None:
        if message.watchdog is None and not message.alive and not message.trigger:
            return
        if message.watchdog is not None:
            self.watchdog = message.watchdog
        if self.dog is None:
            if message.trigger:
                self._tell("trigger", "WATCHDOG=trigger is ignored: no watchdog is about now")
            return
        if message.watchdog is not None:
            self.dog.change(message.watchdog)
        if message.trigger:
            self.dog.trigger()
        elif message.alive:
            self.dog.alive()

    def _tell(self, kind: str, words: str) -> None:
        """Once for each kind."""
        if kind not in self._noted and len(self._noted) < NOTES:
            self._noted.add(kind)
            self._loop.note(f"{self._live.replica} run {self._live.number}: sd_notify: {words}")


def _is_there(heard: Heard) -> bool:
    """Asked after the tree was: so it was that very process, and no later one of its number."""
    if heard.pidfd is None or sys.platform != "linux":
        return True
    try:
        signal.pidfd_send_signal(heard.pidfd, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
