"""Tries that connect: tcp, unix and http, all of them in one thread that never waits for one.

Nothing blocks: a try is a generator that says what it waits for. Its time is over at its deadline,
wherever it is: at a name that is not resolved, in a handshake, or at a server that drips.
"""

from __future__ import annotations

import errno
import heapq
import selectors
import socket
import threading
import time
from collections import deque

from procession.errors import one_line
from procession.supervisor.probes.aside import Aside
from procession.supervisor.probes.steps import READ, steps_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from procession.supervisor.probes.kinds import Done
    from procession.supervisor.probes.steps import Steps

CLOSE_TIMEOUT = 1.0  # seconds
# What keeps us from trying says nothing of who is tried.
LONGEST_SLEEP = 86400.0  # seconds
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


class Try:
    """One try of a probe, under way. Call `cancel` in the thread that asked."""

    def __init__(self, prober: Prober, probe: object, timeout: float, done: Done) -> None:
        self.probe = probe
        self.timeout = timeout
        self.done: Done | None = done
        self.deadline = 0.0
        self.steps: Steps
        self.sock: socket.socket | None = None
        self.listened: int | None = None  # the descriptor by which the selector has it
        self.waits = "its name was not resolved"  # what is said when the time is over
        self.over = False
        self._prober = prober

    def cancel(self) -> None:
        """Nothing is told of it any more."""
        if self.done is not None:
            self.done = None
            self._prober.forget(self)


class Prober:
    """Owns the thread, which begins with the first try. Used by one thread, but for `call`,
    through which the answers come back to it."""

    def __init__(self, call: Callable[[Callable[[], object]], object]) -> None:
        self._call = call
        self._inbox: deque[Callable[[], object]] = deque()
        self._selector: selectors.BaseSelector | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None
        self._closing = self._broken = False
        self._timers: list[tuple[float, int, Try]] = []  # ends, and what is looked at before
        self._count = 0
        self._tries: set[Try] = set()  # under way
        self._aside = Aside(self._post)
        self._contexts: dict[bool, ssl.SSLContext] = {}

    # --- for the thread that asks ------------------------------------------------------------

    def ask(self, probe: object, timeout: float, done: Done) -> Try:
        """Try it once; `done(words, ours)` comes through `call`, unless it is cancelled: no words
        mean that all is well, `ours` that it could not be tried. Raises OSError where there is no
        descriptor for the thread itself."""
        one = Try(self, probe, timeout, done)
        self._tries.add(one)  # first: a thread that is broken looks at these last
        if self._thread is None or self._broken:
            self._start()
        self._post(lambda: self._begin(one))
        return one

    def forget(self, one: Try) -> None:
        self._post(lambda: self._end(one))

    def close(self) -> None:
        """Give the thread and its descriptors back; what is under way is dropped."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._closing = True
            self._post(lambda: None)
            thread.join(CLOSE_TIMEOUT)

    def _start(self) -> None:
        selector = selectors.DefaultSelector()
        try:
            reads, writes = socket.socketpair()
        except OSError:
            selector.close()
            raise
        reads.setblocking(False)
        writes.setblocking(False)
        selector.register(reads, READ)
        self._selector, self._wake = selector, (reads, writes)
        self._broken = False
        self._thread = threading.Thread(target=self._main, name="procession-probes", daemon=True)
        self._thread.start()

    def _post(self, action: Callable[[], object]) -> None:
        """Any thread."""
        self._inbox.append(action)
        wake = self._wake
        if wake is not None:
            try:
                wake[1].send(b"\0")
            except OSError:
                pass  # it is full of wake-ups, one of which will do; or the thread has ended

    # --- in the thread -----------------------------------------------------------------------

    def _main(self) -> None:
        assert self._selector is not None
        assert self._wake is not None
        selector, (reads, writes) = self._selector, self._wake
        try:
            while not self._closing:
                for key, _ in selector.select(self._sleep()):
                    if key.fileobj is reads:
                        _empty(reads)
                    else:
                        self._advance(key.data)
                while self._inbox:
                    self._inbox.popleft()()
                self._expire()
        finally:
            # unless we are asked to end, this is a defect of ours, whose traceback is shown
            self._broken = True
            for one in list(self._tries):
                self._answer(one, "our own part of it broke", ours=True)
            selector.close()
            reads.close()
            writes.close()

    def _sleep(self) -> float | None:
        while self._timers and self._timers[0][2].over:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        # (epoll takes no more than 24 days at once)
        return min(max(0.0, self._timers[0][0] - time.monotonic()), LONGEST_SLEEP)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            at, _, one = heapq.heappop(self._timers)
            if one.over:
                continue
            if at >= one.deadline:
                self._answer(one, f"{one.waits} within {one.timeout:g} s")
            else:
                self._advance(one)

    def _set_timer(self, one: Try, at: float) -> None:
        self._count += 1
        heapq.heappush(self._timers, (at, self._count, one))

    def _begin(self, one: Try) -> None:
        if one.over:
            return
        one.deadline = time.monotonic() + one.timeout
        self._set_timer(one, one.deadline)
        one.steps = steps_of(one, self._context)
        self._advance(one)

    def _advance(self, one: Try, answer: object = None) -> None:
        """As far as it comes without waiting."""
        if one.over:
            return
        self._unlisten(one)
        try:
            if isinstance(answer, Exception):
                wanted = one.steps.throw(answer)
            else:
                wanted = one.steps.send(answer)
        except StopIteration:
            self._answer(one, "")
            return
        except OSError as e:
            self._answer(one, _said(e), ours=e.errno in _OURS)
            return
        except ValueError as e:
            self._answer(one, str(e))
            return
        if isinstance(wanted, tuple):
            self._resolve(one, *wanted)
            return
        if isinstance(wanted, float):
            self._set_timer(one, time.monotonic() + wanted)
            return
        assert self._selector is not None
        assert one.sock is not None
        one.listened = one.sock.fileno()
        self._selector.register(one.listened, wanted, one)

    def _resolve(self, one: Try, host: str, port: int) -> None:
        def look_up() -> object:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

        self._aside.ask((host, port), one, look_up, lambda found: self._advance(one, found))

    def _context(self, *, verified: bool) -> ssl.SSLContext:
        found = self._contexts.get(verified)
        if found is None:
            import ssl

            found = self._contexts[verified] = ssl.create_default_context()
            if not verified:
                found.check_hostname = False
                found.verify_mode = ssl.CERT_NONE
        return found

    def _answer(self, one: Try, words: str, *, ours: bool = False) -> None:
        self._end(one)

        def tell() -> None:
            if one.done is not None:
                one.done(words, ours)

        self._call(tell)

    def _end(self, one: Try) -> None:
        one.over = True
        self._tries.discard(one)
        self._unlisten(one)
        if one.sock is not None:
            one.sock.close()
            one.sock = None

    def _unlisten(self, one: Try) -> None:
        assert self._selector is not None
        if one.listened is not None:
            self._selector.unregister(one.listened)
            one.listened = None


def _said(e: OSError) -> str:
    if type(e).__name__ == "SSLCertVerificationError":
        return one_line(f"its certificate is not trusted: {getattr(e, 'verify_message', '')}")
    if type(e).__name__.startswith("SSL"):
        return one_line(f"no TLS: {getattr(e, 'reason', None) or e}")
    return one_line((e.strerror or str(e)).lower().rstrip("."))


def _empty(sock: socket.socket) -> None:
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return
