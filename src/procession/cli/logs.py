"""`procession logs [-f] [TASK…]`: what tasks wrote."""

from __future__ import annotations

import os
import sys
import time

from procession.app import wants_color
from procession.cli.running import (
    EXIT,
    NobodyToAskError,
    NotRunningHereError,
    connect,
    none_of,
    parser_for,
    told_failure,
)
from procession.control.protocol import chosen
from procession.errors import HostError, ProcessionError, UsageError, one_line
from procession.logs.files import LogFolder
from procession.logs.follow import Follower
from procession.logs.palette import RESET, paint
from procession.logs.prefix import Prefixer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from procession.control.address import About
    from procession.control.client import Client

LINES = 100
STREAMS = ("stdout", "stderr")
PAUSE = 0.1  # seconds between two looks; files of other processes tell nobody that they grow
END_AFTER = 2.0  # seconds without news after which it is asked whether the project still runs


def main(words: Sequence[str]) -> int:
    said = "Print what tasks wrote, each line behind the name of its replica."
    parser = parser_for(
        "logs", said, f"-f follows, as tail(1) has it: the file is --file. {EXIT}", short=False
    )
    parser.add_argument("names", nargs="*", metavar="TASK", help="just these; all without any")
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="go on with what comes (elsewhere -f is the file)",
    )
    parser.add_argument(
        "-n",
        "--lines",
        metavar="N",
        type=_count,
        default=LINES,
        help=f"begin with the last N lines of each stream, or `all` (default: {LINES})",
    )
    parser.add_argument(
        "--log-dir",
        metavar="DIR",
        help="of a project that has ended: where `up --log-dir` put its logs",
    )
    parser.add_argument("--raw", action="store_true", help="let control sequences pass")
    parser.add_argument("--no-prefix", action="store_true", help="the lines alone")
    parser.add_argument("--no-color", action="store_true", help="no colour, also on a terminal")
    given = parser.parse_args(list(words))
    try:
        _refuse_files(given.names)
        try:
            client = connect(given.file, given.project)
        except (NotRunningHereError, NobodyToAskError) as e:
            return _last(given, e)
        try:
            folder = client.about.logs
            if folder is None:
                raise HostError(client.about.project, "it writes no log files")
            rows = client.replicas()["replicas"]
            streams = _chosen_streams(given, folder, rows, client.about)
            return _show(client, streams, given.lines, follow=given.follow)
        finally:
            client.close()
    except ProcessionError as e:
        return told_failure(e)
    except KeyboardInterrupt:
        return 130


def _refuse_files(names: Sequence[str]) -> None:
    """Elsewhere -f names a file, and no task is called like this."""
    for name in names:
        if "/" in name or name.lower().endswith((".yaml", ".yml")):
            do = f"-f means follow here; the file is given by `--file {one_line(name)}`"
            raise UsageError(one_line(name), "this is no name of a task", "", do)


def _last(given: argparse.Namespace, why: NotRunningHereError | NobodyToAskError) -> int:
    """Of one that does not run, or cannot be asked: what its last run left."""
    from procession.cli.last_logs import last_run, told

    kept, place = last_run(given.log_dir, given.file, given.project)
    asked = isinstance(why, NotRunningHereError)
    if kept is None:
        none = f"no logs of it are kept in {one_line(place)}"
        if not asked:
            raise NobodyToAskError("logs", none, "", str(why)) from why
        raise NotRunningHereError(f"{why}; and {none} (--log-dir: where `up --log-dir` put them)")
    streams = _chosen_streams(given, kept.folder, kept.rows(), None)
    words = told(kept, time.time()) if asked else f"{why}; its last logs: {one_line(kept.folder)}"
    sys.stderr.write(f"procession: {words}\n")
    return _show(None, streams, given.lines, follow=False)


def _chosen_streams(
    given: argparse.Namespace,
    folder: str,
    rows: Sequence[Mapping[str, Any]],
    about: About | None,
) -> list[_Stream]:
    try:
        names = [str(row["name"]) for row in chosen(rows, given.names)]
    except KeyError as e:
        raise none_of(e.args[0], rows, about) from None
    tame = not given.raw and os.isatty(1)
    color = wants_color(False if given.no_color else None, 1)
    return _streams(folder, names, given.no_prefix, tame=tame, color=color)


def _count(text: str) -> int | None:
    import argparse

    if text == "all":
        return None
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines, and not `all`")
    return int(text)


class _Stream:
    def __init__(self, path: str, prefix: bytes, *, tame: bool) -> None:
        self.follower = Follower(path)
        self._prefix = prefix
        self._prefixer = Prefixer(raw=not tame)

    def read(self) -> bytes | None:
        """Lines to print, which may be none yet; None: there is no more for now."""
        block = self.follower.read()
        return self._prefixer.feed(block, self._prefix) if block else None

    def rest(self) -> bytes:
        """A line that has no end yet."""
        return self._prefixer.flush(self._prefix)


def _streams(
    folder: str, names: Sequence[str], bare: bool, *, tame: bool, color: bool
) -> list[_Stream]:
    width = max(map(len, names), default=0)
    found: list[_Stream] = []
    for number, name in enumerate(names):
        prefix = b"" if bare else f"{name.ljust(width)} | ".encode()
        if color and prefix:
            prefix = paint(number) + prefix + RESET
        for which in STREAMS:
            path = os.path.join(folder, LogFolder.file_of(name, which))
            found.append(_Stream(path, prefix, tame=tame))
    return found


def _show(
    client: Client | None, streams: Sequence[_Stream], lines: int | None, *, follow: bool
) -> int:
    out = sys.stdout.buffer
    try:
        for stream in streams:
            stream.follower.from_the_last(lines)
            _pour(out.write, stream)
        out.flush()
        quiet_since = time.monotonic()
        while follow:
            moved = [_pour(out.write, stream) for stream in streams]
            now = time.monotonic()
            if any(moved):
                out.flush()
                quiet_since = now
            elif now - quiet_since > END_AFTER:
                if client is None or not client.is_alive:
                    break
                quiet_since = now
            else:
                time.sleep(PAUSE)
        for stream in streams:
            out.write(stream.rest())
        out.flush()
    except BrokenPipeError:
        null = os.open(os.devnull, os.O_WRONLY)  # the interpreter flushes once more
        os.dup2(null, 1)
        os.close(null)
    finally:
        for stream in streams:
            stream.follower.close()
    return 0


def _pour(write: Callable[[bytes], object], stream: _Stream) -> bool:
    """All there is now; whether that was anything."""
    moved = False
    while (text := stream.read()) is not None:
        write(text)
        moved = True
    return moved
