"""Deaf to SIGTERM and SIGINT. Says `ready PID`, then waits for ever."""

import os
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.write(1, b"ready %d\n" % os.getpid())
while True:
    signal.pause()
