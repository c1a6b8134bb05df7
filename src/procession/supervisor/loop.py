"""What a loop does for those who work in it: `course.Course` is one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol, TypeVar

    from procession.core.events import Event

    Action = Callable[[], object]
    T = TypeVar("T")

    class Loop(Protocol):
        """All but `call` in the loop's own thread."""

        def call(self, action: Action) -> None:
            """Have it done in the loop's thread, soon, in order. Any thread; never waits."""

        def tell(self, event: Event) -> None:
            """Have it go through the core, soon."""

        def note(self, text: str) -> None:
            """For the event log."""

        def say(self, text: str) -> None:
            """For people: on the terminal, and in the event log."""

        def alarm(self, key: str, seconds: float, action: Action) -> None:
            """Have it done once, so many seconds from now. The same key again takes its place. A
            key begins with "? ", as no replica's name does."""

        def disarm(self, key: str) -> None:
            """That alarm is not to go off any more, if there is one."""

        def listen(self, fd: int, readable: Action) -> None:
            """Have it called whenever there is something to read. POSIX only."""

        def unlisten(self, fd: int) -> None:
            """Not any more. Due before it is closed; idempotent."""

        def put(self, places: Mapping[int, int], spawn: Callable[[], T]) -> T:
            """Spawn while these numbers are copies of these descriptors. POSIX only; see
            `process._places_posix`."""

        def killed(self) -> None:
            """Something was killed: its end may have to be asked for."""
