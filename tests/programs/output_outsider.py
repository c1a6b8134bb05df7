"""Leaves a process in a session of its own that keeps stdout, says its number, and ends.

    output_outsider.py silent            it writes nothing until its input ends
    output_outsider.py pauses COUNT GAP  it writes COUNT lines, GAP seconds apart, and ends
    output_outsider.py endless           it writes until it cannot

stdin is its gate: `silent` ends with it, after a last write whose failure it reports on stderr.
"""

from __future__ import annotations

import os
import signal
import sys
import time

how = sys.argv[1]
pid = os.fork()
if pid:
    os.write(1, b"outsider %d\n" % pid)
    os._exit(0)

os.setsid()
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
try:
    if how == "silent":
        os.read(0, 1)
        os.write(1, b"too late\n")
    elif how == "pauses":
        for number in range(int(sys.argv[2])):
            time.sleep(float(sys.argv[3]))
            os.write(1, b"line %d\n" % number)
    else:
        while True:
            os.write(1, b"again\n" * 100)
            time.sleep(0.001)
except BrokenPipeError:
    os.write(2, b"broken pipe\n")
