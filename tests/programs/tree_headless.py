"""Its main thread ends and another lives on: /proc shows a zombie that is none.

The thread is in sleep(3) of the C library, so nothing of Python runs any more. Says `ready PID`.
"""

import ctypes
import os
import threading

libc = ctypes.CDLL(None)
threading.Thread(target=lambda: libc.sleep(1000)).start()
os.write(1, b"ready %d\n" % os.getpid())
libc.pthread_exit(None)
