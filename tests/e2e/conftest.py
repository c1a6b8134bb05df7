"""Every end-to-end test may ask for a project in a folder, and for a terminal."""

from tests.support.up import project, terminal

__all__ = ["project", "terminal"]
