"""A web server that ends well when it is asked to. NAME

It takes a port that is free and leaves its address in the file run/NAME, so that several of it,
and whatever else this machine does, never fight for one. WEB_RUN names another folder than run.
"""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from procession.shutdown import wait_exit

NAME = sys.argv[1]


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{NAME} greets {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    address = Path(os.environ.get("WEB_RUN", "run"), NAME)
    address.parent.mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address.write_text(f"127.0.0.1:{server.server_port}")
        print(f"listening on port {server.server_port}", flush=True)

        wait_exit()  # until Ctrl-C, SIGTERM, or whatever this platform asks with

        print("asked to stop", flush=True)
        address.unlink(missing_ok=True)
        server.shutdown()
    print("every request is answered, goodbye")


if __name__ == "__main__":
    main()
