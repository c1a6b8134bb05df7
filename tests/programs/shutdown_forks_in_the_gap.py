"""A signal reaches the child of a fork before any hook of ours has run in it."""

import os
import signal

from procession import shutdown

os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
shutdown.install()
pid = os.fork()
if pid == 0:
    os._exit(0)
_, status = os.waitpid(pid, 0)
print("child ended with", os.waitstatus_to_exitcode(status))
print("parent:", shutdown.wait_exit(0.2))
