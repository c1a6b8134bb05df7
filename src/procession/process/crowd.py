"""`Trees` for an application that is no subreaper: see `_crowd_linux`, `_tree_posix`."""

from __future__ import annotations

import sys

from procession.process import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.process._tree import Trees

__all__ = ["OWNER", "application_trees"]

OWNER = "PROCESSION_OWNER"  # the environment variable that names the executor, not the run

if sys.platform == "linux":

    def application_trees() -> Trees:
        """By /proc where it is mounted, else by what `ps` tells."""
        if host.has_proc():
            from procession.process._crowd_linux import CrowdTrees

            return CrowdTrees()
        from procession.process._tree_posix import PosixTrees

        return PosixTrees()

elif sys.platform != "win32":

    def application_trees() -> Trees:
        """By what `ps` tells."""
        from procession.process._tree_posix import PosixTrees

        return PosixTrees()
