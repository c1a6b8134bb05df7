"""`Trees` of an application: see `_crowd_linux`, `_tree_posix`, `_tree_windows`.

`application_trees(stirred, leave)`: where trees tell of ends by themselves, `stirred(run)` is
called in a thread of theirs when a process of that run has ended, and with `leave` what lives does
not end with us. Elsewhere neither matters: the trees are asked, and nothing ends with us.
"""

from __future__ import annotations

import sys

from procession.process import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from procession.process._tree import Sent, Tree, Trees

    Stirred = Callable[[Hashable], object]

__all__ = ["OWNER", "application_trees", "kill_many", "tell_many"]

OWNER = "PROCESSION_OWNER"  # the environment variable that names the executor, not the run

if sys.platform == "linux":

    def application_trees(stirred: Stirred, leave: bool) -> Trees:
        """By /proc where it is mounted, else by what `ps` tells."""
        if host.has_proc():
            from procession.process._crowd_linux import CrowdTrees

            return CrowdTrees()
        from procession.process._tree_posix import PosixTrees

        return PosixTrees()

elif sys.platform == "win32":

    def application_trees(stirred: Stirred, leave: bool) -> Trees:
        """By job objects."""
        from procession.process._tree_windows import WindowsTrees

        return WindowsTrees(stirred, leave=leave)

else:

    def application_trees(stirred: Stirred, leave: bool) -> Trees:
        """By what `ps` tells."""
        from procession.process._tree_posix import PosixTrees

        return PosixTrees()


if sys.platform == "linux":

    def tell_many(trees: Trees, asks: list[tuple[Tree, int, str, bool]]) -> list[Sent]:
        """`tree.signal(number, to=to, only_new=only_new)` of each, at the price of one look."""
        from procession.process._crowd_linux import CrowdTree, CrowdTrees

        if isinstance(trees, CrowdTrees):
            trees.look()
        return [
            tree.tell(number, to=to, only_new=only_new)
            if isinstance(tree, CrowdTree)
            else tree.signal(number, to=to, only_new=only_new)
            for tree, number, to, only_new in asks
        ]

    def kill_many(trees: Trees, doomed: list[Tree]) -> list[Sent]:
        """`tree.kill()` of each, at the price of one."""
        from procession.process._crowd_linux import CrowdTree, CrowdTrees

        if isinstance(trees, CrowdTrees):
            return trees.kill_many(tree for tree in doomed if isinstance(tree, CrowdTree))
        return [tree.kill() for tree in doomed]

elif sys.platform == "win32":

    def tell_many(trees: Trees, asks: list[tuple[Tree, int, str, bool]]) -> list[Sent]:
        """`tree.signal(number, to=to, only_new=only_new)` of each, at the price of one look."""
        from procession.process._tree_windows import WindowsTree, WindowsTrees

        assert isinstance(trees, WindowsTrees)
        own = [ask for ask in asks if isinstance(ask[0], WindowsTree)]
        return trees.tell_many(own)  # type: ignore[arg-type]  # one by one it was told

    def kill_many(trees: Trees, doomed: list[Tree]) -> list[Sent]:
        """`tree.kill()` of each."""
        return [tree.kill() for tree in doomed]

else:

    def tell_many(trees: Trees, asks: list[tuple[Tree, int, str, bool]]) -> list[Sent]:
        """Each by itself."""
        return [tree.signal(number, to=to, only_new=new) for tree, number, to, new in asks]

    def kill_many(trees: Trees, doomed: list[Tree]) -> list[Sent]:
        """Each by itself."""
        return [tree.kill() for tree in doomed]
