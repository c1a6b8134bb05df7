"""The main thread has returned when a worker thread first waits for the request. [async]"""

import asyncio
import os
import sys
import threading

from procession import shutdown


def work() -> None:
    threading.main_thread().join()
    os.write(1, b"ready\n")
    if "async" in sys.argv:
        request = asyncio.run(shutdown.wait_exit_async())
    else:
        request = shutdown.wait_exit()
    os.write(1, b"worker hears %s\n" % (request.reason.encode() if request else b"nothing"))


shutdown.install()
threading.Thread(target=work).start()
