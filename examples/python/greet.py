"""The two web servers of examples/web inside a Python program: ready, asked, restarted, down.

    python3 examples/python/greet.py

Nothing of them is left when it ends, also by Ctrl-C or a kill -9.
"""

import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from procession import Task, up

SERVER = Path(__file__).parents[1] / "web" / "server.py"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        servers = [
            Task(
                name,
                sys.executable,
                [SERVER, name],
                environment={"WEB_RUN": folder},
                ready={"file": Path(folder, name)},  # it writes its address there
                restart="on-failure",
            )
            for name in ("alpha", "beta")
        ]
        with up(*servers, log_dir=folder) as running:
            running.ready(timeout=20)
            for name in ("alpha", "beta"):
                print(ask(Path(folder, name)))
            (beta,) = running.restart("beta", timeout=20)
            print(f"run {beta.run}: {ask(Path(folder, 'beta'))}")
        print(f"all are down, status {running.status}")


def ask(address: Path) -> str:
    with urlopen(f"http://{address.read_text()}/hello", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


if __name__ == "__main__":
    main()
