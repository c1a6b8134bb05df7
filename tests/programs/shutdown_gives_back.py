"""Leaves `with Shutdown(reraise=True)` when asked, with something still in the output buffer."""

import sys

from procession.shutdown import Shutdown

with Shutdown(reraise=sys.argv[1] == "reraise") as stop:
    print("ready", flush=True)
    stop.wait()
    sys.stdout.write("clean-up\n")
sys.stdout.write("after\n")
