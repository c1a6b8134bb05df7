"""Writes bytes, each part in one write. PART... where a part is `out:HEX` or `err:HEX`."""

import os
import sys

for part in sys.argv[1:]:
    stream, _, text = part.partition(":")
    os.write(1 if stream == "out" else 2, bytes.fromhex(text))
