"""Asks each server it is given once, and prints what they say. NAME...

A server that is restarted does not answer, so it is asked again for a while. In between the client
listens too: `wait_exit` with a timeout is a pause that a request to stop cuts short.
"""

import os
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from procession.shutdown import wait_exit

PATIENCE = 20.0  # seconds until a server that does not answer counts as down


def ask(name: str) -> str:
    """One request. OSError or HTTPException while the server is not up."""
    address = Path(os.environ.get("WEB_RUN", "run"), name).read_text()
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/client")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def main() -> int:
    deadline = time.monotonic() + PATIENCE
    for name in sys.argv[1:]:
        while True:
            try:
                print(ask(name), flush=True)
                break
            except (OSError, HTTPException) as error:
                if time.monotonic() > deadline:
                    print(f"{name} does not answer: {error}", file=sys.stderr)
                    return 1
            if wait_exit(timeout=0.05):
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
