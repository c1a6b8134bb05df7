"""Draws what a command shows on a terminal: `python tools/terminal_picture.py OUT.svg -- CMD…`.

Runs CMD in a pseudo-terminal, reads its output to the end, and writes an SVG with its colours.
Only lines, and the colours and weights of SGR sequences, are understood: enough for a log.
"""

from __future__ import annotations

import os
import pty
import re
import sys
from html import escape
from pathlib import Path

COLUMNS, CHAR, LINE, PAD = 92, 8.4, 19, 14
COLORS = {
    31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#56d4dd",
    37: "#e6edf3", 90: "#8b949e", 91: "#ffa198", 92: "#aff5b4", 93: "#f8e3a1", 94: "#a5d6ff",
    95: "#e2c5ff", 96: "#b3f0ff",
}  # fmt: skip
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def output_of(command: list[str]) -> str:
    parts: list[bytes] = []

    def read(fd: int) -> bytes:
        data = os.read(fd, 65536)
        parts.append(data)
        return data

    status = pty.spawn(command, read, lambda fd: b"")
    if status != 0:
        raise SystemExit(f"{command[0]} ended with status {status}: no picture")
    return b"".join(parts).decode(errors="replace").replace("\r\n", "\n")


def spans(line: str) -> str:
    drawn, style, at = "", "", 0
    for match in [*SGR.finditer(line), None]:
        text = line[at : match.start() if match else len(line)]
        if text:
            drawn += f"<tspan{style}>{escape(text)}</tspan>"
        if match:
            at = match.end()
            codes = [int(code or 0) for code in match[1].split(";")]
            style = style_of(codes)
    return drawn


def style_of(codes: list[int]) -> str:
    color = next((COLORS[code] for code in codes if code in COLORS), "")
    if 38 in codes and 5 in codes:
        color = color_256(codes[-1])
    weight = ' font-weight="bold"' if 1 in codes else ""
    return (f' fill="{color}"' if color else "") + weight


def color_256(n: int) -> str:
    if n < 16:
        return COLORS.get(30 + n if n < 8 else 82 + n, "#e6edf3")
    if n >= 232:
        level = 8 + (n - 232) * 10
        return f"#{level:02x}{level:02x}{level:02x}"
    n -= 16
    levels = [0, 95, 135, 175, 215, 255]
    return "#" + "".join(f"{levels[i]:02x}" for i in (n // 36, n // 6 % 6, n % 6))


def picture(text: str, title: str) -> str:
    lines = [f"$ {title}", *text.rstrip("\n").split("\n")]
    width = int(COLUMNS * CHAR + 2 * PAD)
    height = len(lines) * LINE + 2 * PAD
    rows = "\n".join(
        f'<text x="{PAD}" y="{PAD + LINE * (i + 1) - 5}" xml:space="preserve">{spans(line)}</text>'
        for i, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{rows}\n</svg>\n'
    )


def main() -> int:
    out, dashes, *command = sys.argv[1:]
    if dashes != "--" or not command:
        raise SystemExit(__doc__)
    title = os.environ.get("TITLE", " ".join(command))
    Path(out).write_text(picture(output_of(command), title))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
