"""A worker thread cancels the last registration; then a signal comes."""

import os
import threading
import time

from procession import shutdown

registration = shutdown.wait_exit_callback(lambda: os.write(1, b"callback\n"))
thread = threading.Thread(target=registration.cancel)
thread.start()
thread.join()
os.write(1, b"cancelled\n")
while True:
    time.sleep(0.1)  # `pause` would miss a handler that is due just before it
