"""Calls that may hang: the name of a host, a file on a server that does not answer."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    Done = Callable[[Any], object]


class Aside:
    """Each call in a daemon thread of its own, and never two of the same at a time.

    One thread owns it; `post` brings what is to be done there back to that thread. A call that
    hangs keeps its thread, and whoever asks the same meanwhile waits for it.
    """

    def __init__(self, post: Callable[[Callable[[], object]], object]) -> None:
        self._post = post
        self._waiting: dict[Hashable, dict[Hashable, Done]] = {}

    def ask(
        self, what: Hashable, who: Hashable, function: Callable[[], object], done: Done
    ) -> None:
        """Have `done` called with what `function` gives, or the OSError or ValueError it raises.

        `what`: the same for calls that are the same. `who`: asking again takes the place of what
        was asked before.
        """
        waiting = self._waiting.get(what)
        if waiting is not None:
            waiting[who] = done
            return
        self._waiting[what] = {who: done}
        try:
            threading.Thread(
                target=self._call, args=(what, function), name="procession-aside", daemon=True
            ).start()
        except RuntimeError as e:  # no thread is left for us
            self._answer(what, OSError(str(e)))

    def _call(self, what: Hashable, function: Callable[[], object]) -> None:
        try:
            answer = function()
        except (OSError, ValueError) as e:  # UnicodeError of a host's name is a ValueError
            answer = e
        self._post(lambda: self._answer(what, answer))

    def _answer(self, what: Hashable, answer: object) -> None:
        for done in self._waiting.pop(what).values():
            done(answer)
