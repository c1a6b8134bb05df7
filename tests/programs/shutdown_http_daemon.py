"""A threading HTTP server that serves in a daemon thread while the main thread waits."""

import http.server
import threading

from procession.shutdown import install, wait_exit

install()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("port", server.server_port, flush=True)
wait_exit()
server.shutdown()
server.server_close()
print("closed", flush=True)
