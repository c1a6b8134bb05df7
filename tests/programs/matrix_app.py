"""An application with an executor. HOW CONTAINMENT GRACE GATE COMMAND...

Starts the command. HOW is what it does once the gate is open: `kill` (the handle), `stop` (the
executor). Says `survivors` and their names then, one a line, and ends.
"""

import os
import sys

from procession.executor import Capture, Executor, Step

how, containment, grace, gate, *command = sys.argv[1:]
executor = Executor(containment=containment)
executor.start()
handle = executor.create_process(
    command, stdout=Capture(), stderr=None, stop=Step("SIGTERM", "tree", float(grace))
)
os.close(os.open(gate, os.O_RDONLY))
if how == "kill":
    handle.kill(float(grace))
executor.stop(float(grace))
executor.join()
print("survivors", *handle.result().survivors, sep="\n", flush=True)
