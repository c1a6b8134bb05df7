"""An application that is killed, and whose processes end of that. TRIES

Their pids are strangers' when its sentinel comes to look for them.
"""

import os
import signal
import sys
import time

from reuse_client import say, to_signal, to_take

from procession.executor import PIPE, Executor

executor = Executor()
executor.start()
command = ["sh", "-c", "read line"]  # which comes to its end when we do
handles = [executor.create_process(command, stdin=PIPE) for _ in range(int(sys.argv[1]))]
time.sleep(0.3)  # the sentinel is there by now, and has been told of them
sentinel = executor._keeper.sentinel.handle.pid
say(
    to_signal(signal.SIGSTOP, sentinel),
    to_signal(signal.SIGKILL, os.getpid()),
    *(to_take(handle.pid) for handle in handles),
    to_signal(signal.SIGCONT, sentinel),
)
while True:
    signal.pause()
