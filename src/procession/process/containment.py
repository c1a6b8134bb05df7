"""Control groups for what an application starts: are they to be had, and by which trees?"""

from __future__ import annotations

import sys

from procession.errors import HostError
from procession.process import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    if sys.platform == "linux":
        from procession.process._contained_linux import ContainedTrees as ContainedTrees
    else:
        from typing import Any, TypeAlias

        ContainedTrees: TypeAlias = Any

# How the processes of an application are known for its own: by session, lineage as far as it was
# seen, and marks; by a control group, where one can be had; by that, or not at all.
MARKS, AUTO, GROUP = "marks", "auto", "group"
KINDS = (MARKS, AUTO, GROUP)

_STALE_GRACE = 1.0  # seconds for the clean-up of what dead owners of our group have left

if sys.platform == "linux":

    def contained_trees(
        kind: str, token: str, *, leave: bool, say: Callable[[str], None]
    ) -> ContainedTrees | None:
        """For a `kind` of KINDS, with a place of ours for its groups; None: by marks.

        `leave`: if this process dies, what it started is left alive. `say` takes what there is to
        tell. Raises HostError for GROUP where there is none to be had.
        """
        if kind == MARKS:
            return None
        from procession.process._contained_linux import ContainedTrees
        from procession.process._delegation_linux import claim_groups

        groups = None
        if host.has_proc() and host.has_pidfd() and host.has_subreaper() and sys.executable:
            groups = claim_groups(_STALE_GRACE, say)
        if groups is not None:
            return ContainedTrees(token, groups, required=kind == GROUP, leave=leave, say=say)
        if kind == GROUP:
            raise HostError(
                "a control group",
                "none is ours to divide",
                "a version 2 hierarchy in which this process is in a group that its user was given",
                "`procession doctor` tells how to get one; containment='auto' goes without",
            )
        return None

else:

    def contained_trees(
        kind: str, token: str, *, leave: bool, say: Callable[[str], None]
    ) -> ContainedTrees | None:
        """None: only Linux has them. Raises HostError where they are required."""
        if kind == GROUP:
            raise HostError("a control group", "none is to be had", "a Linux host")
        return None
