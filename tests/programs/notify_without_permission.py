"""Says ready to a socket that it may not reach, as an ordinary user in any case."""

import os
import socket  # now: after the change of user the standard library may be out of reach

from procession import notify

assert socket.AF_UNIX
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    notify.ready()
except PermissionError as error:
    print("PermissionError", error.errno)
