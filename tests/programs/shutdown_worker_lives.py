"""The main thread has returned; the program lives in a worker thread until the callback ends it."""

import os
import threading

from procession import shutdown

stopped = threading.Event()


def callback() -> None:
    os.write(1, b"callback\n")
    stopped.set()


def work() -> None:
    threading.main_thread().join()
    os.write(1, b"ready\n")
    stopped.wait()
    os.write(1, b"worker ends\n")


shutdown.wait_exit_callback(callback)
threading.Thread(target=work).start()
