"""Cleans its signals, spawns tree_reports.py, whose report becomes ours, and says what it found.

stderr: `before DIRT` and `after DIRT`. Then it sends itself each signal it was born ignoring
(`tree_cleans_and_spawns.py NAME,...`) and says `alive`.
"""

import os
import signal
import sys

from procession.process.command import Command
from procession.process.spawn import clean_signals, dirty_signals, spawn

here = os.path.dirname(os.path.abspath(__file__))
print("before", sorted(dirty_signals().ignored), sorted(dirty_signals().blocked), file=sys.stderr)
left = clean_signals()
print("after", sorted(left.ignored), sorted(left.blocked), file=sys.stderr)
argv = (sys.executable, "-S", os.path.join(here, "tree_reports.py"))
handle = spawn(Command(argv, sys.executable, stdout=1))
os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
handle.reap()
handle.close()
for name in filter(None, sys.argv[1].split(",")):
    os.kill(os.getpid(), signal.Signals[name])
print("alive", file=sys.stderr)
