"""Runs a command as a login shell would: a session of its own on a terminal. TERMINAL COMMAND..."""

import os
import sys

os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)  # the first one a session opens becomes its own
for fd in (0, 1, 2):
    os.dup2(terminal, fd)
os.close(terminal)
os.execv(sys.argv[2], sys.argv[2:])
