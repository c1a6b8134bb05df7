"""A family: windows_family.py LEVELS [late]. Each level writes `level PID` and starts the next.

All wait until they are ended. With "late" the last one is started when a line comes in on stdin;
"leaves": the first one ends when a line comes in, its child lives on.
"""

import os
import subprocess
import sys

levels = int(sys.argv[1])
how = sys.argv[2] if len(sys.argv) > 2 else ""
os.write(1, f"level {os.getpid()}\n".encode())
if levels > 1:
    if how == "late" and levels == 2:
        os.read(0, 1)
    subprocess.Popen([sys.executable, "-I", "-S", __file__, str(levels - 1)])
if how == "leaves":
    os.read(0, 1)
    sys.exit(7)
while True:
    import time

    time.sleep(60)
