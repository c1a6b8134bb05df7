"""Would a program that we start now hear all signals? And the way to start it where it would not.

POSIX hands down what a process ignores and a thread blocks (`_defaults_posix`). Windows hands down
neither.
"""

from __future__ import annotations

import sys

__all__ = ["blocks", "ignores", "spawn_clean"]

if sys.platform != "win32":
    from procession.process._defaults_posix import blocks, ignores, spawn_clean
else:
    from procession.process.spawn import spawn as spawn_clean

    def blocks() -> bool:
        """Would a child of the calling thread have blocked signals?"""
        return False

    def ignores() -> bool:
        """Would a child of this process ignore signals?"""
        return False
