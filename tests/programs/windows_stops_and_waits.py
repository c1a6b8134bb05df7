"""Stops a run by Ctrl-C in that run's console; then waits for a Ctrl-C of its own."""

import os
import sys
import time

from procession.process.command import Command
from procession.process.spawn import spawn
from procession.process.tree import Trees

program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "windows_sigbreak.py")
reads, writes = os.pipe()
handle = spawn(Command((sys.executable, program, "int"), sys.executable, stdout=writes))
os.close(writes)
trees = Trees()  # type: ignore[abstract]
tree = trees.plant("run", "c", handle)
with open(reads, "rb") as stream:
    assert stream.readline().strip() == b"ready"
    tree.signal(2)
    assert stream.read().strip() == b"clean after ctrl-c"
while not tree.is_empty():
    time.sleep(0.01)
tree.finish()
trees.close()
os.write(1, b"stopped\n")
try:
    os.write(1, b"ready\n")
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    os.write(1, b"KeyboardInterrupt\n")
