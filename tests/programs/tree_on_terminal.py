"""Takes the terminal of the first argument as its own, on 0, 1 and 2, and becomes the rest.

It must lead a session: then opening a terminal that nobody has makes it ours (tty_ioctl(4)).
"""

import os
import sys

fd = os.open(sys.argv[1], os.O_RDWR)
for standard in range(3):
    os.dup2(fd, standard)
os.execv(sys.argv[2], sys.argv[2:])
