"""A leader whose members end one after the other, and whose pids become strangers' at once.

    reuse_churn.py TRIES END

In turns a child in its group, and a daemon in a session of its own; each asks for its own pid
before it ends. END is what comes when all those are strangers': `stop` (SIGTERM to what started
us), `crash` (SIGKILL to the supervisor, our parent), `own` (the leader asks for its own pid, and
ends too). Else the leader is deaf.
"""

import os
import signal
import sys

import reuse_client

tries, end = int(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(tries):
    between = os.fork()
    if between == 0:
        if number % 2:
            os.setsid()
            if os.fork():
                os._exit(0)
        reuse_client.ask(os.getpid())
        os._exit(0)
    os.waitpid(between, 0)
    reuse_client.taken()
if end == "own":
    reuse_client.ask(os.getpid())
    sys.exit()
if end == "crash":
    reuse_client.say(reuse_client.to_signal(signal.SIGKILL, os.getppid()))
else:
    reuse_client.say(reuse_client.to_signal(signal.SIGTERM))
while True:
    signal.pause()
