"""What arrived, as a value, and the error of those who ask where nothing can be installed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Any, Literal, NoReturn

    Source = Literal["signal", "console", "window", "session", "program"]


class NotInstalledError(RuntimeError):
    """A wait was begun off the main thread, and nothing was installed before.

    CPython lets only the main thread of the main interpreter install signal handlers
    (https://docs.python.org/3/library/signal.html#signals-and-threads).
    """

    def __init__(self, call: str) -> None:
        import threading

        self.call = call
        super().__init__(
            f"{call} was called in thread {threading.current_thread().name!r}, but only the main "
            "thread can install what hears a request to stop. Call "
            "procession.shutdown.install() in the main thread, before this thread starts"
        )

    def __reduce__(self) -> tuple[type[NotInstalledError], tuple[str]]:
        return (type(self), (self.call,))


class Request:
    """A request to stop, as it arrived. A value: it cannot be changed, and is safe to share.

    source    "signal"; "console" (Windows: Ctrl-C, Ctrl-Break, console closed, log-off);
              "window" (Windows: WM_CLOSE); "session" (Windows: WM_ENDSESSION);
              "program" (`Shutdown.trigger`)
    signal    the `signal.Signals` it came by, or is equal to (Ctrl-C is SIGINT); else None
    reason    its name for people: "SIGTERM", "CTRL_CLOSE_EVENT", what `trigger` was given
    time      when it was heard, in seconds of `time.monotonic()`
    deadline  when the system will end the process by force, on the same clock; None where the
              system says nothing of it (always so on POSIX)
    count     how many requests had arrived when this value was handed out; 1: it is the only one.
              POSIX merges equal signals while one is pending, so it is a lower bound.
    """

    __slots__ = ("count", "deadline", "reason", "signal", "source", "time")
    source: Source
    signal: _signal.Signals | None
    reason: str
    time: float
    deadline: float | None
    count: int

    def __init__(
        self,
        source: Source,
        signal: _signal.Signals | None = None,
        reason: str = "",
        time: float = 0.0,
        deadline: float | None = None,
        count: int = 1,
    ) -> None:
        put = object.__setattr__
        put(self, "source", source)
        put(self, "signal", signal)
        put(self, "reason", reason)
        put(self, "time", time)
        put(self, "deadline", deadline)
        put(self, "count", count)

    def _values(self) -> tuple[Any, ...]:
        return (self.source, self.signal, self.reason, self.time, self.deadline, self.count)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Request.{name} cannot be changed: it is a value")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Request.{name} cannot be changed: it is a value")

    def __eq__(self, other: object) -> bool:
        if type(other) is not Request:
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> tuple[type[Request], tuple[Any, ...]]:
        return (Request, self._values())

    def __repr__(self) -> str:
        names = ("source", "signal", "reason", "time", "deadline", "count")
        shown = (f"{n}={v!r}" for n, v in zip(names, self._values(), strict=True))
        return f"Request({', '.join(shown)})"
