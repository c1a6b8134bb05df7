"""A threading HTTP server that serves in the main thread; the callback ends that."""

import http.server

from procession.shutdown import wait_exit_callback

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
wait_exit_callback(server.shutdown)
print("port", server.server_port, flush=True)
server.serve_forever()
server.server_close()
print("closed", flush=True)
