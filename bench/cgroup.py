"""Ways for a child to be in a control group (version 2) before it executes anything.

Each case starts a program that does nothing in a new leaf below our own group, waits for its end,
and removes the leaf. `move` puts this process into the leaf, spawns, and goes back: what has more
than one thread must not do that, since all of its threads move; `procession` is that as the
supervisor does it, with all its checks. `helper` asks a process that has
one thread to do the same. `trampoline` executes a shell that joins and then executes the program.
`clone3` creates the child inside (CLONE_INTO_CGROUP). Needs a version 2 hierarchy whose part we are
in is ours to divide. The decision that rests on it: docs/decisions/0009.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _support import arguments, interleaved, table
from _up import compiled

from procession.process import _spawn_posix
from procession.process._cgroup_linux import claim
from procession.process._delegation_linux import divisible
from procession.process._kernel_texts import cgroup
from procession.process.command import Command

SYS_CLONE3 = 435  # on every architecture but alpha
CLONE_INTO_CGROUP = 0x200000000
JOIN = 'echo $$ >"$1" && shift && exec "$@"'


def own_group() -> Path:
    """Our own group's folder, after it was found to be ours to divide."""
    found = cgroup(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    if found is None or not found.folder or not os.access(found.folder, os.W_OK):
        print("not measured: there is no version 2 control group that is ours to divide")
        sys.exit()
    return Path(found.folder)


def join(group: Path, pid: int = 0) -> None:
    fd = os.open(group / "cgroup.procs", os.O_WRONLY)
    try:
        os.write(fd, str(pid).encode())
    finally:
        os.close(fd)


class CloneArgs(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in "flags pidfd child_tid parent_tid exit_signal stack stack_size tls "
        "set_tid set_tid_size cgroup".split()
    ]


class Ways:
    """Each method starts the program in `leaf` (or, `plain`, anywhere), and returns its pid."""

    def __init__(self, program: str, own: Path) -> None:
        self.own = own
        self.program = program
        self.command = Command((program,), program)
        found = divisible()
        groups = None if found is None else claim(found)
        if groups is None:
            raise RuntimeError("our own group is not ours to divide")
        self.groups = groups
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._ask, self._answer, self.helper = self._start_helper()

    def plain(self, leaf: Path) -> int:
        return _spawn_posix.spawn_fork_exec(self.command).pid

    def move(self, leaf: Path) -> int:
        join(leaf)
        try:
            return self.plain(leaf)
        finally:
            join(self.own)

    def product(self, leaf: Path) -> int:
        """With a leaf of its own, which is removed when it has ended."""
        cookie = f"{leaf.name}.1"
        pid = self.groups.born_in(cookie, lambda: self.plain(leaf))
        os.waitpid(pid, 0)
        self.groups.leaf(cookie).remove()
        return 0

    def trampoline(self, leaf: Path) -> int:
        words = ("sh", "-c", JOIN, "sh", str(leaf / "cgroup.procs"), self.program)
        return _spawn_posix.spawn_fork_exec(Command(words, "/bin/sh")).pid

    def preexec(self, leaf: Path) -> int:
        fd = os.open(leaf / "cgroup.procs", os.O_WRONLY)
        try:
            child = subprocess.Popen(
                [self.program],
                start_new_session=True,
                preexec_fn=lambda: os.write(fd, b"0"),  # noqa: PLW1509 - one of the ways measured
            )
        finally:
            os.close(fd)
        child.returncode = 0  # it is reaped by pid, as the others are
        return child.pid

    def clone3(self, leaf: Path) -> int:
        fd = os.open(leaf, os.O_RDONLY | os.O_DIRECTORY)
        try:
            asked = CloneArgs(flags=CLONE_INTO_CGROUP, exit_signal=signal.SIGCHLD, cgroup=fd)
            pid: int = self._libc.syscall(SYS_CLONE3, ctypes.byref(asked), ctypes.sizeof(asked))
            if pid == 0:
                try:
                    os.setsid()
                    os.execv(self.program, [self.program])
                finally:
                    os._exit(127)
            if pid < 0:
                raise OSError(ctypes.get_errno(), "clone3")
            return pid
        finally:
            os.close(fd)

    def afterwards(self, leaf: Path) -> int:
        """Too late for what forks at once: here for its price alone."""
        pid = self.plain(leaf)
        try:
            join(leaf, pid)
        except ProcessLookupError:
            pass  # it has ended already
        return pid

    def by_helper(self, leaf: Path) -> int:
        """The helper is its parent, waits for it, and answers with its end."""
        os.write(self._ask, f"{leaf}\n".encode())
        if os.read(self._answer, 1) != b".":
            raise RuntimeError("the helper failed")
        return 0

    def _start_helper(self) -> tuple[int, int, int]:
        asks_r, asks_w = os.pipe()
        answers_r, answers_w = os.pipe()
        pid = os.fork()
        if pid:
            os.close(asks_r)
            os.close(answers_w)
            return asks_w, answers_r, pid
        try:
            os.close(asks_w)
            os.close(answers_r)
            while line := os.read(asks_r, 4096):
                os.waitpid(self.move(Path(line.decode().strip())), 0)
                os.write(answers_w, b".")
        finally:
            os._exit(0)

    def close(self) -> None:
        self.groups.close()
        os.close(self._ask)
        os.close(self._answer)
        os.waitpid(self.helper, 0)


def timed(way: Callable[[Path], int], own: Path, count: int, leaves: bool, rest: float) -> float:
    """Seconds for `count` of them, one after the other, leaf and all, but for the rest before."""
    took = 0.0
    for number in range(count):
        time.sleep(rest)
        began = time.perf_counter()
        leaf = own / f"procession-bench-{os.getpid()}-{number}"
        if leaves:
            leaf.mkdir()
        try:
            pid = way(leaf)
            if pid:
                os.waitpid(pid, 0)
        finally:
            if leaves:
                leaf.rmdir()
        took += time.perf_counter() - began
    return took


def main() -> None:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--count", type=int, default=50, help="processes a round (default: 50)")
    parser.add_argument(
        "--rest",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="before each start: the first move after a while waits for a grace period of RCU",
    )
    parser.add_argument("--ballast", type=int, default=0, metavar="MB", help="memory to hold")
    options = parser.parse_args()
    own = own_group()
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("nothing", Path(folder)) if shutil.which("cc") else "/bin/true"
        ways = Ways(program, own)  # the helper forks while this process is small
        held = bytearray(b"\1") * (options.ballast << 20)
        cases = {
            "no control group": (ways.plain, False),
            "a leaf, and nobody in it": (ways.plain, True),
            "move in, spawn, move back": (ways.move, True),
            "the same by procession": (ways.product, False),
            "the same by a helper": (ways.by_helper, True),
            "shell trampoline": (ways.trampoline, True),
            "preexec_fn": (ways.preexec, True),
            "clone3 in Python": (ways.clone3, True),
            "afterwards (racy)": (ways.afterwards, True),
        }
        try:
            figures = interleaved(
                {
                    name: lambda way=way, leaves=leaves: timed(
                        way, own, options.count, leaves, options.rest
                    )
                    for name, (way, leaves) in cases.items()
                },
                options.rounds,
            )
        finally:
            ways.close()
    base = figures["no control group"]
    table(
        f"{options.count} starts to their reaping, {len(held) >> 20} MB held, "
        f"{options.rest:g} s of rest before each",
        ["", "ms each", "times no control group"],
        [
            (name, figure.show(3, 1000 / options.count), figure.over(base).show())
            for name, figure in figures.items()
        ],
    )


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/cgroup.py: control groups are Linux's")
    main()
