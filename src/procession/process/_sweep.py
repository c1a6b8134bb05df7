"""What a sweep tells. The mechanisms are `_sweep_linux.py` and `_sweep_posix.py`."""

from __future__ import annotations

import os

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from procession.process.link import Known

    # (cookie, stream) -> a descriptor to append to, ours to close; or OSError
    OpenLog = Callable[[str, str], int]

    class Listens(Protocol):
        """Wakes us when a child of ours ended, and when somebody loses patience."""

        @property
        def fd(self) -> int: ...

        def read(self) -> list[tuple[int, bool | None]]: ...

    class Remains(Protocol):
        """What a dead owner has posted: what to end, and what not."""

        @property
        def runs(self) -> Mapping[str, Known]: ...
        @property
        def left(self) -> Mapping[str, Known]: ...
        @property
        def spared(self) -> set[tuple[int, int]]: ...


KILL_WAIT = 5.0  # seconds what was killed may take to vanish
ROUND = 0.05  # seconds between two rounds of killing: a fork may slip through each one


class Swept(Record):
    """How many processes got a signal, and who could not be killed, by name."""

    count: int = 0
    survivors: tuple[str, ...] = ()


def remove_folder(folder: str) -> None:
    """With the files in it. Who made it did so, unless it was lost."""
    try:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError:
        pass  # it is gone, as a rule
