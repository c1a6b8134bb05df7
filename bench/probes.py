"""What a try of each kind of probe costs, and how fast lines are searched.

CPU time of this process, so that other work on the machine counts for little; the answering
servers are in a process of their own. A command's try is that of the supervisor's spawn and look
alone (`spawn.py` has more of it); what the command itself does is its own. The bars: no try above
2 ms, and lines searched at 30 MB/s at least. Status 1 if one is missed.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from _support import arguments, interleaved, table

from procession.logs.search import Search, Sought
from procession.spec import HttpProbe, Probe, TcpProbe, UnixProbe
from procession.supervisor.probes.aside import Aside
from procession.supervisor.probes.file import stamp
from procession.supervisor.probes.net import Prober

LONGEST_TRY = 2e-3  # seconds of CPU
SLOWEST_SEARCH = 30e6  # bytes a second
TRIES = 200
LINES = b"".join(b"%099d\n" % n for n in range(100_000))  # 10 MB

SERVER = """
import socket, sys, threading
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
def serve(sock):
    while True:
        connection, _ = sock.accept()
        if connection.recv(4096):
            connection.sendall(answer)
        connection.close()
for number in sys.argv[1:]:
    threading.Thread(target=serve, args=(socket.socket(fileno=int(number)),)).start()
"""


class Answers:
    """Servers on a port and on a path, in a process of their own."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "s")
        tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
        unix.bind(self.path)
        unix.listen(100)
        self.port = tcp.getsockname()[1]
        with tcp, unix:
            numbers = [tcp.fileno(), unix.fileno()]
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-c", SERVER, *map(str, numbers)], pass_fds=numbers
            )

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def cpu_of(tries: Callable[[], object]) -> float:
    """CPU seconds of one of them."""
    began = time.process_time()
    for _ in range(TRIES):
        tries()
    return (time.process_time() - began) / TRIES


def main() -> int:
    options = arguments(__doc__ or "", rounds=5).parse_args()
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    prober, aside = Prober(calls.put), Aside(calls.put)
    told: list[object] = []

    def ask(probe: Probe) -> None:
        prober.ask(probe, 5.0, lambda words, ours: told.append(words))
        calls.get(timeout=10)()
        if told.pop() != "":
            raise RuntimeError(f"{probe} failed")

    def look() -> None:
        aside.ask("stat", "me", lambda: stamp("/"), told.append)
        calls.get(timeout=10)()

    def search() -> float:
        one = Search((Sought("^needle: [0-9]+$"),))
        began = time.process_time()
        for at in range(0, len(LINES), 65536):
            one.feed(LINES[at : at + 65536])
        return time.process_time() - began

    with tempfile.TemporaryDirectory() as folder:
        answers = Answers(folder)
        try:
            url = f"http://127.0.0.1:{answers.port}/"
            cases = {
                "tcp": lambda: cpu_of(lambda: ask(TcpProbe(answers.port))),
                "tcp, by name": lambda: cpu_of(lambda: ask(TcpProbe(answers.port, "localhost"))),
                "unix": lambda: cpu_of(lambda: ask(UnixProbe(answers.path))),
                "http": lambda: cpu_of(lambda: ask(HttpProbe(url, body="ok"))),
                "file": lambda: cpu_of(look),
            }
            found = interleaved({**cases, "log": search}, options.rounds)
        finally:
            answers.close()
            prober.close()
    rates = found["log"].per_second(len(LINES))
    rows = [[name, f"{found[name].show(2, 1e3)} ms a try"] for name in cases]
    rows.append(["log", f"{rates.show(0, 1e-6)} MB/s of 100-byte lines"])
    table("Probes: CPU time of the supervisor", ["kind", "cost"], rows)
    slow = [name for name in cases if found[name].median > LONGEST_TRY]
    if rates.median < SLOWEST_SEARCH:
        slow.append("log")
    for name in slow:
        print(f"missed: {name}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
