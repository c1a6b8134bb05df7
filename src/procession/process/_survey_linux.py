"""The Linux part of `survey`: what the kernel, /proc and the control groups say."""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import host
from procession.process._delegation_linux import SWITCH, divisible, may_divide, may_kill
from procession.process._delegation_linux import text_of as _text
from procession.process._kernel_texts import cgroup, hidepid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.process.survey import Fact

OK, LIMITED, MISSING = "ok", "limited", "missing"
PIPE_PAGES = 16384  # the kernel's own default of pipe-user-pages-soft: 64 MiB


def facts() -> list[Fact]:
    return [_proc(), _children(), _subreaper(), _pidfd(), _cgroup(), _pids(), _pipes(), _ptrace()]


def outside() -> tuple[str, ...]:
    """What closes the blind cells from outside."""
    found = []
    if os.geteuid() == 0 or _text("/proc/sys/user/max_user_namespaces").strip() not in ("", "0"):
        found.append(
            "as the first process of a pid namespace nothing can outlive procession, not even its "
            f"own SIGKILL: {_unshare()}procession run -- COMMAND"
        )
    return tuple(found)


def _unshare() -> str:
    user = "" if os.geteuid() == 0 else "--user --map-current-user "
    return f"unshare {user}--pid --fork --kill-child --mount-proc "


def _fact(
    key: str, state: str, value: str, means: str = "", better: str = "", *, needed: bool = True
) -> Fact:
    from procession.process.survey import Fact

    return Fact(key, state, value, means, better, needed)


# --- what is asked of the kernel -------------------------------------------------------------


def _proc() -> Fact:
    if not host.has_proc():
        return _fact(
            "/proc",
            MISSING,
            "not mounted, or that of another pid namespace",
            "nothing is started: what a task leaves behind could not be seen",
            "mount the /proc of this pid namespace (unshare --mount-proc; a container has its own)",
        )
    hidden = hidepid(_text("/proc/self/mountinfo"))
    if hidden in ("", "0", "off") or os.geteuid() == 0:
        return _fact("/proc", OK, "mounted, of this pid namespace")
    return _fact(
        "/proc",
        LIMITED,
        f"mounted with hidepid={hidden}",
        "processes of other users in a tree are known by pid alone",
    )


def _children() -> Fact:
    if host.has_children_files():
        return _fact("children files", OK, "the kernel lists the children of a process")
    return _fact(
        "children files",
        LIMITED,
        "not there (CONFIG_PROC_CHILDREN)",
        "all of /proc is read instead: 10 to 20 ms for 1,000 processes, at each wave of ends",
        "a kernel with CONFIG_PROC_CHILDREN",
    )


def _subreaper() -> Fact:
    if host.has_subreaper():
        return _fact("subreaper", OK, "orphans of a tree come to us (PR_SET_CHILD_SUBREAPER)")
    return _fact(
        "subreaper",
        MISSING,
        "refused",
        "nothing is started: daemons could not be found again",
        "allow prctl(PR_SET_CHILD_SUBREAPER) in the seccomp filter of this container",
    )


def _pidfd() -> Fact:
    if host.has_pidfd():
        return _fact("pidfd", OK, "a process is held and signalled by a descriptor")
    return _fact(
        "pidfd",
        LIMITED,
        "pidfd_open or pidfd_send_signal is refused",
        "a thread waits for each process, and pids are checked by their start time",
        "Linux 5.3 or newer, and a seccomp filter that knows the calls",
    )


# --- control groups --------------------------------------------------------------------------


NOT_USED = "each run could have a group of its own, as one more layer; it goes without"


def _cgroup() -> Fact:
    found = cgroup(_text("/proc/self/mountinfo"), _text("/proc/self/cgroup"))
    if found is None:
        value = "no version 2 hierarchy is mounted here"
        return _fact("cgroup", MISSING, value, NOT_USED, needed=False)
    beside = f", {found.others} of version 1 beside it" if found.others else ""
    value = f"version 2 at {found.mount}{beside}; "
    if not found.folder or not os.path.isdir(found.folder):
        value += "our own group lies outside of it"
        return _fact("cgroup", LIMITED, value, NOT_USED, needed=False)
    own = os.path.relpath(found.folder, found.mount)
    value += "we are in its root" if own == "." else f"we are in /{own}"
    if divisible() is not None:
        if may_kill(found.folder):
            return _fact("cgroup", OK, f"{value}, ours to divide: used", needed=False)
        return _fact(
            "cgroup",
            LIMITED,
            f"{value}, ours to divide: used",
            "it tells who is in a run, but cannot kill it as a whole",
            "Linux 5.14 or newer, which has cgroup.kill",
            needed=False,
        )
    if may_divide(found.folder):
        value += f", ours to divide; switched off ({SWITCH}=0)"
        return _fact("cgroup", LIMITED, value, NOT_USED, f"unset {SWITCH}", needed=False)
    value += ", not delegated to us"
    return _fact("cgroup", LIMITED, value, NOT_USED, _ways_to_a_group(found.mount), needed=False)


def _ways_to_a_group(mount: str) -> str:
    if os.path.isdir("/run/systemd/system"):
        user = "" if os.geteuid() == 0 else "--user "
        return (
            f"have systemd give us a group: systemd-run {user}--scope -p Delegate=yes procession up"
        )
    group = f"{mount}/mine"
    who = "" if os.geteuid() == 0 else f" && chown {os.geteuid()} {group} {group}/cgroup.procs"
    return (
        "as root, make a group and start procession in it: "
        f"mkdir {group}{who} && echo PID-OF-THE-SHELL >{group}/cgroup.procs"
    )


# --- limits ----------------------------------------------------------------------------------


def _pids() -> Fact:
    most = _text("/proc/sys/kernel/pid_max").strip()
    if not most.isdigit():
        return _fact("pids", OK, "pid_max cannot be read")
    if int(most) >= 4096:
        return _fact("pids", OK, f"{int(most):,} on this host")
    return _fact("pids", LIMITED, f"{int(most):,} on this host", "numbers come back soon")


def _pipes() -> Fact:
    pages = _text("/proc/sys/fs/pipe-user-pages-soft").strip()
    if not pages.isdigit():
        return _fact("pipes", OK, "their limit cannot be read")
    size = int(pages) * os.sysconf("SC_PAGESIZE") >> 20
    if pages == "0" or int(pages) >= PIPE_PAGES:
        value = "no limit" if pages == "0" else f"{size} MiB of buffers for each user"
        return _fact("pipes", OK, value)
    return _fact(
        "pipes",
        LIMITED,
        f"{size} MiB of buffers for each user",
        "past it each new pipe of this user is 8 KiB, and chatty tasks wait for their reader",
        "raise fs.pipe-user-pages-soft (sysctl)",
    )


def _ptrace() -> Fact:
    """Reading an environment asks as a tracer would, but only Yama's own kind of attaching is
    what Yama forbids, so no scope of it is in our way; people who debug want to know it."""
    scope = _text("/proc/sys/kernel/yama/ptrace_scope").strip()
    words = {
        "": "not restricted by Yama",
        "0": "not restricted",
        "1": "a tracer's own descendants only",
        "2": "for administrators only",
        "3": "nobody",
    }
    return _fact("ptrace", OK, words.get(scope, f"scope {scope}"))
