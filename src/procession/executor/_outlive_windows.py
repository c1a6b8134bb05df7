"""What a killed application leaves on Windows: nothing. Each tree is a job that ends with it."""

from __future__ import annotations

from procession.executor._events import log
from procession.executor._finish import Finisher
from procession.process.containment import contained_trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.executor._handle import ExecHandle


class Outlive(Finisher):
    """A part of the `Keeper`. See `_outlive`: there is no sentinel here, so nobody to be told."""

    orphans: str
    containment: str
    token: str
    contained: None = None  # its job is what a control group would be
    sentinel: None = None

    def prepare(self) -> None:
        """Before a launch. Raises HostError where there is to be a control group."""
        contained_trees(
            self.containment, self.token, leave=self.orphans == "leave", say=log.warning
        )
        self.trees.prepare()

    def ensure_sentinel(self) -> None: ...
    def post_to_sentinel(self, handle: ExecHandle) -> None: ...
    def forget_at_sentinel(self, handle: ExecHandle, left: bool) -> None: ...
    def close_sentinel(self) -> None: ...
    def resume_sentinel(self) -> None: ...
    def abandon_sentinel(self) -> None: ...
