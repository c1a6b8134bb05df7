"""How long a thread may wait in one go, so that what is typed at it is heard.

Python's signal handlers run in the main thread, between two of its calls. On Windows nothing ends a
wait for a lock, a queue or a process: Ctrl-C would be heard when that is over, which may be never.
On POSIX a signal ends the call that it waits in, but not one that is about to begin: what comes
after Python last looked and before the kernel is asked (measured: 15 of 10,000 that were sent in
that moment, on a busy host) is not heard either. So the main thread waits in slices.
"""

from __future__ import annotations

import sys
import threading

# Seconds until a handler runs, at the most. On POSIX nearly all run at once.
SLICE = 0.1 if sys.platform == "win32" else 0.5


def slice_of(left: float | None) -> float | None:
    """Of `left` seconds (None: for ever), what the calling thread may wait for at once."""
    if threading.get_ident() != threading.main_thread().ident:
        return left
    return SLICE if left is None else min(left, SLICE)
