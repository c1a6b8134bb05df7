"""Every end-to-end test may ask for a project in a folder, a terminal, and a shell on it."""

from tests.support.shell import shell
from tests.support.up import project, terminal

__all__ = ["project", "shell", "terminal"]
