"""Writes output of one kind to stdout, ends. `make(kind)` is what it writes.

    output_bytes.py KIND [WRITE]

in writes of WRITE bytes (1000): `lines`, `long` (300 kB without a newline), `nuls`, `odd` (every
byte value, never UTF-8), `unfinished` (no newline at the end), `tiny` (to be cut very small).
"""

from __future__ import annotations

import os
import sys

KINDS = ("lines", "long", "nuls", "odd", "unfinished", "tiny")


def make(kind: str) -> bytes:
    if kind == "lines":
        return b"".join(b"%099d\n" % n for n in range(30_000))
    if kind == "long":
        return b"<" + b"x" * 300_000 + b">"
    if kind == "nuls":
        return b"\0" * 5000 + b"a\0b\n" + b"\0\n" * 100
    if kind == "odd":
        return bytes(range(256)) * 40 + b"\xff\xfe\xc3(\n"
    if kind == "unfinished":
        return b"first\nsecond\nno newline here"
    return b"a\n\nb\r\nc\n" * 20


def main() -> None:
    data = make(sys.argv[1])
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    for at in range(0, len(data), step):
        rest = data[at : at + step]
        while rest:
            rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main()
