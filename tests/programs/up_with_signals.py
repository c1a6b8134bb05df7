"""Runs a command with signals ignored or blocked, as nohup and careless managers do.

ignore|block NAME,NAME... COMMAND...
"""

import os
import signal
import sys

for name in sys.argv[2].split(","):
    if sys.argv[1] == "ignore":
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.Signals[name]})
os.execv(sys.argv[3], sys.argv[3:])
