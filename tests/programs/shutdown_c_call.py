"""The main thread is in one C call until stdin ends. Writes ready, callback, returned."""

import ctypes
import os
import signal

from procession import shutdown

shutdown.wait_exit_callback(lambda: os.write(1, b"callback\n"))
# Most C code tries again when a signal interrupts it; so does the kernel for this one read().
for sig in (signal.SIGINT, signal.SIGTERM):
    signal.siginterrupt(sig, False)
libc = ctypes.CDLL(None)  # releases the GIL around each call
os.write(1, b"ready\n")
libc.read(0, ctypes.create_string_buffer(1), 1)
os.write(1, b"returned\n")
