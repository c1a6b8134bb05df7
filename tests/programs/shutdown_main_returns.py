"""The main thread returns as soon as it is asked, while the callback waits for stdin to end."""

import os

from procession import shutdown


def callback() -> None:
    os.write(1, b"begin\n")
    os.read(0, 1)
    os.write(1, b"end\n")


shutdown.wait_exit_callback(callback)
os.write(1, b"ready\n")
shutdown.wait_exit()
os.write(1, b"main returns\n")
