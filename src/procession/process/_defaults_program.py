"""Run by `defaults.spawn_clean` in the child: give signals back, become the program.

It is executed by a Python of its own (`-I -S`), and imports nothing of ours. Arguments: the
descriptor to tell a failure to; uid, gid and groups, or `-`; the value that LC_CTYPE had, after
a `=`, or `-`; the executable; its argv.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import os
import signal


def main(words: list[str]) -> None:
    tell, uid, gid, groups, ctype, executable, *argv = words
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
    try:
        if groups != "-":
            os.setgroups([int(one) for one in groups.split(",") if one])
        if gid != "-":
            os.setregid(int(gid), int(gid))
        if uid != "-":
            os.setreuid(int(uid), int(uid))
    except OSError as e:
        os.write(int(tell), b"%d:0" % (e.errno or 0))
        os._exit(255)
    try:
        os.execv(executable, argv)
    except OSError as e:
        os.write(int(tell), b"%d:1" % (e.errno or 0))
        os._exit(255)


if __name__ == "__main__":
    main(sys.argv[1:])
