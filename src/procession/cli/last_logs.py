"""The logs that the last run of a project left, for who asks when it has ended."""

from __future__ import annotations

import os
import re

from procession.control.address import OF_FILE
from procession.core.parts import duration
from procession.errors import ProcessionError, one_line
from procession.logs.earlier import runs
from procession.logs.files import EVENTS, default_base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

READ = 1 << 20  # bytes of an event log in which it says whose it is
_STREAM = re.compile(r"(.+?)(?:\.stdout|\.stderr)?\.log", re.DOTALL)
_COPY = re.compile(r"(.+)-[0-9]+", re.DOTALL)


class Kept:
    """The folder of a run that is over, and whose output is in it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def rows(self) -> list[dict[str, str]]:
        """As far as `protocol.chosen` looks at them: `web-2` answers to `web`, too."""
        names = {m[1] for name in os.listdir(self.folder) if (m := _STREAM.fullmatch(name))}
        names.discard(EVENTS.removesuffix(".log"))
        found = []
        for name in sorted(names, key=_numbered):
            copy = _COPY.fullmatch(name)
            found.append({"name": name, "task": copy[1] if copy else name})
        return found

    def ago(self, now: float) -> str:
        """How long it has been over, in words."""
        return duration(max(0.0, now - os.stat(os.path.join(self.folder, EVENTS)).st_mtime))


def last_run(base: str | None, file: str | None, project: str | None) -> tuple[Kept | None, str]:
    """(of the newest run of the project that is kept, where was looked). `base`: as `--log-dir` of
    `up`; `file` (None: the one of this folder) and `project` (None: as the file says it) as the
    command line has them. Raises UsageError where there is no such file."""
    path = None
    if file is not None or project is None:
        from procession.app import current_folder
        from procession.config.files import find

        path = os.path.realpath(file if file is not None else find(current_folder()))
    name = project if project is not None else _name_in(str(path))
    parent = os.path.join(os.path.abspath(base or default_base()), name)
    for run in reversed(runs(parent, name)):
        folder = os.path.join(parent, run)
        said = list(_files(folder, name))
        is_meant = path is None or not said or path in said
        if is_meant and os.path.isfile(os.path.join(folder, EVENTS)):
            return Kept(folder), parent
    return None, parent


def _name_in(path: str) -> str:
    """The project's name as its file says it; its folder's where it is broken by now."""
    from procession.config.load import examine
    from procession.config.names import fit_name

    folder = os.path.dirname(path)
    try:
        seen = examine(path, cwd=folder, environ=dict(os.environ))
    except ProcessionError:
        seen = None
    if seen is None or seen.decoded is None:
        return fit_name(os.path.basename(folder))
    return seen.decoded.project.name


def _files(folder: str, project: str) -> Iterator[str]:
    """Which file the event log says that it was: other projects may have the same name."""
    try:
        with open(os.path.join(folder, EVENTS), "rb") as events:
            text = events.read(READ).decode("utf-8", "surrogateescape")
    except OSError:
        return
    for found in re.finditer(rf"^\S+ {re.escape(project)}: {OF_FILE}(.*)$", text, re.MULTILINE):
        yield found[1]


def _numbered(name: str) -> list[tuple[int, str]]:
    """`web-10` after `web-9`."""
    return [(int(p or 0), "") if p.isdecimal() else (0, p) for p in re.split(r"([0-9]+)", name)]


def told(kept: Kept, now: float) -> str:
    """For people."""
    return (
        f"it does not run; this is its last run, which ended {kept.ago(now)} ago: "
        f"{one_line(kept.folder)}"
    )
