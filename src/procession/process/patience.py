"""How long a thread may wait in one go, so that what is typed at it is heard.

Python's signal handlers run in the main thread, between two of its calls. On POSIX a signal ends
the call that it waits in. On Windows nothing ends a wait for a lock, a queue or a process: Ctrl-C
would be heard when that is over, which may be never. So the main thread waits in slices there.
"""

from __future__ import annotations

import sys
import threading

if sys.platform == "win32":
    SLICE = 0.1  # seconds until a handler runs, at the most

    def slice_of(left: float | None) -> float | None:
        """Of `left` seconds (None: for ever), what the calling thread may wait for at once."""
        if threading.get_ident() != threading.main_thread().ident:
            return left
        return SLICE if left is None else min(left, SLICE)

else:

    def slice_of(left: float | None) -> float | None:
        """All of `left` seconds (None: for ever)."""
        return left
