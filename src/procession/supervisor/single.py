"""The loop of `run` on POSIX: one command, its tree, its terminal. See `single_course`.

It sleeps until the guardian speaks, a signal comes or a deadline passes; a child that ended,
stopped, or came to us is told by SIGCHLD. Whatever is below this process is of the one command, so
what nothing else ties to its tree (`Trees.unclaimed`) is of it too.
"""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

import os
import select
import signal

from procession.core import single as core
from procession.process import spare
from procession.process.handle import signal_name, signal_number
from procession.process.link import GuardianGone
from procession.process.spawn import clean_signals
from procession.supervisor.command import StoppedBeforeError
from procession.supervisor.single_course import RUN, SingleCourse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procession.core.status import ExitStatus
    from procession.core.stop import Ask
    from procession.process.command import Command
    from procession.process.handle import Handle
    from procession.process.link import Link
    from procession.process.terminal import Terminal
    from procession.process.tree import Tree, Trees
    from procession.spec import Stop

# What a program may hear of from a manager or a terminal, besides the four that the guardian
# passes on anyway; and the end of having been stopped.
FORWARDED = ("SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
# By ourselves. SIGCONT is not among them: the guardian sends it along with each word, to be heard
# by a supervisor that was stopped, and that one does not mean the command.
_HEARD = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCHLD")
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_FROM_BEHIND = (signal.SIGTTIN, signal.SIGTTOU)


class Single(SingleCourse):
    """See `SingleCourse`."""

    def __init__(
        self,
        command: Command,
        environ: Mapping[str, str],
        *,
        stop: Stop,
        timeout: float | None,
        trees: Trees,
        link: Link,
        terminal: Terminal | None,
        say: Callable[[str], object],
    ) -> None:
        super().__init__(command, environ, stop=stop, timeout=timeout, say=say)
        self._trees = trees
        self._link = link
        self._terminal = terminal
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._poll = select.poll()
        self._owed: list[Callable[[], object]] = []  # what could not be done, for want of room
        self._told_room = False
        self._handle: Handle
        self._tree: Tree
        self._sent_interrupt = False  # not the terminal, somebody sent it
        self._had_terminal = False  # in the end

    def run(self) -> core.End:
        self._take_signals()
        self._start()
        spare.keep()
        try:
            self._keep()
        finally:
            spare.give_back()
        return core.end(self.course)

    @property
    def was_interrupted(self) -> bool:
        status = self.course.exit
        return (
            self._had_terminal
            and self.course.cause in ("", core.LEFT)
            and not self._sent_interrupt
            and status is not None
            and status.signal == signal.SIGINT
        )

    # --- the beginning -----------------------------------------------------------------------

    def _take_signals(self) -> None:
        self._poll.register(self._wake_r, select.POLLIN)
        self._poll.register(self._link.fd, select.POLLIN)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        for name in _HEARD:
            # the wakeup descriptor carries the number; a handler, not SIG_IGN: exec resets it
            signal.signal(getattr(signal, name), lambda *_: None)
        self._link.listening()
        clean_signals()

    def _start(self) -> None:
        for heard in self._link.read():
            if isinstance(heard, GuardianGone):
                raise StoppedBeforeError(signal.SIGKILL)
            if heard.signal in _ENDING:
                raise StoppedBeforeError(heard.signal)
        self._cookie, nested, env = self._marked()
        terminal = self._terminal
        command = self._command.replace(
            env=env,
            session=terminal is None,
            group=terminal is not None,
            foreground=terminal.fd if terminal is not None and terminal.is_ours else None,
        )
        stop = self.course.stop
        # told before the process exists: the guardian must never meet a stranger
        self._link.begins(self._cookie, signal_number(stop.signal), stop.timeout)
        self.course = self.course.replace(began=self._clock())
        try:
            self._handle = self._trees.spawn(nested, command)
        except BaseException:
            self._link.ended(self._cookie)
            if terminal is not None:
                terminal.take_back(0)  # the child may have taken it before it failed
            raise
        self._tree = self._trees.plant(RUN, nested, self._handle)
        self.pid = self._handle.pid
        self._link.started(self._cookie, self.pid)
        # our words on a terminal with `stty tostop` would stop us, who are in the background
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))

    # --- the world, as it comes in -----------------------------------------------------------

    def _listen(self, seconds: float) -> None:
        if self._owed:
            seconds = min(seconds, spare.NO_ROOM_PAUSE)
        elif self._trees.again:
            seconds = 0.0
        for fd, _ in self._poll.poll(seconds * 1000):
            if fd == self._wake_r:
                self._woken()
            else:
                self._guardian_spoke()
        owed, self._owed = self._owed, []
        for action in owed:
            self._do(action)
        if self._trees.again and not self._owed:
            self._look()

    def _do(self, action: Callable[[], object], again: Callable[[], object] | None = None) -> None:
        """Now, or (`again`, the same where it is None) a little later where descriptors or memory
        are short, which is told once."""
        try:
            action()
        except OSError as e:
            if e.errno not in spare.NO_ROOM:
                raise
            self._owed.append(again or action)
            if not self._told_room:
                self._told_room = True
                self._say(f"processes cannot be looked at now, and are later: {e}")

    def _woken(self) -> None:
        try:
            numbers = set(os.read(self._wake_r, 4096))
        except BlockingIOError:
            return
        for number in numbers - {0, signal.SIGCHLD}:
            self._heard(number, typed=False, who="the supervisor")
        if signal.SIGCHLD in numbers:
            self._look()

    def _guardian_spoke(self) -> None:
        for heard in self._link.read():
            if isinstance(heard, GuardianGone):
                self._poll.unregister(self._link.fd)
                self._bring_down("the guardian was killed")
            else:
                self._heard(heard.signal, typed=bool(heard.typed), who="procession")

    def _heard(self, number: int, *, typed: bool, who: str) -> None:
        if number == signal.SIGTERM:
            self._bring_down(f"SIGTERM was sent to {who}")
        elif number == signal.SIGCONT:
            self._continued()
        elif typed and self.course.climb is not None:
            self._ctrl_c()
        else:
            self._sent_interrupt |= number == signal.SIGINT and not typed
            self._hand_over()  # typed at the terminal: our job has it, the command should
            self._forward(number)

    def _look(self) -> None:
        """One look for everything that SIGCHLD may have meant."""
        if self._look_now not in self._owed:
            self._do(self._look_now)

    def _look_now(self) -> None:
        if self._over:
            return
        if self.course.exit is None:
            self._look_at_leader()
        grown = bool(self._trees.scan([self._tree] if self.course.exit is not None else ()))
        grown = bool(self._trees.unclaimed()) or grown
        status = self._handle.poll_exit()
        if status is not None and self.course.exit is None:
            self._leader_ended(status)
        elif grown:
            self._take(core.grew(self.course, self._clock()))
        if self.course.exit is not None and self._is_empty():
            self._finish()
        spare.renew()

    def _leader_ended(self, status: ExitStatus) -> None:
        self._had_terminal = self._terminal is not None and self._terminal.is_with(self.pid)
        self._take_back()
        super()._leader_ended(status)

    def _is_empty(self) -> bool:
        return self._tree.is_empty() and not self._trees.unclaimed() and not self._trees.again

    def _finish(self) -> None:
        self._over = True
        self._take_back()
        self._link.ended(self._cookie)  # while the leader's pid is its own: nobody else is meant
        self.usage = self._tree.finish()
        self._handle.close()

    # --- job control -------------------------------------------------------------------------

    def _look_at_leader(self) -> None:
        """Did it stop? Only on a terminal: then our job is to stop as well, or to go on."""
        if self._terminal is None or self.course.climb is not None:
            return
        try:
            number = self._terminal.stop_signal(self.pid)
        except ChildProcessError:
            return  # somebody else reaped it, as the next look will tell
        if number is None:
            return
        terminal = self._terminal
        if number in _FROM_BEHIND and terminal.is_ours:
            self._continued()  # it wanted the terminal, which the shell gave us meanwhile
        elif terminal.is_watched():
            terminal.take_back(self.pid)
            terminal.stop()
        elif number != signal.SIGSTOP:
            # Nobody would ever continue it. This is what the kernel does to such groups.
            if number in _FROM_BEHIND:
                self._forward(signal.SIGHUP)
            self._forward(signal.SIGCONT)

    def _continued(self) -> None:
        self._hand_over()
        self._forward(signal.SIGCONT)

    def _hand_over(self) -> None:
        if self._terminal is not None and self.course.exit is None:
            self._terminal.give(self.pid)

    def _take_back(self) -> None:
        if self._terminal is not None:
            self._terminal.take_back(self.pid)
            if self.course.exit is None or self.course.exit.signal is not None:
                self._terminal.restore()

    def _forward(self, number: int) -> None:
        """To the command's own group, as it is: what it means is the command's business."""
        if self.course.exit is not None:
            return
        try:
            self._handle.kill_group(number)
        except PermissionError:
            self._say(f"may not send {signal_name(number)} to {self.pid}")

    # --- the ladder --------------------------------------------------------------------------

    def _ask(self, move: Ask, number: int) -> None:
        rest = move.replace(unheard=True)
        self._do(lambda: self._ask_now(move, number), lambda: self._ask_now(rest, number))

    def _ask_now(self, move: Ask, number: int) -> None:
        sent = self._tree.signal(number, to=move.to, only_new=move.unheard)
        self._note(f"{move.signal} to the {move.to}", sent)
        # nothing ties these to the group: they hear by themselves
        also = self._trees.sweep_unclaimed(number, only_new=move.unheard)
        self._note(f"{move.signal} to what had hidden", also)

    def _kill(self) -> None:
        self._do(self._kill_now)

    def _kill_now(self) -> None:
        self._note("SIGKILL to the tree", self._tree.kill())
        self._note("SIGKILL to what had hidden", self._trees.sweep_unclaimed(signal.SIGKILL))

    def _give_up(self) -> tuple[str, ...]:
        try:
            members = (*self._tree.members(), *self._trees.unclaimed())
        except OSError as e:
            if e.errno not in spare.NO_ROOM:
                raise
            self._take_back()
            return (f"what is left of it, which cannot be looked at: {e.strerror}",)
        self._take_back()
        # the guardian, who may signal no more than we may, need not try once more
        self._link.leaves(self._cookie)
        for member in members:
            self._link.spares(self._cookie, member.pid, member.start_time)
        return tuple(map(str, members))
