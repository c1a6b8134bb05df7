"""An application that ignores INT, TERM and HUP and blocks USR1, and starts processes.

    executor_dirty.py WAY      start | run | place: who launches

Prints one JSON object: what the signals of a child were, how a stop of it ended, and so on.
"""

import json
import os
import signal
import sys
import threading

from procession.executor import PIPE, Executor

SHOW = "grep -E 'Sig(Blk|Ign)' /proc/self/status; pwd; umask; echo $LC_CTYPE"
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
os.environ.pop("LC_CTYPE", None)
os.environ.pop("LC_ALL", None)
os.environ["LANG"] = "C"
ex = Executor()
told = {}


def work() -> None:
    with ex.create_process(
        ["sh", "-c", SHOW], stdout=PIPE, text=True, cwd="/usr", umask=0o27
    ) as child:
        told["shown"] = child.communicate()[0].split()
    sleeper = ex.create_process(["sleep", "60"])
    sleeper.kill()
    told["reason"], told["signal"] = sleeper.result().reason, sleeper.result().signal
    script = os.path.join(sys.argv[2], "script")
    for name in ("/no/such/program", script):
        try:
            ex.create_process([name])
        except OSError as e:
            told[os.path.basename(name)] = [type(e).__name__, e.filename == name]
    ex.stop()


with open(os.path.join(sys.argv[2], "script"), "w") as file:
    file.write("no interpreter is named here")
os.chmod(file.name, 0o755)
ex.create_process(["true"]).wait()
if sys.argv[1] == "place":
    work()
else:
    thread = threading.Thread(target=work)
    if sys.argv[1] == "start":
        ex.start()
        thread.start()
    else:
        thread.start()
        ex.run()
    thread.join()
ex.join()
print(json.dumps(told))
