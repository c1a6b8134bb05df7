"""Waits for stdin to end before it waits for a request."""

import os

from procession import shutdown

shutdown.install()
os.write(1, b"ready\n")
os.read(0, 1)
request = shutdown.wait_exit()
assert request is not None
os.write(1, b"heard %s\n" % request.reason.encode())
