"""Stops a run in one way; then waits for a Ctrl-C of its own.

windows_stops_and_waits.py SIGNAL group|own NAME HOW: NAME is a program of the tests, HOW its
argument; "group": it shares our console, and leads a group there.
"""

import os
import sys
import time

from procession.process.command import Command
from procession.process.spawn import spawn
from procession.process.tree import Trees

signal, console, name, how = sys.argv[1:]
if name.endswith(".exe"):
    argv = (os.path.join(os.environ["LAB_PROGRAMS"], name), how)
else:
    folder = os.path.dirname(os.path.abspath(__file__))
    argv = (sys.executable, os.path.join(folder, f"{name}.py"), how)
group = console == "group"
reads, writes = os.pipe()
handle = spawn(Command(argv, argv[0], stdout=writes, session=not group, group=group))
os.close(writes)
trees = Trees()  # type: ignore[abstract]
tree = trees.plant("run", "c", handle)
with open(reads, "rb") as stream:
    assert stream.readline().strip() == b"ready"
    assert handle.pid in tree.signal(int(signal)).pids
    told = stream.read()
while not tree.is_empty():
    time.sleep(0.01)
tree.finish()
trees.close()
os.write(1, b"%b|\nready\n" % b"|".join(told.split(b"\n")[:-1]).replace(b"\r", b""))
try:
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    os.write(1, b"KeyboardInterrupt\n")
