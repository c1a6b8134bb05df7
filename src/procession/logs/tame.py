"""What a task may do to our terminal: colours and weights, nothing else. Pure.

A task's cursor moves, screen clearings, titles and progress bars would write over the lines of the
others, and over our own. Only the copy for the terminal is tamed; the log file has every byte.
Sources: ECMA-48 for control sequences, xterm's ctlseqs for OSC.
"""

from __future__ import annotations

import re

_WILD = (b"\x1b", b"\r", b"\b", b"\x0b", b"\x0c", b"\x0e", b"\x0f", b"\x07", b"\x05")

# SGR (colour, weight) is the one family that stays: CSI, digits and separators, `m`.
_SGR = rb"\x1b\[[0-9;:]*m"
_ESCAPES = re.compile(
    rb"(" + _SGR + rb")"
    rb"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=\n)|$)"  # OSC, DCS, SOS, PM, APC and their text
    rb"|\x1b\[[0-?]*[ -/]*[@-~]?"  # any other CSI, whole or broken off
    rb"|\x1b[ -/]*[0-~]?"  # two-byte and charset escapes, or a lone ESC
    rb"|[\x05\x07\x08\x0b\x0c\x0e\x0f]"
)
# Carriage returns: what the line showed last is what it says; CR LF is a plain line end.
_OVERWRITTEN = re.compile(rb"[^\n\r]*\r+(?=[^\n\r])")
_COLORED = re.compile(rb"\x1b\[[^\n]*")
_RESET = b"\x1b[0m"


def is_wild(block: bytes | bytearray) -> bool:
    """Might `block` do anything to a terminal but show text? Runs at the speed of memchr."""
    return any(byte in block for byte in _WILD)


def tame(lines: bytes) -> bytes:
    """Whole lines without what moves, clears, rings or renames; colours end with their line."""
    lines = _ESCAPES.sub(_keep_sgr, lines)
    lines = _OVERWRITTEN.sub(_colors_only, lines).replace(b"\r", b"")
    return _COLORED.sub(_reset, lines)


def _keep_sgr(match: re.Match[bytes]) -> bytes:
    return match[1] or b""


def _colors_only(match: re.Match[bytes]) -> bytes:
    """A colour set in what was overwritten still holds after it."""
    return b"".join(re.findall(_SGR, match[0]))


def _reset(match: re.Match[bytes]) -> bytes:
    text = match[0]
    return text if text.endswith((_RESET, b"\x1b[m")) else text + _RESET
