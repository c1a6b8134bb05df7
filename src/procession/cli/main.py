"""`procession VERB …`: finds the verb, and turns the user's mistakes into one clear line."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERBS = (
    "up", "run", "ps", "start", "stop", "restart", "down", "why", "logs", "wait",
    "check", "graph", "schema", "init", "doctor",
)  # fmt: skip

HELP = """\
usage: procession [up] [options]

Launches, supervises and gracefully stops processes, and never loses one.

Write what belongs together into one file, procession.yaml:

    tasks:
      web:
        program: python3
        args: -u -m http.server 8000
        restart: on-failure
      worker:
        program: ./worker.sh
        environment: {QUEUE: fast}
        stop: {signal: SIGINT, timeout: 5s}

and start it all, in order, with `procession` in that folder. Ctrl-C stops all
of it gracefully; a second one stops waiting. Nothing is left behind, even if
one of procession's two processes is killed.

verbs:
  up           run a project; the same as no verb at all (procession up --help)
  run          run one command, and leave nothing of it behind
  ps           show what runs, and how it is
  start, stop, restart
               have tasks of a running project started, stopped, both
  down         stop a running project, and wait until it has ended
  why          say how a task is, why, and what came before
  logs         print what tasks wrote; -f goes on with what comes
  wait         wait until tasks are ready, or have ended
  check        tell every problem of the file, or (--show) what the file means
  graph        draw who needs whom: text, Graphviz, Mermaid
  schema       print the file's JSON Schema, for editors
  init         write a project file to begin with, or make one of a Procfile
  doctor       what this host gives, what it cannot catch, how to get better

options:
  -h, --help   this text
  --version    the version

Exit status of up: 0 when a stop was asked for or all tasks ended well; the
status of a quit-on-terminate task, or of the first task that failed; 1 when
procession itself failed; 2 for a mistake in the file or on the command line.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name; None: sys.argv). Exit status."""
    prepare(own_process=argv is None)
    from procession.errors import ProcessionError

    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except ProcessionError as e:
        sys.stderr.write(f"procession: {e}\n")
        return 1


def _run(words: list[str]) -> int:
    if words and words[0] in ("-h", "--help", "help"):
        return _print(HELP)
    if words and words[0] in ("--version", "-V"):
        from procession import __version__

        return _print(f"procession {__version__}\n")
    verb = "up"
    if words and not words[0].startswith("-"):
        verb = words.pop(0)
        if verb not in VERBS:
            return _unknown(verb)
    return _main_of(verb)(words)


def _print(text: str) -> int:
    from procession.cli.printing import print_out

    print_out(text)
    return 0


def prepare(*, own_process: bool) -> None:
    """What every command line needs before anything else: its streams, and a quiet Ctrl-C."""
    if own_process:
        _end_quietly_on_interrupt()
    _open_streams()


def _main_of(verb: str) -> Callable[[Sequence[str]], int]:
    """Where a verb begins; no verb pays for the imports of another."""
    if verb == "check":
        from procession.cli.check import main as begin
    elif verb == "run":
        from procession.cli.run import main as begin
    elif verb == "doctor":
        from procession.cli.doctor import main as begin
    elif verb == "graph":
        from procession.cli.graph import main as begin
    elif verb == "schema":
        from procession.cli.schema import main as begin
    elif verb == "ps":
        from procession.cli.ps import main as begin
    elif verb == "why":
        from procession.cli.why import main as begin
    elif verb == "logs":
        from procession.cli.logs import main as begin
    elif verb in ("start", "stop", "restart", "down", "wait"):
        from procession.cli import wishes

        begin = {
            "start": wishes.start,
            "stop": wishes.stop,
            "restart": wishes.restart,
            "down": wishes.down,
            "wait": wishes.wait,
        }[verb]
    elif verb == "init":
        from procession.cli.init import main as begin
    else:
        from procession.cli.usual import main as begin
    return begin


def _end_quietly_on_interrupt() -> None:
    """Until somebody listens, a Ctrl-C ends us as it ends other programs: without a traceback."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_streams() -> None:
    """Give a closed standard stream to null.

    A daemon's child, or `>&-` in a shell, begins without them; the first files opened would get
    their numbers, and our words and the tasks' lines would land in those.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - ours until the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - ours until the end


def _unknown(verb: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(verb, VERBS, 1)
    hint = (
        f"did you mean `procession {near[0]}`?" if near else "`procession --help` lists the verbs"
    )
    sys.stderr.write(f"procession: {verb!r} is no verb; {hint} (a file is given by -f FILE)\n")
    return 2
