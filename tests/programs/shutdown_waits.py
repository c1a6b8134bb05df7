"""Waits in the main thread while other threads run that block no signal; says what arrived."""

import os
import threading

from procession import shutdown

shutdown.install()
gate = threading.Event()
for _ in range(3):
    threading.Thread(target=gate.wait, daemon=True).start()
os.write(1, b"ready\n")
request = shutdown.wait_exit()
assert request is not None
told = f"{request.source} {request.reason} {request.signal!r} {request.deadline}\n"
os.write(1, told.encode())  # in one piece: another may write to the same terminal
