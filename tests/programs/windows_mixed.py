"""A leader that has no window, and one of its children that has. Both clean up when they hear."""

import os
import subprocess
import sys

sys.argv = [sys.argv[0], "break"]
box = os.path.join(os.environ["LAB_PROGRAMS"], "windows_box.exe")
child = subprocess.Popen([box, "top"])
with open(os.path.join(os.path.dirname(__file__), "windows_sigbreak.py")) as file:
    exec(compile(file.read(), file.name, "exec"))
