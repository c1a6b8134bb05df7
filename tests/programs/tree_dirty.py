"""Ignores and blocks a list of signals, then executes its arguments, which inherit that.

tree_dirty.py IGNORED,... BLOCKED,... COMMAND...
"""

import os
import signal
import sys

for name in filter(None, sys.argv[1].split(",")):
    signal.signal(signal.Signals[name], signal.SIG_IGN)
signal.pthread_sigmask(
    signal.SIG_SETMASK, [signal.Signals[name] for name in sys.argv[2].split(",") if name]
)
os.execv(sys.argv[3], sys.argv[3:])
