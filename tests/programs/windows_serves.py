"""Says who it is, serves HTTP on a port (0: on none), makes a file and says so. PORT FILE"""

import http.server
import os
import pathlib
import sys
import threading

print(os.environ["PROCESSION_TASK"], os.environ["PROCESSION_RUN_NUMBER"], os.environ.get("PORT"))


class Fine(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"all is fine")


if port := int(sys.argv[1]):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Fine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
pathlib.Path(sys.argv[2]).write_text("served")
print("serves", flush=True)
threading.Event().wait()
