"""Waits in the main thread while other threads run that block no signal; says what arrived."""

import threading

from procession import shutdown

shutdown.install()
gate = threading.Event()
for _ in range(3):
    threading.Thread(target=gate.wait, daemon=True).start()
print("ready", flush=True)
request = shutdown.wait_exit()
assert request is not None
print(request.source, request.reason, repr(request.signal), request.deadline, flush=True)
