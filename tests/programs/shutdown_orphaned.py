"""A worker thread cancels the last registration; then a signal comes."""

import os
import signal
import threading

from procession import shutdown

registration = shutdown.wait_exit_callback(lambda: os.write(1, b"callback\n"))
thread = threading.Thread(target=registration.cancel)
thread.start()
thread.join()
os.write(1, b"cancelled\n")
signal.pause()
