"""What goes over the wire: paths, and values as JSON. Pure; server and client share it.

HTTP/1.1 over the project's socket. Everything below `/v1` stays as it is within version 1; keys may
be added.

    GET  /v1/project                       which project this is
    GET  /v1/replicas?after=N&within=S     all replicas, once the state is newer than version N, or
                                           after S seconds; without `after`: at once
    POST /v1/replicas/NAME/start           a task's name means all its replicas
    POST /v1/replicas/NAME/stop            answers with the replicas as they are then, and does not
    POST /v1/replicas/NAME/restart         wait for what comes of it
    POST /v1/down                          the whole project; {"force": true}: without patience

An error is {"error": "in words"}, with status 400, 404, 405, 409 or 503.
"""

from __future__ import annotations

from procession._record import Record
from procession.core.view import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

VERBS = ("start", "stop", "restart")
LONGEST_WAIT = 30.0  # seconds that an answer is held back
MOST_BODY = 64 << 10  # bytes of a request's body

ROW_KEYS = frozenset(Row.__annotations__)
ENDS = ("stopped", "completed", "failed", "skipped")


class BadRequestError(Exception):
    """With the HTTP status, and words for people."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


class Question(Record):
    """All replicas; `after`: not before there is something newer, `within` seconds at most."""

    after: int | None = None
    within: float = 0.0


class Wish(Record):
    """Of a person, for replicas of one name: one of VERBS."""

    verb: str
    name: str


class Down(Record):
    """The whole project is to stop."""

    force: bool = False


class AboutAsked(Record):
    """Which project is this?"""


Request = Question | Wish | Down | AboutAsked


def parse(method: str, target: str, body: bytes) -> Request:
    """What a request means. Raises BadRequestError."""
    path, _, query = target.partition("?")
    words = [_plain(part) for part in path.split("/")[1:]]
    if words[:1] != ["v1"]:
        raise BadRequestError(404, f"{path}: there is nothing here; the paths begin with /v1")
    match words[1:]:
        case ["project"]:
            _only("GET", method)
            return AboutAsked()
        case ["replicas"]:
            _only("GET", method)
            return _question(query)
        case ["replicas", name, verb] if verb in VERBS and name:
            _only("POST", method)
            return Wish(verb, name)
        case ["down"]:
            _only("POST", method)
            return Down(_flag(body, "force"))
    raise BadRequestError(404, f"{path}: there is nothing here")


def _only(allowed: str, method: str) -> None:
    if method != allowed:
        raise BadRequestError(405, f"{method} means nothing here; {allowed} does")


def _plain(part: str) -> str:
    from urllib.parse import unquote

    return unquote(part)


def _question(query: str) -> Question:
    after: int | None = None
    within = 0.0
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        try:
            if key == "after":
                after = int(value)
            elif key == "within":
                within = float(value)
            else:
                raise BadRequestError(
                    400, f"{key}: no such parameter; there are `after` and `within`"
                )
        except ValueError:
            raise BadRequestError(400, f"{key}={value}: a number was expected") from None
    if not 0 <= within <= LONGEST_WAIT:
        raise BadRequestError(400, f"within={within:g}: seconds from 0 to {LONGEST_WAIT:g}")
    return Question(after, within)


def _flag(body: bytes, key: str) -> bool:
    if not body.strip():
        return False
    import json

    try:
        given = json.loads(body)
    except (ValueError, RecursionError):  # the latter: nested too deep
        raise BadRequestError(400, "the body is no JSON") from None
    if not isinstance(given, dict) or not isinstance(given.get(key, False), bool):
        raise BadRequestError(400, f"the body is to be an object with `{key}`: true or false")
    return bool(given.get(key, False))


def is_state(told: object) -> bool:
    """Is this what is answered: replicas, with all that we know of in them, and their version?"""
    if not isinstance(told, dict) or not isinstance(told.get("version"), int):
        return False
    rows = told.get("replicas")
    return isinstance(rows, list) and all(
        isinstance(row, dict) and row.keys() >= ROW_KEYS for row in rows
    )


def nobody(left_out: Iterable[str], name: str) -> str:
    """Why no row has this name, in words; `left_out`: as the project says it."""
    if name in left_out:
        return "it was left out (--only, --except) when the project was started"
    return "no task or replica of this project is called so"


def chosen(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[Mapping[str, Any]]:
    """The rows of replicas or tasks with these names, each once; all of them for no names.

    Raises KeyError with the first name that nobody has.
    """
    rows = list(rows)
    wanted = list(names)
    if not wanted:
        return rows
    found: dict[str, Mapping[str, Any]] = {}
    for name in wanted:
        mine = [row for row in rows if name in (row["name"], row["task"])]
        if not mine:
            raise KeyError(name)
        found.update((row["name"], row) for row in mine)
    return list(found.values())
