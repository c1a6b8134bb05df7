"""`procession up` with the given words, whose standard output is its console.

Tells the code page of that console on standard error: for a line of input, and in the end.
"""

import ctypes
import os
import sys
import threading

from procession.cli.main import main

kernel = ctypes.WinDLL("kernel32")
os.dup2(os.open("CONOUT$", os.O_RDWR), 1)


def tell() -> None:
    os.write(2, f"page {kernel.GetConsoleOutputCP()}\n".encode())


def answer() -> None:
    os.read(0, 1)
    tell()


threading.Thread(target=answer, daemon=True).start()
kernel.SetConsoleOutputCP(437)
status = main(["up", *sys.argv[1:]])
tell()
os._exit(status)
