"""An application that is root when it begins, starts a process and then becomes nobody.

Says as JSON, once it has tried to end what it may not signal, what it was told of that.
"""

import json
import logging
import os
import signal
import sys
import threading

from procession.executor import PIPE, Executor

logged = []


class Keep(logging.Handler):
    def emit(self, record):
        logged.append((record.levelname, record.getMessage()))


logging.getLogger("procession.executor").addHandler(Keep())
executor = Executor()
executor.start()
heard, seen = [], []
executor.on_event(lambda event: heard.append((event.what, event.detail)))
events = executor.events()
reader = threading.Thread(target=lambda: seen.extend((e.what, e.detail) for e in events))
reader.start()
deaf = (
    "import signal\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    "print(flush=True)\n"
    "signal.pause()\n"
)
handle = executor.create_process([sys.executable, "-I", "-S", "-c", deaf], stdout=PIPE, name="deaf")
handle.stdout.readline()
while executor._keeper.sentinel is None:
    os.sched_yield()
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 0)  # root is kept in reserve, to end what is left
handle.kill(0.1)
result = handle.result()
executor.stop()
joined = executor.join(10)
reader.join(10)
os.seteuid(0)
os.kill(handle.pid, signal.SIGKILL)
os.waitpid(handle.pid, 0)
handle.stdout.close()
json.dump(
    {
        "pid": handle.pid,
        "reason": result.reason,
        "ok": result.ok,
        "survivors": result.survivors,
        "joined": joined,
        "heard": heard,
        "seen": seen,
        "logged": logged,
    },
    sys.stdout,
)
