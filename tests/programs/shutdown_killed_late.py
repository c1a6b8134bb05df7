"""Takes one request, ends, and is signalled again when CPython has reset its Python handlers."""

import os
import signal

from procession import shutdown


class Late:
    kill = os.kill
    pid = os.getpid()
    write = os.write
    signals = (signal.SIGTERM, signal.SIGINT)

    def __del__(self) -> None:
        for number in self.signals:
            Late.kill(self.pid, number)
        Late.write(1, b"survived\n")


late = Late()
shutdown.install()
signal.raise_signal(signal.SIGTERM)
shutdown.wait_exit()
os.write(1, b"ends\n")
