"""A project in a program that has no descriptor left while it stops, for half a second.

api_short.py LOG-DIR
"""

import os
import resource
import sys
import threading

from procession import Project, Task, up

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
tasks = [
    Task("leader", "sleep", ["1000"]),
    Task("tree", "sh", ["-c", "trap 'exit 0' TERM; sleep 1000 & wait"]),
]
with up(Project(*tasks, name="short"), log_dir=sys.argv[1]) as running:
    running.ready(timeout=30)
    pids = [row.pid for row in running.ps()]
    later = threading.Timer(0.5, resource.setrlimit, (resource.RLIMIT_NOFILE, (soft, hard)))
    later.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
later.join()
left = [pid for pid in pids if pid is None or os.path.exists(f"/proc/{pid}")]
print(f"status {running.status}, left {left}", flush=True)
