"""Writes as many blocks of bytes as it is told, not all of them text, and ends with a status.

windows_writes.py BLOCKS STATUS
"""

import os
import sys

block = bytes(range(256)) * 256
for _ in range(int(sys.argv[1])):
    rest = block
    while rest:
        rest = rest[os.write(1, rest) :]
os._exit(int(sys.argv[2]))
