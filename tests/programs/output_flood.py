"""Writes COUNT numbered lines "WORD number" as fast as it can, then "WORD done", and ends.

output_flood.py WORD COUNT
"""

from __future__ import annotations

import os
import sys

word = sys.argv[1].encode()
count = int(sys.argv[2])
data = b"".join(b"%b %d\n" % (word, n) for n in range(count)) + word + b" done\n"
while data:
    data = data[os.write(1, data[:65536]) :]
