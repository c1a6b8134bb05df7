"""What a task may do to our terminal: colours and weights, nothing else. Pure.

A task's cursor moves, screen clearings, titles and progress bars would write over the lines of the
others, and over our own. Only the copy for the terminal is tamed; the log file has every byte.
Sources: ECMA-48 for control sequences, xterm's ctlseqs for OSC.
"""

from __future__ import annotations

import re

_WILD = (b"\x1b", b"\r", b"\b", b"\x0b", b"\x0c", b"\x0e", b"\x0f", b"\x07", b"\x05")

# SGR (colour, weight) is the one family that stays: CSI, digits and separators, `m`.
_SGR = re.compile(rb"\x1b\[[0-9;:]*m")
# Every alternative is linear: possessive where a run could be given back byte by byte, and no
# search that could begin again at each byte of a line (a 64 KiB line would hold the GIL for a
# minute, and with it the engine).
_ESCAPES = re.compile(
    rb"(\x1b\[[0-9;:]*+m)"
    rb"|\x1b[\]PX^_][^\x07\x1b\n]*+(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC and their text
    rb"|\x1b\[[0-?]*+[ -/]*+[@-~]?"  # any other CSI, whole or broken off
    rb"|\x1b[ -/]*+[0-~]?"  # two-byte and charset escapes, or a lone ESC
    rb"|[\x05\x07\x08\x0b\x0c\x0e\x0f]++"
)
_RESET = b"\x1b[0m"


def is_wild(block: bytes | bytearray) -> bool:
    """Might `block` do anything to a terminal but show text? Runs at the speed of memchr."""
    return any(byte in block for byte in _WILD)


def tame(lines: bytes) -> bytes:
    """Whole lines without what moves, clears, rings or renames; colours end with their line."""
    lines = _ESCAPES.sub(_keep_sgr, lines)
    if b"\r" not in lines and b"\x1b" not in lines:
        return lines
    return b"\n".join(map(_tame_line, lines.split(b"\n")))


def _keep_sgr(match: re.Match[bytes]) -> bytes:
    return match[1] or b""


def _tame_line(line: bytes) -> bytes:
    """What a line showed last is what it says (CR LF is a plain line end); a colour set in what
    was overwritten still holds after it."""
    if b"\r" in line:
        overwritten, _, line = line.rstrip(b"\r").rpartition(b"\r")
        line = b"".join(_SGR.findall(overwritten)) + line
    if b"\x1b" in line and not line.endswith((_RESET, b"\x1b[m")):
        line += _RESET
    return line
