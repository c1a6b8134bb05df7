"""An application whose processes end, and whose pids become strangers' at once. TRIES

Everything that signals is called on each handle then. How the pid gets free takes turns: the tree
is over; the application itself reaped the child, behind the executor's back; while `kill` is at
work; and that of a member, between two steps of a stop.
"""

import itertools
import os
import signal
import sys
import threading

import reuse_client

from procession.executor import PIPE, Executor, Step, TimeoutExpired

executor = Executor()


def try_all(handle):
    handle.send_signal(signal.SIGTERM)
    handle.terminate()
    handle.kill_now()
    handle.kill(0.01)
    handle.stop([Step("SIGTERM", "leader", 0.01), Step("SIGTERM", "group", 0.01)])
    handle.stop(Step("SIGTERM", "tree", 0.01))


def over():
    handle = executor.create_process(["true"])
    handle.result()
    reuse_client.take(handle.pid)
    return handle


def stolen():
    handle = executor.create_process(["true"])
    try:
        os.waitpid(handle.pid, 0)
    except ChildProcessError:
        pass  # the executor was quicker
    reuse_client.take(handle.pid)
    return handle


def killed():
    handle = executor.create_process(["sh", "-c", "sleep 60 & sleep 60"])
    reuse_client.ask(handle.pid)
    handle.kill(0.2)
    try_all(handle)
    reuse_client.taken()
    return handle


def member():
    script = "trap : USR1; sleep 60 & echo $!; wait; wait; echo; sleep 60"
    handle = executor.create_process(["sh", "-c", script], stdout=PIPE, text=True)
    reuse_client.ask(int(handle.stdout.readline()))
    steps = [Step("SIGUSR1", "tree", 0.05), Step("SIGTERM", "tree", 0.05)]
    stop = threading.Thread(target=handle.stop, args=(steps,))
    stop.start()
    reuse_client.taken()
    stop.join()
    handle.stdout.close()
    return handle


executor.start()
for way, _ in zip(itertools.cycle([over, stolen, killed, member]), range(int(sys.argv[1]))):
    try_all(way())
executor.stop()
executor.stop()
if not executor.join(10):
    raise TimeoutExpired("the executor", 10)
