"""What a task may do to our terminal: colours and weights, nothing else. Pure.

A task's cursor moves, screen clearings, titles and progress bars would write over the lines of the
others, and over our own. Only the copy for the terminal is tamed; the log file has every byte.
Sources: ECMA-48 for control sequences, xterm's ctlseqs for OSC.

The controls of C1 are two bytes in UTF-8, and what ESC begins has a twin there: CSI is `ESC [` or
U+009B. (As single bytes they are no UTF-8, which a terminal does not obey.)
"""

from __future__ import annotations

import re

_WILD = (b"\x1b", b"\r", b"\b", b"\x0b", b"\x0c", b"\x0e", b"\x0f", b"\x07", b"\x05")
# C1; or what may become one in the next block
_WILD_PAIR = re.compile(rb"\xc2(?:[\x80-\x9f]|\Z)")
# in the place of a first byte whose next, once what stands between is taken away, could make C1
_LOST = "\N{REPLACEMENT CHARACTER}".encode()

# SGR (colour, weight) is the one family that stays: CSI, digits and separators, `m`.
_SGR = re.compile(rb"\x1b\[[0-9;:]*m")
# Every alternative is linear: possessive where a run could be given back byte by byte, and no
# search that could begin again at each byte of a line (a 64 KiB line would hold the GIL for a
# minute, and with it the engine).
_ESCAPES = re.compile(
    rb"(?:\x1b\[|\xc2\x9b)([0-9;:]*+m)"
    rb"|(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])"  # OSC, DCS, SOS, PM, APC
    rb"(?:[^\x07\x1b\n\xc2]++|\xc2(?!\x9c))*+(?:\x07|\x1b\\|\xc2\x9c)?"  # and their text
    rb"|(?:\x1b\[|\xc2\x9b)[0-?]*+[ -/]*+[@-~]?"  # any other CSI, whole or broken off
    rb"|\xc2[\x80-\x9f]"
    rb"|(\xc2)(?=[\x05\x07\x08\x0b\x0c\x0e\x0f\x1b]|\xc2[\x80-\x9f])"
    rb"|\x1b[ -/]*+[0-~]?"  # two-byte and charset escapes, or a lone ESC
    rb"|[\x05\x07\x08\x0b\x0c\x0e\x0f]++"
)
_RESET = b"\x1b[0m"


def is_wild(block: bytes | bytearray) -> bool:
    """Might `block` do anything to a terminal but show text? Runs at the speed of memchr."""
    if any(byte in block for byte in _WILD):
        return True
    return b"\xc2" in block and _WILD_PAIR.search(block) is not None


def tame(lines: bytes) -> bytes:
    """Whole lines without what moves, clears, rings or renames; colours end with their line."""
    lines = _ESCAPES.sub(_kept, lines)
    if b"\r" not in lines and b"\x1b" not in lines:
        return lines
    return b"\n".join(map(_tame_line, lines.split(b"\n")))


def _kept(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return b"\x1b[" + match[1]
    return _LOST if match[2] else b""


def _tame_line(line: bytes) -> bytes:
    """What a line showed last is what it says (CR LF is a plain line end); a colour set in what
    was overwritten still holds after it."""
    if b"\r" in line:
        overwritten, _, line = line.rstrip(b"\r").rpartition(b"\r")
        line = b"".join(_SGR.findall(overwritten)) + line
    if b"\x1b" in line and not line.endswith((_RESET, b"\x1b[m")):
        line += _RESET
    return line
