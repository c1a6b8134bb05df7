"""A small supervisor under the guardian, for tests of the guardian.

    tree_guarded.py END TREE... [key=value...]

TREE is `NAME:PROGRAM[,ARG...]`, a program of this folder; `NAME!SIGNAL` or `NAME!SIGNAL@GRACE`
posts another stop signal and grace than SIGTERM and 60 s. It says `supervisor PID` and
`guardian PID`, starts the trees, and says `up` when as many lines came as `lines=` says (they all
write to our stdout themselves). Then:

    wait     says `heard NAME typed|sent` for each signal; TERM or a lost guardian end it
    return   returns at once: what lives is left behind        status=N: with this status
    leave    as return, after posting that each run is left
    raise    raises       exit    SystemExit       exit-words  SystemExit with words
    vanish   os._exit(0), not orderly               stuck       hears nothing, for ever

Keys: crash_grace, forced_wait (seconds), older=1 (a child before the guardian, and an orphan of
its), close=FDS closed before all, chld=ignore, quiet=1 (the trees have no stdout).
"""

import os
import select
import signal
import sys

from procession.process import _guardian_posix
from procession.process.command import Command
from procession.process.guardian import GuardianGone, guard
from procession.process.handle import signal_name, signal_number
from procession.process.spawn import clean_signals, spawn
from procession.process.tree import Trees

HERE = os.path.dirname(os.path.abspath(__file__))


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def start(trees, link, word, quiet):
    name, _, program = word.partition(":")
    name, _, stop = name.partition("!")
    number, _, grace = (stop or "SIGTERM@60").partition("@")
    program, *args = program.split(",")
    cookie = f"guarded.{os.getpid()}.{name}"
    link.begins(cookie, signal_number(number), float(grace or 60))
    argv = (sys.executable, "-I", "-S", os.path.join(HERE, program + ".py"), *args)
    env = {**os.environ, "PROCESSION_RUN": cookie}
    handle = spawn(Command(argv, sys.executable, env=env, stdout=None if quiet else 1))
    link.started(cookie, handle.pid)
    return cookie, handle, trees.plant(name, cookie, handle)


def main(link):
    link.listening()
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    os.set_blocking(reads, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda signo, frame: say("direct", signal_name(signo)))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    assert not clean_signals()
    trees = Trees()
    trees.prepare()
    say("supervisor", os.getpid())
    say("guardian", os.getppid())
    runs = [start(trees, link, word, "quiet" in keys) for word in words]
    say("up")
    if end == "stuck":
        while True:
            signal.pause()
    if end == "wait":
        hear(link, trees, reads)
        for _, _, tree in runs:
            tree.signal(signal.SIGTERM)
        while not all(tree.is_empty() for _, _, tree in runs):
            if not select.select([reads], [], [], 1.0)[0]:
                for _, _, tree in runs:
                    tree.kill()
            trees.scan()
        for cookie, _, tree in runs:
            tree.finish()
            link.ended(cookie)
    if end == "raise":
        raise RuntimeError("out of cheese")
    if end == "exit":
        raise SystemExit(int(keys.get("status", "3")))
    if end == "exit-words":
        raise SystemExit("no cheese at all")
    if end == "vanish":
        os._exit(0)
    if end == "leave":
        for cookie, _, _ in runs:
            link.leaves(cookie)
    return int(keys.get("status", "0"))


def hear(link, trees, reads):
    while True:
        ready = select.select([link.fd, reads], [], [])[0]
        if reads in ready:
            os.read(reads, 4096)
            trees.scan()
        for heard in link.read() if link.fd in ready else ():
            if isinstance(heard, GuardianGone):
                say("guardian gone")
                return
            typed = {True: "typed", False: "sent", None: "unknown"}[heard.typed]
            say("heard", signal_name(heard.signal), typed)
            if heard.signal == signal.SIGTERM:
                return


end, *rest = sys.argv[1:]
words = [word for word in rest if ":" in word]
keys = dict(word.split("=") for word in rest if ":" not in word)
for fd in keys.get("close", ""):
    os.close(int(fd))
if keys.get("chld") == "ignore":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if "older" in keys:
    older = os.fork()
    if older == 0:
        if os.fork() == 0:
            os.execv("/bin/sleep", ["sleep", "1000"])
        while True:
            signal.pause()
    say("older", older)
if "forced_wait" in keys:
    _guardian_posix.FORCED_WAIT = float(keys["forced_wait"])
os._exit(guard(main, crash_grace=float(keys.get("crash_grace", "1"))))
