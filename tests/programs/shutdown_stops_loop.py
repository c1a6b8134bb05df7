"""wait_exit_stop_loop on a loop: "running", "later" (run after the request) or "closed"."""

import asyncio
import os
import signal
import sys

from procession import shutdown

kind, when = sys.argv[1:]
if kind == "uvloop":
    import uvloop

    loop = uvloop.new_event_loop()
else:
    loop = asyncio.new_event_loop()

shutdown.wait_exit_stop_loop(loop)
if when == "closed":
    loop.close()
    os.write(1, b"ready\n")
    shutdown.wait_exit()
elif when == "later":
    signal.raise_signal(signal.SIGTERM)
    shutdown.wait_exit()
    os.write(1, b"ready\n")
    loop.run_forever()
    loop.close()
else:
    loop.call_soon(os.write, 1, b"ready\n")
    loop.run_forever()
    loop.close()
os.write(1, b"stopped\n")
