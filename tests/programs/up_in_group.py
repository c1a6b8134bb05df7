"""Joins a control group (as root, if need be), then runs a command in it. FOLDER COMMAND..."""

import os
import sys

with open(f"{sys.argv[1]}/cgroup.procs", "w") as procs:
    procs.write("0")
os.execv(sys.argv[2], sys.argv[2:])
