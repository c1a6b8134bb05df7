"""As whom a task runs, and within which bounds: from its keys to what a spawn takes.

Imported for tasks that say something of it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procession.process.command import Command
    from procession.spec import Task


def says_something(task: Task) -> bool:
    """Does the task ask for anything of this?"""
    return (
        task.user is not None
        or task.group is not None
        or task.supplementary_groups is not None
        or task.umask is not None
        or task.nice is not None
        or bool(task.cpus)
        or bool(task.limits)
    )


def dressed(
    command: Command, task: Task, env: Mapping[str, str], inherited: Mapping[str, str]
) -> tuple[Command, dict[str, str]]:
    """The command with what the task says, and the variables that a login as its user would set
    (login(1)), but for those that the file sets itself: `env` is the task's environment,
    `inherited` ours.

    Raises ValueError for a user or group that is gone since the file was read.
    """
    command = command.replace(
        umask=-1 if task.umask is None else task.umask,
        nice=task.nice,
        cpus=task.cpus,
        limits=task.limits,
    )
    if sys.platform == "win32":
        return command, {}
    if task.user is None and task.group is None and task.supplementary_groups is None:
        return command, {}
    from procession.process.user import ids, login

    uid, gid, groups = ids(
        _number(task.user),
        _number(task.group),
        None if task.supplementary_groups is None else map(_named, task.supplementary_groups),
    )
    variables = {} if uid is None else login(uid)
    ours = {
        name: value for name, value in variables.items() if env.get(name) == inherited.get(name)
    }
    return command.replace(uid=uid, gid=gid, groups=groups), ours


def _number(name: str | None) -> str | int | None:
    return None if name is None else _named(name)


def _named(name: str) -> str | int:
    return int(name) if name.isascii() and name.isdigit() else name
