"""HTTP as a probe needs it: what is asked, what came back, whether that is well. Pure.

One request on a connection of its own, which ends with it (RFC 9110, RFC 9112). No redirect is
followed, no proxy asked, no content is decompressed: what is asked for is the plain answer of this
one server. `http.client` is not used: it blocks, its timeouts are those of single reads, so that a
server that drips would hold it for ever, and it takes 30 ms to import.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from procession.errors import quoted
from procession.patterns.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import HttpProbe

BODY = 1 << 20  # bytes of a body that are looked at; the rest is not read
HEAD = 64 * 1024  # bytes of all heads and trailers together, which no server needs
ALL = 8 * BODY  # bytes of an answer, with what is between its chunks
POLITE = 64 * 1024  # bytes of a body that nobody asked for, read so that the server sees no break
_PORTS = {"http": 80, "https": 443}
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_END_AT_MOST = 4  # bytes of it
_NO_HTTP = "what it answers is no HTTP/1"
_LONG_HEAD = f"its head is longer than {HEAD >> 10} KiB"


class Target:
    """Where a probe asks, and what. Raises ValueError, worded, for a URL that is none of http."""

    __slots__ = ("host", "port", "request", "secure")

    def __init__(self, probe: HttpProbe) -> None:
        url = urlsplit(probe.url)
        try:
            port = url.port
        except ValueError:
            port = -1
        if url.scheme not in _PORTS or not url.hostname or port == -1:
            raise ValueError(f"{quoted(probe.url)} is no http or https URL")
        self.secure = url.scheme == "https"
        self.host = url.hostname
        self.port = port or _PORTS[url.scheme]
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        # what a URL may not hold is escaped as browsers do it
        path = "".join(c if "!" <= c <= "~" else _escaped(c) for c in path)
        host = f"[{self.host}]" if ":" in self.host else self.host
        headers = {
            "Host": host if port in (None, _PORTS[url.scheme]) else f"{host}:{port}",
            "User-Agent": "procession",
            "Accept": "*/*",
        }
        if url.username is not None:
            login = f"{unquote(url.username)}:{unquote(url.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        given = {name.lower() for name, _ in probe.headers}
        lines = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in given]
        lines += [f"{name}: {value}" for name, value in probe.headers]
        lines += ["Accept-Encoding: identity", "Connection: close", "", ""]
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("a line break in a header would begin another")
        first = f"{probe.method} {path} HTTP/1.1"
        self.request = "\r\n".join([first, *lines]).encode("utf-8", "surrogateescape")


class BadAnswer(ValueError):  # noqa: N818 - what it is, in the words it is told by
    """What came is no answer of HTTP/1."""


class Answer:
    """What a server says, as it comes in. `wants_body`: the body is looked at, and worth a wait.

    It costs what its length does, however it is cut, and however small its chunks are.
    """

    def __init__(self, *, wants_body: bool, head_only: bool = False) -> None:
        self.status = 0
        self.body = bytearray()
        self.complete = False
        self._wants_body = wants_body
        self._head_only = head_only
        self._rest = bytearray()
        self._at = 0  # what is before it in the rest is done with
        self._searched = 0  # and before it no head ends
        self._heads = 0  # bytes of heads and trailers so far
        self._all = 0  # bytes
        self._length: int | None = None  # bytes of the body still to come; None: to the end
        self._chunked = False
        self._in_trailer = False

    def feed(self, data: bytes) -> bool:
        """Take what came; b"": the server said all. True once nothing more is needed.

        Raises BadAnswer for what is no HTTP, and for an answer that was cut off.
        """
        if self.complete:
            return True
        self._all += len(data)
        if self._all > ALL:
            raise BadAnswer(f"its answer is longer than {ALL >> 20} MiB")
        self._rest += data
        self._take(data)
        del self._rest[: self._at]
        self._at = 0
        self._searched = max(0, len(self._rest) - _END_AT_MOST + 1)
        return self.complete

    def _take(self, data: bytes) -> None:
        if not self.status and not self._take_head():
            if not data:
                raise BadAnswer("it closed the connection without an answer")
            return
        if not self.complete:
            self._take_chunks() if self._chunked else self._take_plain(ended=not data)
        if not data and not self.complete:
            raise BadAnswer("its answer was cut off")

    def _take_head(self) -> bool:
        """False: it has not come yet. An answer of 1xx is followed by another."""
        while True:
            end = _END_OF_HEAD.search(self._rest, max(self._at, self._searched))
            size = (len(self._rest) if end is None else end.start()) - self._at
            if not self._rest.startswith(b"HTTP/"[:size], self._at):
                raise BadAnswer(_NO_HTTP)
            if self._heads + size > HEAD:
                raise BadAnswer(_LONG_HEAD)
            if end is None:
                return False
            first, *lines = self._rest[self._at : end.start()].decode("latin-1").split("\n")
            self._heads += end.end() - self._at
            self._at = end.end()
            status = re.match(r"HTTP/1\.\d ([1-9]\d\d)(?:[ \r]|$)", first)
            if status is None:
                raise BadAnswer(_NO_HTTP)
            if not status[1].startswith("1") or status[1] == "101":
                self.status = int(status[1])
                self._begin_body(lines)
                return True

    def _begin_body(self, lines: list[str]) -> None:
        if self._head_only or self.status in (101, 204, 304):
            self.complete = True
            return
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "transfer-encoding" and value.lower().endswith("chunked"):
                self._chunked = True
            elif name == "content-length" and value.isascii() and value.isdigit():
                self._length = int(value[:20])
        if self._chunked:
            self._length = 0
        elif not self._wants_body and (self._length is None or self._length > POLITE):
            self.complete = True

    def _take_plain(self, *, ended: bool) -> None:
        taken = self._taken(len(self._rest) if self._length is None else self._length)
        self._keep(taken)
        if self._length is None:
            self.complete = self.complete or ended
        else:
            self._length -= len(taken)
            self.complete = self.complete or not self._length

    def _take_chunks(self) -> None:
        assert self._length is not None
        while not self.complete:
            if self._length:  # with the line break after it
                taken = self._taken(self._length)
                self._keep(taken[: max(0, self._length - 2)])
                self._length -= len(taken)
                if self._length:
                    break
            newline = self._rest.find(b"\n", self._at)
            size = (newline if newline >= 0 else len(self._rest)) - self._at
            if size + (self._heads if self._in_trailer else 0) > HEAD:
                raise BadAnswer(_LONG_HEAD)
            if newline < 0:
                break
            line = self._taken(size + 1)
            if self._in_trailer:
                self._heads += len(line)
                self.complete = not line.strip()
                continue
            digits = line.split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", digits):
                raise BadAnswer(_NO_HTTP)
            self._in_trailer = not int(digits, 16)
            self._length = 0 if self._in_trailer else int(digits, 16) + 2
        if not self._wants_body:  # it may go on for ever
            self.complete = True

    def _taken(self, size: int) -> bytes:
        """So much of the rest, or all that there is."""
        part = bytes(self._rest[self._at : self._at + size])
        self._at += len(part)
        return part

    def _keep(self, part: bytes) -> None:
        if self._wants_body:
            self.body += part[: BODY - len(self.body)]
            self.complete = len(self.body) >= BODY


def judged(probe: HttpProbe, answer: Answer) -> str:
    """What is wrong with a complete answer, as the end of a sentence; empty if nothing is."""
    if not any(low <= answer.status <= high for low, high in probe.status):
        return f"answered {answer.status}, expected {_ranges(probe.status)}"
    if probe.body is not None:
        text = answer.body.decode("utf-8", "replace")
        try:
            found = _pattern(probe.body).search(text)
        except (re.error, ValueError) as e:
            return f"{quoted(probe.body)} cannot be looked for: {e}"
        if not found:
            return f"answered {answer.status}, and {quoted(probe.body)} is not in what it said"
    return ""


@lru_cache(maxsize=64)
def _pattern(text: str) -> Pattern:
    """What an automaton has learned is of use in the next try, whoever makes it, in any thread."""
    return Pattern(text)


def _ranges(ranges: tuple[tuple[int, int], ...]) -> str:
    words = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
