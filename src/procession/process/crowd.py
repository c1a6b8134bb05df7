"""`Trees` of an application: see `_crowd_linux`, `_tree_posix`, `_tree_windows`.

`application_trees(launches, stirred, leave)`: `launches` are those under way, see `CrowdTrees`.
Where trees tell of ends by themselves, `stirred(run)` is called in a thread of theirs when a
process of that run has ended, and with `leave` what lives does not end with us. Elsewhere neither
matters: the trees are asked, and nothing ends with us.
"""

from __future__ import annotations

import sys

from procession.process import host
from procession.process._tree import OWNER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sized

    from procession.process._tree import Trees

    Stirred = Callable[[Hashable], object]

__all__ = ["OWNER", "application_trees"]

if sys.platform == "linux":

    def application_trees(launches: Sized, stirred: Stirred, leave: bool) -> Trees:
        """By /proc where it is mounted, else by what `ps` tells."""
        if host.has_proc():
            from procession.process._crowd_linux import CrowdTrees

            return CrowdTrees(launches=launches)
        from procession.process._tree_posix import PosixTrees

        return PosixTrees()

elif sys.platform == "win32":

    def application_trees(launches: Sized, stirred: Stirred, leave: bool) -> Trees:
        """By job objects."""
        from procession.process._tree_windows import WindowsTrees

        return WindowsTrees(stirred, leave=leave)

else:

    def application_trees(launches: Sized, stirred: Stirred, leave: bool) -> Trees:
        """By what `ps` tells."""
        from procession.process._tree_posix import PosixTrees

        return PosixTrees()
