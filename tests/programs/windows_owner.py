"""A supervisor in small: windows_owner.py RUNS [jobs|own]. Starts families and sleeps.

"jobs": each run in a job of its own, the last of it started late; "own": in this process's own job
alone. Its streams are the runs'.
"""

import os
import subprocess
import sys
import time

from procession.process import _tree_windows as trees
from procession.process import _win32 as win
from procession.process.command import Command
from procession.process.spawn import spawn

runs = int(sys.argv[1])
how = sys.argv[2] if len(sys.argv) > 2 else "jobs"
family = os.path.join(os.path.dirname(os.path.abspath(__file__)), "windows_family.py")
levels = "3" if len(sys.argv) > 2 else "2"
argv = (sys.executable, "-I", "-S", family, levels)
held = []
if how == "own":
    job = trees.own_job()
    assert win.in_job(win.current_process(), job)
if len(sys.argv) == 2:
    os.write(1, f"level {os.getpid()}\n".encode())
for number in range(runs):
    late = ("late",) if number == 0 and how == "jobs" and levels == "3" else ()
    if how == "own":
        held.append(subprocess.Popen(argv))
        continue
    reads, writes = os.pipe()
    held.append(spawn(Command((*argv, *late), sys.executable, stdin=reads, stdout=1, stderr=2)))
    if late:
        os.write(writes, b"\n")
while True:
    time.sleep(60)
