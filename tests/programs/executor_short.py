"""An application that runs out of descriptors. WAY: start | place: who looks after processes.

Says as JSON what became of its processes meanwhile and afterwards.
"""

import json
import logging
import os
import resource
import sys
import threading

from procession.executor import PIPE, Executor, TimeoutExpired, _launching

logged = []


class Keep(logging.Handler):
    def emit(self, record):
        logged.append(f"{record.levelname} {record.getMessage()}")


class Full:
    """No descriptor is left inside of it but `spare`."""

    def __init__(self, spare=0):
        self.spare = spare

    def __enter__(self):
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, self.limits[1]))
        self.fds = []
        try:
            while True:
                self.fds.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            for _ in range(self.spare):
                os.close(self.fds.pop())

    def __exit__(self, *_):
        for fd in self.fds:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)


def tried(call):
    try:
        return call()
    except OSError as e:
        return [type(e).__name__, e.errno, getattr(e, "__notes__", [])]


logging.getLogger("procession.executor").addHandler(Keep())
_launching.TRIES = (0.001, 0.001)
way = sys.argv[1]
told = {}
ex = Executor()
if way == "start":
    ex.start()
else:
    with Full():
        told["cold"] = tried(lambda: ex.create_process(["true"]).pid)
    with Full(3):  # enough to start it, and not to look after it
        early = ex.create_process(["sh", "-c", "exit 3"])
        told["code"] = early.wait(10)
    told["early"] = early.result(10).exit_code
ended, killed, deaf, other = (
    ex.create_process(["sleep", "60"]),
    ex.create_process(["sleep", "60"]),
    ex.create_process(["sh", "-c", "trap '' TERM; echo; sleep 60 & wait; wait"], stdout=PIPE),
    ex.create_process(["sleep", "60"]),
)
deaf.stdout.readline()
while ex._keeper.sentinel is None:
    os.sched_yield()
ex.processes  # noqa: B018 - the loop has come round
before = sorted(os.listdir("/proc/self/fd"))
with Full():
    told["start"] = tried(lambda: ex.create_process(["true"], stdin=PIPE, stdout=PIPE).pid)
    ended.kill_now()
    told["ended"] = ended.wait(10)
    try:
        ended.result(0.3)
    except TimeoutExpired:
        told["result"] = "later"
    kills = [threading.Thread(target=one.kill, args=(0.2,)) for one in (killed, deaf)]
    for kill in kills:
        kill.start()
    told["while short"] = [killed.wait(10), deaf.wait(10), other.poll()]
for kill in kills:
    kill.join(10)
told["after"] = [one.result(10).reason for one in (ended, killed, deaf)]
told["left"] = ex.processes == (other,)
deaf.stdout.close()
fresh = Executor()
with Full():
    told["serve"] = tried(fresh.start)
with fresh:
    told["served"] = fresh.run_command(["true"])
told["lives"] = other.poll()
told["again"] = ex.create_process(["sh", "-c", "exit 4"]).result(10).exit_code
ex.stop()
told["joined"] = ex.join(10)
told["other"] = other.result().reason
told["logged"] = sorted({line.partition(":")[0] for line in logged})
json.dump(told, sys.stdout)
