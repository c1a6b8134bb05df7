"""An application with an executor, that does as it is told.

    executor_app.py ORPHANS[+CONTAINMENT] LEFTOVER WAY...

Starts tree_family.py with the ways given, then says `app PID` and, where there is one, `sentinel
PID` (which a starter is, too). Words it understands, one a line on stdin: `die` (by SIGKILL),
`exit`, `stop` (the executor, then says `stopped PID`), `settle` (until nothing is in the trace;
says `settled PID`), `fork` (a child that lives on and says `forked PID`), `again` (says `sentinel
PID` once there is another one).
"""

import os
import signal
import sys

from procession.executor import Executor

how, leftover, *ways = sys.argv[1:]
orphans, _, containment = how.partition("+")
family = os.path.join(os.path.dirname(__file__), "tree_family.py")
executor = Executor(orphans=orphans, containment=containment or "marks")
executor.start()
executor.create_process([sys.executable, "-I", "-S", family, *ways], stdout=None, leftover=leftover)


def say(word, pid):
    os.write(1, b"%s %d\n" % (word.encode(), pid))


def say_sentinel(other_than=None):
    while True:
        sentinel = executor._keeper.sentinel
        if sentinel is not None and sentinel is not other_than:
            say("sentinel", sentinel.handle.pid)
            return sentinel
        os.sched_yield()


known = say_sentinel() if orphans == "sweep" or executor.is_contained else None
say("app", os.getpid())
for line in sys.stdin:
    word = line.strip()
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "exit":
        break
    elif word == "stop":
        executor.stop()
        executor.join()
        say("stopped", os.getpid())
    elif word == "settle":
        while executor.processes:
            os.sched_yield()
        say("settled", os.getpid())
    elif word == "again":
        known = say_sentinel(known)
    elif word == "fork":
        pid = os.fork()
        if pid == 0:
            say("forked", os.getpid())
            while True:
                signal.pause()
