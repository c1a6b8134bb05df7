"""Who a command is to run as: from `USER`, `USER:GROUP` or numbers to what a spawn needs."""

from __future__ import annotations

import os
import sys

from procession._record import Record
from procession.errors import UsageError, quoted

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession import accounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class User(Record):
    """`groups`: the supplementary ones; None: they stay as they are (it is ourselves, who may not
    set them). `variables`: what a login as this user would set."""

    uid: int
    gid: int
    groups: tuple[int, ...] | None
    variables: tuple[tuple[str, str], ...]


def user(text: str) -> User:
    """The user that `NAME`, `UID`, `NAME:GROUP` or `UID:GID` names, by the host's own tables.

    A number that no table knows is taken as it is, and then has no home. Raises UsageError for a
    name that is not known, and where we may not become this user.
    """
    name, colon, group = text.partition(":")
    entry = accounts.user(int(name) if accounts.is_number(name) else name)
    if entry is None and not accounts.is_number(name):
        raise UsageError("--user", f"this host has no user {quoted(name)}", "a name, or a number")
    uid = int(name) if entry is None else entry.uid
    if colon:
        gid = _gid(group)
    elif entry is not None:
        gid = entry.gid
    else:
        raise UsageError("--user", f"no user has the number {uid}", f"its group too: {uid}:GID")
    ourselves = os.geteuid() == uid and os.getegid() == gid
    if os.geteuid() != 0 and not ourselves:
        raise UsageError("--user", f"only root may run as {quoted(text)}", "to be run by root")
    groups: tuple[int, ...] | None = None
    if os.geteuid() == 0:
        groups = (gid,) if entry is None else tuple(os.getgrouplist(entry.name, gid))
    return User(uid, gid, groups, () if entry is None else _variables(entry))


def ids(
    user: str | int | None, group: str | int | None, groups: Iterable[str | int] | None
) -> tuple[int | None, int | None, tuple[int, ...] | None]:
    """uid, gid and supplementary groups from what Popen takes: names, or numbers as integers.

    A user brings their own group and groups where these are not given, if we are root: root's are
    not kept. None: as they are. Raises ValueError for a name that is not known; whether we may
    become that user is told by the spawn.
    """
    gid = None if group is None else _number(group)
    more = None if groups is None else tuple(_number(one) for one in groups)
    if user is None:
        return None, gid, more
    entry = accounts.user(user)
    if entry is None:
        if not isinstance(user, int):
            raise ValueError(f"there is no user {user!r} on this host")
        return user, gid, more
    if os.geteuid() == 0:
        gid = entry.gid if gid is None else gid
        more = tuple(os.getgrouplist(entry.name, gid)) if more is None else more
    return entry.uid, gid, more


def login(uid: int) -> dict[str, str]:
    """The variables that a login as this user would set; none where no table knows them."""
    entry = accounts.user(uid)
    return {} if entry is None else dict(_variables(entry))


def _number(group: str | int) -> int:
    if isinstance(group, int):
        return group
    number = accounts.group(group)
    if number is None:
        raise ValueError(f"there is no group {group!r} on this host")
    return number


def _gid(name: str) -> int:
    if accounts.is_number(name):
        return int(name)
    try:
        return _number(name)
    except ValueError:
        raise UsageError(
            "--user", f"this host has no group {quoted(name)}", "a name, or a number"
        ) from None


def _variables(entry: accounts.Account) -> tuple[tuple[str, str], ...]:
    return (
        ("HOME", entry.home),
        ("USER", entry.name),
        ("LOGNAME", entry.name),
        ("SHELL", entry.shell),
    )
