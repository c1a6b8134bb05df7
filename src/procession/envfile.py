"""Env-files: NAME=VALUE lines into variables.

The form, as python-dotenv parses it, without its replacing of `${NAME}`
- UTF-8, a byte order mark or none, lines that end in LF or CR LF, 1 MiB at most.
- One NAME=VALUE a line, blanks around both and a leading `export` left out. Blank lines, and lines
  that begin with `#`, say nothing.
- A bare value ends at ` #`, where a comment begins. In single or double quotes it may hold
  anything, line ends too; in double quotes `\\n`, `\\t`, `\\"` and the like stand for what they do
  in C, in single quotes `\\'` and `\\\\` alone.
- Nothing is replaced: `${NAME}` and `$NAME` are what the program gets, passwords included.
- The last of several lines for one name counts.
- Anything else is wrong, a NAME without `=` too: it would quietly change nothing.

A FIFO, where a vault writes secrets, is read too.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from procession._record import Record
from procession.errors import quoted

_MAX_BYTES = 1024 * 1024
_WRITER_SECONDS = 5.0  # how long a FIFO's writer may take: a vault may ask its user first


class Wrong(Record):
    """What keeps an env-file, or a line of it, from being read. Never repeats what it says."""

    what: str
    expected: str
    line: int = 0  # from 1; 0: it is the file itself
    column: int = 1


def read_env_file(path: str) -> tuple[dict[str, str], list[Wrong]]:
    """The variables of an env-file, and every line of it that cannot be read.

    Messages hold no line of the file: there are passwords in it. Waits at most 5 s for the
    writer of a FIFO.
    """
    try:
        data = _bytes_of(path)
        if len(data) > _MAX_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {_MAX_BYTES // 2**20} MiB")
    except OSError as error:
        reason = error.strerror or str(error)
        what = "does not exist" if error.errno == errno.ENOENT else f"cannot be read: {reason}"
        return {}, [Wrong(f"{quoted(path)} {what}", "a file of NAME=VALUE lines")]
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return {}, [_no_text(data[: error.start].decode(), what)]
    if "\0" in text:
        return {}, [_no_text(text[: text.index("\0")], "a NUL byte")]
    return _parsed(text)


def _parsed(text: str) -> tuple[dict[str, str], list[Wrong]]:
    from io import StringIO

    from dotenv.parser import parse_stream  # 40 ms with what it imports, for those who use it

    values: dict[str, str] = {}
    wrong: list[Wrong] = []
    for binding in parse_stream(StringIO(text, newline="")):
        name = binding.key
        if binding.error or (name is not None and (not name or name.split() != [name])):
            what, expected = "a line that cannot be read", "NAME=VALUE, quotes closed"
        elif name is not None and binding.value is None:
            what, expected = "a line without `=`", "NAME=VALUE, or `#` before a comment"
        else:
            if name is not None and binding.value is not None:
                values[name] = binding.value
            continue
        line, column = _place(binding.original.string, binding.original.line)
        wrong.append(Wrong(what, expected, line, column))
    return values, wrong


def _place(statement: str, line: int) -> tuple[int, int]:
    """Where a statement, with the blank lines above it, says something."""
    blank = statement[: len(statement) - len(statement.lstrip())]
    lines = blank.count("\n") + blank.count("\r") - blank.count("\r\n")
    return line + lines, len(blank) - max(blank.rfind("\n"), blank.rfind("\r"))


def _no_text(before: str, what: str) -> Wrong:
    lines = (before + "^").splitlines()
    return Wrong(what, "text in UTF-8", len(lines), len(lines[-1]))


def _bytes_of(path: str) -> bytes:
    """The file's content, or a little more than the limit of it. Raises OSError."""
    # without O_NONBLOCK the open itself waits for a FIFO's writer, for ever
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISFIFO(mode):
            return _bytes_of_fifo(fd)
        if not stat.S_ISREG(mode) and path != os.devnull:
            raise OSError(errno.EINVAL, "it is a folder" if stat.S_ISDIR(mode) else "it is no file")
        data = b""
        while len(data) <= _MAX_BYTES and (block := os.read(fd, _MAX_BYTES + 1)):
            data += block
        return data
    finally:
        os.close(fd)


def _bytes_of_fifo(fd: int) -> bytes:
    if sys.platform == "win32":
        raise AssertionError("Windows has no such files")
    import select
    import time

    poller = select.poll()
    poller.register(fd, select.POLLIN)
    until = time.monotonic() + _WRITER_SECONDS
    data = b""
    # Linux reports no hang-up before there was a writer: the poll waits for the first
    while poller.poll(max(0.0, until - time.monotonic()) * 1000):
        block = os.read(fd, 65536)
        data += block
        if not block or len(data) > _MAX_BYTES:
            return data
    raise OSError(errno.ETIMEDOUT, f"its writer took more than {_WRITER_SECONDS:g} s")
