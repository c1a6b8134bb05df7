"""Who wants to know what happens: functions, iterators, and `logging`."""

from __future__ import annotations

import logging
import threading
import time

from procession.executor._backlog import Backlog
from procession.executor._values import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

log = logging.getLogger("procession.executor")
_DEBUG = logging.DEBUG
_LEVELS = {"survivor": logging.WARNING, "output dropped": logging.WARNING}


class Events:
    """An iterator of what happened since it was made. Ends when it is closed, or the executor's
    loop ends. At most `limit` events wait; then the oldest is dropped, and counted in `dropped`.
    """

    def __init__(self, limit: int, remove: Callable[[Events], None]) -> None:
        self._backlog = Backlog(limit)
        self._remove = remove

    @property
    def dropped(self) -> int:
        return self._backlog.dropped

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event: Event | None = self._backlog.take()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def put(self, event: Event) -> None:
        self._backlog.put(event)

    def end(self) -> None:
        self._backlog.end()

    def close(self) -> None:
        """Idempotent; what waits may still be taken."""
        self.end()
        self._remove(self)


class Teller:
    """Tells everybody. Costs next to nothing while nobody listens."""

    def __init__(self, call_soon: Callable[..., object]) -> None:
        self._call_soon = call_soon
        self.has_listeners = False  # besides the log
        self._callbacks: tuple[Callable[[Event], object], ...] = ()
        self._queues: tuple[Events, ...] = ()
        self._lock = threading.Lock()

    def add(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        with self._lock:
            self._set((*self._callbacks, callback), self._queues)

        def remove() -> None:
            with self._lock:
                left = tuple(one for one in self._callbacks if one is not callback)
                self._set(left, self._queues)

        return remove

    def queue(self, limit: int) -> Events:
        events = Events(limit, self._drop)
        with self._lock:
            self._set(self._callbacks, (*self._queues, events))
        return events

    def _drop(self, events: Events) -> None:
        with self._lock:
            self._set(self._callbacks, tuple(one for one in self._queues if one is not events))

    def _set(
        self, callbacks: tuple[Callable[[Event], object], ...], queues: tuple[Events, ...]
    ) -> None:
        self._callbacks, self._queues = callbacks, queues
        self.has_listeners = bool(callbacks or queues)

    @property
    def is_heard(self) -> bool:
        return self.has_listeners or log.isEnabledFor(_DEBUG)

    def tell(self, what: str, name: str, pid: int | None = None, detail: str = "") -> None:
        level = _LEVELS.get(what, logging.DEBUG)
        if not (self.has_listeners or log.isEnabledFor(level)):
            return
        event = Event(what, time.monotonic(), name, pid, detail)
        log.log(level, "%s", event)
        for queue in self._queues:
            queue.put(event)
        for callback in self._callbacks:
            self._call_soon(callback, event)

    def tell_dropped(self, name: str, pid: int, stream: str, count: int) -> None:
        self.tell("output dropped", name, pid, f"{count} bytes of {stream}")

    def end(self) -> None:
        """The loop is over: whoever iterates is released."""
        with self._lock:
            queues = self._queues
            self._set(self._callbacks, ())
        for queue in queues:
            queue.end()


def guarded(callback: Callable[..., object], *args: Any) -> None:
    """What a caller's function raises is theirs to see, and must not end the loop: except in the
    main thread, whose Ctrl-C and `sys.exit()` mean the program."""
    try:
        callback(*args)
    except BaseException as e:
        ends = isinstance(e, KeyboardInterrupt | SystemExit)
        if ends and threading.current_thread() is threading.main_thread():
            raise
        log.exception("a callback of the executor failed: %r", callback)
