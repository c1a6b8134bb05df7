"""Run by `defaults.spawn_clean` in the child: give signals back, set limits, become the program.

It is executed by a Python of its own (`-I -S`), and imports nothing of ours. Arguments: the
descriptor to tell a failure to; uid, gid and groups, or `-`; the value that LC_CTYPE had, after
a `=`, or `-`; niceness, processors and limits (`defaults._limits`), or `-`; the executable; its
argv.
A failure is `errno:subject`, where `=` is the executable.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import os
import signal
from errno import EPERM


def main(words: list[str]) -> None:
    tell, uid, gid, groups, ctype, nice, cpus, limits, executable, *argv = words
    os.set_inheritable(int(tell), False)
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            pass  # SIGKILL, SIGSTOP, and what the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if ctype != "-":  # Python sets it where the locale is C
        os.environ["LC_CTYPE"] = ctype[1:]
    else:
        os.environ.pop("LC_CTYPE", None)
    prepare(int(tell), nice, cpus, limits)  # before we become somebody who may not
    try:
        if groups != "-":
            os.setgroups([int(one) for one in groups.split(",") if one])
        if gid != "-":
            os.setregid(int(gid), int(gid))
        if uid != "-":
            os.setreuid(int(uid), int(uid))
    except OSError as e:
        fail(int(tell), e, "")
    try:
        os.execv(executable, argv)
    except OSError as e:
        fail(int(tell), e, "=")


def prepare(tell: int, nice: str, cpus: str, limits: str) -> None:
    subject = "nice"
    try:
        if nice != "-":
            os.setpriority(os.PRIO_PROCESS, 0, int(nice))
        subject = "cpus"
        if cpus != "-" and sys.platform == "linux":
            os.sched_setaffinity(0, [int(one) for one in cpus.split(",")])
        if limits != "-":
            import resource

            for one in limits.split(","):
                name, number, *pair = one.split("=")
                subject = f"limits: {name}"
                soft, hard = (resource.RLIM_INFINITY if v == "-" else int(v) for v in pair)
                resource.setrlimit(int(number), (soft, hard))
    except (OSError, ValueError) as e:  # ValueError: Python's word for EINVAL and EPERM there
        fail(tell, e, subject)


def fail(tell: int, e: OSError | ValueError, subject: str) -> None:
    number = (e.errno or 0) if isinstance(e, OSError) else EPERM
    os.write(tell, f"{number}:{subject}".encode())
    os._exit(255)


if __name__ == "__main__":
    main(sys.argv[1:])
