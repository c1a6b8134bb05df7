"""Ends at once, or when a gate opens: with a status, or by a signal. NAME STATUS|SIGNAL [GATE]"""

import os
import resource
import signal
import sys

import up_stage

up_stage.ready()
how = sys.argv[2]
if len(sys.argv) > 3:
    up_stage.gate(sys.argv[3])
if how.isdecimal():
    sys.exit(int(how))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.signal(signal.Signals[how], signal.SIG_DFL) if how != "SIGKILL" else None
os.kill(os.getpid(), signal.Signals[how])
