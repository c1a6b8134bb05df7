"""Every end-to-end test may ask for a project in a folder, a hand on it, a terminal, a shell."""

from tests.support.groups import group
from tests.support.hands import hand
from tests.support.inside import inside
from tests.support.puppets import puppets
from tests.support.shell import shell
from tests.support.up import project, terminal

__all__ = ["group", "hand", "inside", "project", "puppets", "shell", "terminal"]
