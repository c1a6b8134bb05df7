"""A run's tree: everything a leader started, whatever session or group it moved to.

`Trees` is this platform's mechanism, chosen here once; what it promises is in `_tree.Trees` and
`_tree.Tree`. Linux: lineage, session and group, and a cookie. Other POSIX: session and group.
Windows: a job object.
"""

from __future__ import annotations

import sys

from procession.process._tree import COOKIE, OWNER, TARGETS, Member, Sent, Tree

if sys.platform == "linux":
    from procession.process._lineage_linux import LinuxTrees as Trees
elif sys.platform == "win32":
    from procession.process._tree_windows import WindowsTrees as Trees
else:
    from procession.process._tree_posix import PosixTrees as Trees

__all__ = ["COOKIE", "OWNER", "TARGETS", "Member", "Sent", "Tree", "Trees"]
