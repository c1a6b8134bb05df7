"""Traces another process, kills it, and holds its zombie until the gate opens.

    up_traces.py NAME GATE FILE [wait]

FILE will hold the other's pid. `wait`: for somebody else to kill it. While a tracer has not let go,
the parent of a zombie learns nothing from waitid, though its pidfd is readable.
"""

import ctypes
import os
import select
import signal
import sys
import time

import up_stage

PTRACE_SEIZE = 0x4206
gate, file = sys.argv[2:4]
while not os.path.exists(file):
    time.sleep(0.005)
with open(file) as found:
    pid = int(found.read())
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
if ptrace(PTRACE_SEIZE, pid, None, None) != 0:
    raise OSError(ctypes.get_errno(), "PTRACE_SEIZE")
pidfd = os.pidfd_open(pid)
if "wait" in sys.argv:  # somebody else kills it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    up_stage.say("traces", pid)
else:
    os.kill(pid, signal.SIGKILL)
select.select([pidfd], [], [])
up_stage.say("killed", pid)
up_stage.gate(gate)
