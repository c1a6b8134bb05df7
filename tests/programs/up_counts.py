"""Says which run of it this is; the run numbered LAST ends with 7, the others with 0. FILE LAST"""

import os
import sys

with open(sys.argv[1], "ab") as file:
    file.write(b".")
number = os.path.getsize(sys.argv[1])
os.write(1, b"run %d\n" % number)
sys.exit(7 if number >= int(sys.argv[2]) else 0)
