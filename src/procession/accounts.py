"""Users and groups of this host, by name or number, as its own tables have them. POSIX only."""

from __future__ import annotations

import sys

from procession._record import Record

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import grp
import pwd


class Account(Record):
    """A line of the host's table of users."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


def is_number(text: str) -> bool:
    """Does the text name a user or a group by number?"""
    return text.isascii() and text.isdigit() and int(text[:20]) < 2**32 - 1


def user(name: str | int) -> Account | None:
    """The user of that name or number; a text of digits is a name here. None: there is none."""
    try:
        found = pwd.getpwuid(name) if isinstance(name, int) else pwd.getpwnam(name)
    except (KeyError, OverflowError, ValueError):
        return None
    shell = found.pw_shell or "/bin/sh"
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir, shell)


def group(name: str) -> int | None:
    """The number of the group of that name. None: there is none."""
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


def names(*, groups: bool) -> list[str]:
    """All that the tables list, to find what was meant by a name that is not there."""
    return [g.gr_name for g in grp.getgrall()] if groups else [u.pw_name for u in pwd.getpwall()]
