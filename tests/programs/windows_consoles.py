"""Tells the settings of its own console: before, while `ConsoleOfBytes` is entered, afterwards."""

import ctypes
import msvcrt
import os

from procession.process._console_windows import ConsoleOfBytes

kernel = ctypes.WinDLL("kernel32")
fd = os.open("CONOUT$", os.O_RDWR)


def settings() -> str:
    mode = ctypes.c_uint32()
    kernel.GetConsoleMode(ctypes.c_void_p(msvcrt.get_osfhandle(fd)), ctypes.byref(mode))
    return f"{kernel.GetConsoleOutputCP()} {bool(mode.value & 4)}"


kernel.SetConsoleOutputCP(437)
os.write(1, f"{settings()}\n".encode())
with ConsoleOfBytes((0, fd)):  # the first is a pipe
    os.write(1, f"{settings()}\n".encode())
os.write(1, f"{settings()}\n".encode())
