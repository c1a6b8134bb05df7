"""Writes its first argument as it came."""

import sys

sys.stdout.buffer.write(sys.argv[1].encode("utf-8", "surrogatepass"))
