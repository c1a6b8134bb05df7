"""`procession start`, `stop`, `restart`, `down` and `wait`: a wish, and what comes of it."""

from __future__ import annotations

import sys
import time

from procession.cli.parser import span
from procession.cli.printing import print_out
from procession.cli.running import (
    BEGINS_WITHIN,
    NotRunningHereError,
    NotYetError,
    connect,
    none_of,
    parser_for,
    tell_changes,
    told_failure,
)
from procession.control import goals
from procession.control.protocol import LONGEST_WAIT, chosen
from procession.core.parts import seconds
from procession.errors import ProcessionError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from typing import Any

    from procession.control.client import Client
    from procession.control.goals import Goal

TIMED_OUT = 124  # exit status, as timeout(1)
PAUSE = 0.05  # seconds from one question to the next, in a storm of changes

SAID = {
    "start": "Have tasks started, and what they depend on.",
    "stop": "Have tasks stopped gracefully. They stay down until somebody starts them.",
    "restart": "Have tasks stopped gracefully and started again.",
}


def start(words: Sequence[str]) -> int:
    return _wish("start", words)


def stop(words: Sequence[str]) -> int:
    return _wish("stop", words)


def restart(words: Sequence[str]) -> int:
    return _wish("restart", words)


def _wish(verb: str, words: Sequence[str]) -> int:
    parser = parser_for(verb, SAID[verb])
    parser.add_argument("names", nargs="+", metavar="TASK", help="tasks, or replicas of them")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for what comes of it")
    parser.add_argument("--timeout", type=span, metavar="TIME", help="wait no longer (status 124)")
    given = parser.parse_args(list(words))
    try:
        client = _connected(given)
        try:
            rows = client.replicas()["replicas"]
            try:
                chosen(rows, given.names)  # a name that is wrong moves nothing
            except KeyError as e:
                raise none_of(e.args[0], rows, client.about) from None
            if verb != "stop":
                tell_changes(client.about)
            wanted: dict[str, Goal] = {}
            for name in given.names:
                for row in client.wish(verb, name)["replicas"]:
                    wanted[row["name"]] = goals.of(verb, row)
            if given.no_wait:
                return 0
            return _await_wish(client, verb, wanted, given.timeout)
        finally:
            client.close()
    except ProcessionError as e:
        return _told(e, given.timeout)


def _connected(given: argparse.Namespace, until: float | None = None) -> Client:
    """To the project that is meant, with the patience that was said, which ends then."""
    if given.timeout is None:
        return connect(given.file, given.project)
    left = given.timeout if until is None else max(0.0, until - time.monotonic())
    client = connect(given.file, given.project, min(BEGINS_WITHIN, left))
    client.hurry(given.timeout)
    return client


def _told(e: ProcessionError, patience: float | None) -> int:
    """Say it; the exit status, of one who waits so many seconds."""
    from procession.control.client import SilentError

    status = told_failure(e)
    late = patience is not None and isinstance(e, NotYetError | SilentError)
    return TIMED_OUT if late else status


def _await_wish(client: Client, verb: str, wanted: dict[str, Goal], patience: float | None) -> int:
    from procession.control.client import NotRunningError

    try:
        return _await(client, verb, wanted, patience)
    except NotRunningError:
        if verb != "stop":
            raise
        return _await_end(client, patience)  # the last that was up: the project ends with it


def wait(words: Sequence[str]) -> int:
    """Until tasks are ready, or have ended."""
    parser = parser_for(
        "wait",
        "Wait until tasks are ready, or have ended for good.",
        "Exit status: 0; 1 as soon as one cannot become ready any more, or where one that was to "
        "end failed; 2 for a mistake; 3 where no such project runs; 124 when the time is over.",
    )
    parser.add_argument("names", nargs="*", metavar="TASK", help="just these; all without any")
    parser.add_argument(
        "--for", dest="what", choices=("ready", "exit"), default="ready", help="default: ready"
    )
    parser.add_argument(
        "--timeout",
        type=span,
        metavar="TIME",
        help="wait no longer; with it, also for the project to begin",
    )
    given = parser.parse_args(list(words))
    goal = goals.ready if given.what == "ready" else goals.exited
    began = time.monotonic()
    try:
        client = _connect_in_time(given)
        try:
            rows = client.replicas()["replicas"]
            try:
                asked = chosen(rows, given.names)
            except KeyError as e:
                raise none_of(e.args[0], rows, client.about) from None
            if goal is goals.ready and not given.names:
                asked = goals.meant(asked)
            wanted: dict[str, Goal] = {str(row["name"]): goal for row in asked}
            return _await(client, given.what, wanted, given.timeout, began)
        finally:
            client.close()
    except ProcessionError as e:
        return _told(e, given.timeout)


def _connect_in_time(given: argparse.Namespace) -> Client:
    """`procession up &` in a script has not begun yet when the next line asks."""
    from procession.control.client import NotRunningError

    until = time.monotonic() + (given.timeout or 0.0)
    while True:
        try:
            client = _connected(given, until)
            try:
                client.replicas()
            except BaseException:
                client.close()
                raise
            return client
        except (NotRunningHereError, NotRunningError):  # the latter: what a killed one had left
            if time.monotonic() >= until:
                raise
        time.sleep(PAUSE)


def _await(
    client: Client,
    wish: str,
    wanted: dict[str, Goal],
    patience: float | None,
    began: float | None = None,
) -> int:
    """Tell each verdict as it is made, for so many seconds since it `began` (None: now); the exit
    status. `wish`: one of `goals.DONE`."""
    began = time.monotonic() if began is None else began
    until = None if patience is None else began + patience
    judge = goals.Judge(wanted)
    version: int | None = None
    while True:
        asked = time.monotonic()
        left = LONGEST_WAIT if until is None else max(0.0, until - asked)
        answer = client.replicas(version, left)
        version = answer["version"]
        rows = _look(judge, answer)
        late = until is not None and time.monotonic() >= until
        if late and not judge.is_over:
            # anew: the latest words of a check are no change of state, and are not waited for
            rows = _look(judge, client.replicas())
        if judge.is_over:
            return 1 if judge.failed else 0
        if late and patience is not None:
            words = goals.late(
                goals.DONE[wish], patience, [r for r in rows if r["name"] in judge.open]
            )
            sys.stderr.write(f"procession: {words}\n")
            return TIMED_OUT
        _bound_the_rate(asked)


def _look(judge: goals.Judge, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell each verdict that is made of these rows; the rows."""
    rows: list[dict[str, Any]] = answer["replicas"]
    for words in judge.look(rows):
        print_out(f"{one_line(words)}\n")
    return rows


def _bound_the_rate(asked: float) -> None:
    """Of questions, the last of which was `asked` then (monotonic). One that was held back long
    enough is followed by the next at once: what comes between the two is seen late."""
    left = asked + PAUSE - time.monotonic()
    if left > 0:
        time.sleep(left)


def down(words: Sequence[str]) -> int:
    """Stop the whole project; returns when nothing of it lives."""
    parser = parser_for("down", "Stop a running project gracefully, and wait until it has ended.")
    parser.add_argument("--force", action="store_true", help="kill what is there, without patience")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for its end")
    parser.add_argument("--timeout", type=span, metavar="TIME", help="wait no longer (status 124)")
    given = parser.parse_args(list(words))
    try:
        client = _connected(given)
        try:
            client.down(force=given.force)
            if given.no_wait:
                return 0
            return _await_end(client, given.timeout)
        finally:
            client.close()
    except ProcessionError as e:
        return _told(e, given.timeout)


def _await_end(client: Client, patience: float | None) -> int:
    from procession.control.client import NotRunningError

    until = None if patience is None else time.monotonic() + patience
    version: int | None = None
    while client.is_alive:
        asked = time.monotonic()
        left = 1.0 if until is None else min(1.0, until - asked)
        if patience is not None and left <= 0:
            name, late = one_line(client.about.project), seconds(patience)
            sys.stderr.write(f"procession: {name} has not ended after {late}\n")
            return TIMED_OUT
        try:
            version = client.replicas(version, left)["version"]
        except NotRunningError:
            break
        _bound_the_rate(asked)
    print_out(f"{one_line(client.about.project)} has ended\n")
    return 0
