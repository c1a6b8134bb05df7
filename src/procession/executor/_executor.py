"""`Executor`: a queue, the thread that serves it, and the trace of what runs."""

from __future__ import annotations

import os
import sys
import threading
import time
from subprocess import DEVNULL

from procession.core.timeouts import seconds
from procession.executor import _request as requests
from procession.executor._commands import Commands
from procession.executor._driver import Driver
from procession.executor._events import log
from procession.executor._finish import SHORT
from procession.executor._hosts import check_host, remember
from procession.executor._launching import OPEN, STOPPED, STOPPING
from procession.executor._queue import SERVING
from procession.executor._request import DISCARD, UNSET, Request
from procession.executor._stopping import GRACE, as_ladder
from procession.executor._values import ExecutorStopped
from procession.process.containment import KINDS, MARKS

if sys.platform == "win32":
    from procession.executor._launch_windows import blocks, environment
else:
    from procession.executor._launch_posix import environment
    from procession.process.defaults import blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from procession.core.stop import Ladder, Step
    from procession.executor._events import Events
    from procession.executor._handle import ExecHandle
    from procession.executor._request import Argv, Target
    from procession.executor._values import Event


_NULL = (DISCARD, True)  # what `discard_output` is where it says: to null


def _kind(containment: str) -> str:
    if containment not in KINDS:
        raise ValueError(f"containment is {containment!r}; expected {', '.join(KINDS)}")
    return containment


def _ids(
    user: str | int | None, group: str | int | None, groups: Iterable[str | int] | None
) -> tuple[int | None, int | None, tuple[int, ...] | None]:
    assert sys.platform != "win32", "refused before"
    from procession.process.user import ids  # here: it opens the tables of the host

    return ids(user, group, groups)


class Executor(Driver, Commands):
    """Starts processes for all threads of an application, keeps a trace of them, stops them all.

    Use the ready instance `procession.executor.executor`: this class should not be instantiated,
    except in tests and for groups of processes that are to be stopped apart from the rest.

    The main thread calls `run()`, which serves the others until `stop()`; a program whose main
    thread is taken calls `start()` instead. All methods may be called from any thread, `stop` from
    a signal handler too.

    If the application is killed, a small helper (the *sentinel*, started with the first process)
    ends what it left; on Windows the system does. `Executor(orphans="leave")` goes without.

    `containment` says how a process is known for one of ours: by session, parents and `marks` in
    its environment (the default; on Windows by a job object, in any case); by a control `group` of
    its own, which holds whatever hides, or HostError where this host gives none; or `auto`: by a
    group where one is to be had. With groups the helper is there all the time, and starts the
    processes (docs/guide-executor.md).
    """

    def __init__(self, *, orphans: str = "sweep", containment: str = MARKS) -> None:
        if orphans not in ("sweep", "leave"):
            raise ValueError(f"orphans is {orphans!r}; expected sweep or leave")
        self.orphans = orphans
        self._containment = _kind(containment)
        self._init()
        remember(self)

    @property
    def containment(self) -> str:
        """`marks`, `auto` or `group`. May be set while nothing of this executor lives and no
        thread serves it: WrongMomentError or WrongThreadError otherwise; ValueError for another
        word."""
        return self._containment

    @containment.setter
    def containment(self, kind: str) -> None:
        self._set_containment(_kind(kind))

    @property
    def is_contained(self) -> bool:
        """Has what runs now a control group of its own?"""
        return self._keeper.contained is not None

    def create_process(
        self,
        command: Argv,
        discard_output: bool = DISCARD,
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Target = DEVNULL,
        stdout: Target = UNSET,  # None means "inherit", as with Popen
        stderr: Target = UNSET,
        user: str | int | None = None,
        group: str | int | None = None,
        extra_groups: Iterable[str | int] | None = None,
        umask: int = -1,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        start_timeout: float | None = None,
        stop: Ladder | Step | Iterable[Step] | None = None,
        leftover: str = "wait",
        name: str | None = None,
        limit: int | None = None,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
    ) -> ExecHandle:
        """Add a process to the queue, and wait until it was started. From any thread.

        command         a list: the program, then its arguments; a string is split by shell rules,
                        and no shell is run. A bare program name is looked up on PATH
        discard_output  True (the default): stdout and stderr go to null. False: both are pipes
                        for the caller to read. An explicit `stdout` or `stderr` replaces that
        cwd, env        where it runs, and its whole environment; None: those of this process
        stdin, stdout, stderr
                        PIPE, DEVNULL, a descriptor, a file, None (this process's own), STDOUT for
                        stderr; and for output a `Capture`, `Lines`, or a function that is called
                        with each line in the executor's thread: these are read for the caller, so
                        that the process never blocks
        user, group, extra_groups, umask
                        whom to run as (as root only). A user brings their own groups. Not on
                        Windows: HostError
        timeout         seconds of life, after which its tree is stopped
        idle_timeout    the same for seconds without output; needs a stream that is read for you
        start_timeout   seconds to wait for being served; None: for ever (after 5 s a warning says
                        what is missing)
        stop            how its tree is stopped: a `Ladder`, or `Step`s; SIGTERM, 3 s, SIGKILL
        leftover        what becomes of those who outlive their leader: `wait` keeps the process in
                        the trace until they end, `stop` stops them, `leave` lets them go
        name            for messages; else the program's name
        limit           the most bytes that are kept in memory of each stream that is read for the
                        caller: by a `Capture` without a limit of its own (64 KiB otherwise), and by
                        `communicate` (all of it otherwise). Head and tail are kept; what is dropped
                        between them is told as an event
        text, encoding, errors
                        as for Popen: the caller's pipes carry text

        The process leads a session of its own. Raises what Popen raises for a command that cannot
        be started (FileNotFoundError, PermissionError, other OSError), in the calling thread;
        ValueError and TypeError for arguments that contradict each other; ExecutorStopped;
        NotServedError (a TimeoutError) when nobody served it in time.
        """
        check_host()
        if self._state != OPEN:
            raise ExecutorStopped
        request = Request()
        request.args = command
        request.argv = argv = requests.words_of(command)
        if (
            stdin is DEVNULL
            and stdout is stderr is UNSET
            and limit is None
            and discard_output in _NULL
        ):
            request.is_silent = True
        else:
            requests.direct(request, discard_output, stdin, stdout, stderr, limit)
        if text or encoding is not None or errors is not None:
            requests.write_text(request, text, encoding, errors)
        if timeout is not None or idle_timeout is not None or start_timeout is not None:
            requests.check_seconds(
                timeout=timeout, idle_timeout=idle_timeout, start_timeout=start_timeout
            )
            requests.bound(request, timeout, idle_timeout)
        if leftover not in requests.LEFTOVERS:
            raise ValueError(f"leftover is {leftover!r}; expected {', '.join(requests.LEFTOVERS)}")
        request.leftover = leftover
        if cwd is not None:
            request.cwd = os.fspath(cwd)
        request.environment = environment(env)
        request.executable = requests.find_program(
            argv[0], os.environ if env is None else env, request.cwd
        )
        requests.check_host_gives(user=user, group=group, extra_groups=extra_groups, umask=umask)
        if user is not None or group is not None or extra_groups is not None:
            request.uid, request.gid, request.groups = _ids(user, group, extra_groups)
        request.umask = umask
        if stop is not None:
            request.stop = as_ladder(stop)
        request.called = name
        request.owner = threading.current_thread()
        if not request.is_silent:
            requests.take_lines(request)
        teller = self._keeper.teller
        if teller.is_heard:
            request.is_heard = True
            teller.tell("requested", request.name)
        try:
            return self._get_started(request, start_timeout)
        except BaseException:
            requests.give_lines_back(request)
            raise

    # --- the thread that serves ------------------------------------------------------------------

    def run(self) -> None:
        """Serve all threads, until `stop()` was called and nothing lives any more. Main thread
        only (elsewhere WrongThreadError, which names `start`). Returns at once if `stop()` came
        first; the next call begins anew.

        An exception that comes out of it (KeyboardInterrupt) has stopped everything before.
        """
        check_host()
        self._check_main_thread()
        self._serve("run")

    def start(self) -> None:
        """The same in a thread of its own, for programs whose main thread is taken. Returns when
        it serves. `stop` ends it, `join` waits for that."""
        check_host()
        self._start_thread()

    def stop(self, grace: float = GRACE) -> None:
        """Stop everything; returns at once. Nothing is started from here on (`create_process`
        raises ExecutorStopped), and `run()` returns when nothing lives any more.

        All trees are stopped at the same time, each by its own ladder, and what has not ended
        after `grace` seconds is killed. A second call kills at once. Safe in a signal handler.
        """
        seconds("grace", grace)
        with self._lock:
            again = self._state == STOPPING
            if self._state == STOPPED:
                return
            self._grace = grace
            self._state = STOPPING
        self._births.await_others()
        self._refuse_all()
        if self._mode is None and not self._keeper.trace:
            return
        self._keeper.loop.post(lambda: self._keeper.stop_all(grace, again))
        self._ensure_driver()

    def join(self, timeout: float | None = None) -> bool:
        """After `stop`: wait until nothing lives and no thread serves; False: it took longer than
        `timeout` seconds. Not from a callback, which keeps that from happening: WrongThreadError.
        """
        self._check_not_turner()
        until = None if timeout is None else time.monotonic() + timeout
        while (turning := self._turning) is not None:
            thread = self._thread
            if not turning.wait(None if until is None else until - time.monotonic()):
                return False
            if thread is not None:
                thread.join()  # it has nothing left to do
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self.join()

    # --- the trace -------------------------------------------------------------------------------

    @property
    def processes(self) -> tuple[ExecHandle, ...]:
        """All whose trees live, in the order of their starts: a snapshot, exact for the moment of
        the call. A process whose leader has ended is there while descendants of it live."""
        self._keeper.settle()
        return tuple(one for one in list(self._keeper.trace) if not one.done)

    def children_of(self, thread: threading.Thread | int) -> tuple[ExecHandle, ...]:
        """Those that this thread (or the one with this ident) has asked for, or has taken over
        by `handle.take_ownership()`."""
        if isinstance(thread, int):
            alive = [one for one in threading.enumerate() if one.ident == thread]
            return tuple(
                handle
                for handle in self.processes
                if handle._owner.ident == thread and (not alive or handle._owner in alive)
            )
        if not isinstance(thread, threading.Thread):
            raise TypeError(f"{thread!r} is no thread, nor the ident of one")
        return tuple(handle for handle in self.processes if handle._owner is thread)

    def on_event(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Have `callback(event)` called, in the executor's thread, for whatever happens to any
        process. Returns the function that ends this."""
        return self._keeper.teller.add(callback)

    def events(self, limit: int = 10_000) -> Events:
        """An iterator of what happens from now on, for a thread of yours. It ends with the loop;
        use it in `with`, or close it."""
        return self._keeper.teller.queue(limit)

    # --- inside ----------------------------------------------------------------------------------

    def _get_started(self, request: Request, patience: float | None) -> ExecHandle:
        mode = self._mode
        if mode in SERVING:
            if threading.get_ident() == self._keeper.turner:
                return self._launch_patiently(request)
            if mode == "start" and not blocks():
                try:
                    return self._launch_here(request)
                except OSError as e:
                    if e.errno not in SHORT:
                        raise  # else the queue has patience, and `stop` ends that
        elif threading.current_thread() is threading.main_thread():
            try:
                return self._launch_patiently(request)
            except BaseException:
                self._give_helper_back()
                raise
        return self._ask_for(request, patience)

    def _give_helper_back(self) -> None:
        """Nothing was started in place, and nobody may be there to see to that."""
        if self.is_contained or self._keeper.sentinel is not None:
            try:
                self._ensure_driver()
            except OSError as e:  # no thread: the next one does it
                log.debug("the helper of the executor stays for now: %s", e)
