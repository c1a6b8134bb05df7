"""Installs while the process has no descriptor left, and hears all the same."""

import atexit  # noqa: F401 - to import anything later takes a descriptor
import os
import resource
import threading  # noqa: F401

import procession.shutdown._hub
import procession.shutdown._posix  # noqa: F401
from procession import shutdown

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    pass
shutdown.install()
os.write(1, b"ready\n")
request = shutdown.wait_exit()
for fd in taken:
    os.close(fd)
print("heard", request and request.reason)
