"""A program on Windows: what `create_process` starts when it is given a name."""

from __future__ import annotations

import errno
import os

from procession.lookup import PATHEXT, file_names, is_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def find_on_windows(name: str, env: Mapping[str, str], cwd: str | None) -> str:
    """The absolute path of a program: by PATH and PATHEXT unless the name is a path. The folder we
    are in is not searched, as CreateProcess would: whoever can write there could take its place.

    Raises FileNotFoundError with the name as it was given.
    """
    here = os.path.abspath(cwd or os.curdir)
    known = {key.upper(): value for key, value in env.items()}
    files = file_names(name, known.get("PATHEXT") or os.environ.get("PATHEXT", PATHEXT), True)
    if is_path(name, True):
        # where none is there, or it is no file, CreateProcess tells what is wrong
        paths = [os.path.abspath(os.path.join(here, file)) for file in files]
        return next(filter(os.path.isfile, paths), os.path.abspath(os.path.join(here, name)))
    for folder in filter(None, known.get("PATH", os.defpath).split(os.pathsep)):
        for file in files:
            path = os.path.join(here, folder, file)
            if os.path.isfile(path):
                return os.path.abspath(path)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
