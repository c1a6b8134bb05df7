"""What this host gives, for people: facts, what they are good for, and how to get better ones.

`host` answers questions of the program, at the price of a start; this here asks for all there is
to know, for `procession doctor`. Everything is asked of the kernel, nothing is guessed by version.
"""

from __future__ import annotations

import os
import platform
import sys

from procession._record import Record

OK, LIMITED, MISSING = "ok", "limited", "missing"


class Fact(Record):
    """One thing the host gives. `state`: OK, LIMITED or MISSING; `value`: what was found, in words;
    `means`: what that is for us, where it is not as it should be; `better`: what would mend it;
    `needed`: False for what nothing here leans on."""

    key: str
    state: str
    value: str
    means: str = ""
    better: str = ""
    needed: bool = True


class Survey(Record):
    """All of it. `layers`: what nothing gets past, in the order in which it is asked, each true of
    this host; `blind`: what gets past all of them; `better`: how to close that."""

    system: str
    python: str
    facts: tuple[Fact, ...]
    layers: tuple[str, ...]
    blind: tuple[str, ...]
    better: tuple[str, ...]

    @property
    def state(self) -> str:
        """The worst there is of what is needed."""
        states = {fact.state for fact in self.facts if fact.needed}
        return next((state for state in (MISSING, LIMITED) if state in states), OK)


def survey() -> Survey:
    """Look at this host. Takes some milliseconds, changes nothing, raises nothing."""
    facts = (*_everywhere(), *_here())
    layers, blind = _containment({fact.key: fact.state for fact in facts})
    better = [fact.better for fact in facts if fact.better]
    return Survey(
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        facts,
        tuple(layers),
        tuple(blind),
        (*better, *_outside()),
    )


# --- everywhere ------------------------------------------------------------------------------


if sys.platform != "win32":
    import resource

    from procession.process import _spawn_posix

    TASK_DESCRIPTORS = 6  # that a task may take
    SPARE = 64  # for everything that is not a task's
    FEW_TASKS = 100

    def _everywhere() -> list[Fact]:
        return [_spawn(), _descriptors(), _processes()]

    def _spawn() -> Fact:
        if _spawn_posix.spawn is _spawn_posix.spawn_fork_exec:
            return Fact("spawn", OK, "vfork and exec, by the function beneath subprocess")
        verified = ", ".join(f"{a}.{b}" for a, b in sorted(_spawn_posix.VERIFIED))
        return Fact(
            "spawn",
            LIMITED,
            "by subprocess.Popen",
            "a start takes about a third longer",
            f"run procession with CPython {verified}, for which the quicker way was verified",
        )

    def _descriptors() -> Fact:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        value = f"{_number(soft)}, at most {_number(hard)}"
        room = sys.maxsize if hard == resource.RLIM_INFINITY else hard
        if sys.platform != "linux":  # elsewhere the soft limit is not raised
            room = sys.maxsize if soft == resource.RLIM_INFINITY else soft
        tasks = (room - SPARE) // TASK_DESCRIPTORS
        if tasks >= FEW_TASKS:
            return Fact("open files", OK, value)
        return Fact(
            "open files",
            LIMITED,
            value,
            f"room for about {max(tasks, 0)} tasks",
            "raise the limit of open files (ulimit -n; in a service: LimitNOFILE=)",
        )

    def _processes() -> Fact:
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        value = f"{_number(soft)}, at most {_number(hard)}"
        if os.geteuid() == 0:
            value += " (root is not held to it)"
        elif soft != resource.RLIM_INFINITY and soft < FEW_TASKS:
            return Fact(
                "processes",
                LIMITED,
                value,
                "of this user, in all sessions together",
                "raise the limit of processes (ulimit -u; in a service: LimitNPROC=)",
            )
        return Fact("processes", OK, value)

    def _number(limit: int) -> str:
        return "no limit" if limit == resource.RLIM_INFINITY else f"{limit:,}"

else:
    from procession.process import _survey_windows

    def _everywhere() -> list[Fact]:
        return [Fact(*told) for told in _survey_windows.facts()]


# --- what the tree of a run rests on ---------------------------------------------------------

NEVER_OURS = (
    (
        "what is handed to another service (systemd-run, docker run, at, D-Bus): it is that "
        "service's child, and no descendant of ours"
    ),
    "a process in an uninterruptible sleep: it dies when the kernel lets go of it",
)

if sys.platform == "linux":
    from procession.process._survey_linux import facts as _here
    from procession.process._survey_linux import outside as _outside

    def _containment(states: dict[str, str]) -> tuple[list[str], list[str]]:
        grouped = states["cgroup"] == OK
        layers = ["a control group for each run, joined before it is executed"] if grouped else []
        layers += [
            (
                "lineage: whatever outlives its parent becomes a child of the supervisor, or of "
                "the guardian after it (child subreaper)"
            ),
            "session and process group of the leader, which no other process can get",
            "a mark in the environment (PROCESSION_RUN), and who holds a task's output",
            "a guardian above the supervisor, which sweeps when that dies",
        ]
        if states["subreaper"] == MISSING or states["/proc"] == MISSING:
            return [], ["everything: without /proc and a child subreaper nothing is started here"]
        if states["pidfd"] != OK:
            layers.append("processes are held by pid and start time, not by a descriptor")
        both = "guardian and supervisor killed by SIGKILL in the same instant"
        if grouped:
            both += ": the next start in the same control group ends what they left"
        blind = [both]
        if os.geteuid() != 0 and not grouped:
            blind.append("a setuid program: it may not be signalled by us, and is reported by name")
        if grouped:
            return layers, [*blind, *NEVER_OURS]
        blind.append(
            "of which task a process is that left its session, closed its output, emptied its "
            "environment and lost its parent unseen: it is ended when the whole project ends, and "
            "not with its task"
        )
        blind.append(
            "started by procession.executor, a daemon that left its session, shows no environment "
            "and lost its parent unseen: an application adopts no orphans"
        )
        return layers, [*blind, *NEVER_OURS]

else:

    def _here() -> list[Fact]:
        return []

    def _outside() -> tuple[str, ...]:
        return ()

    def _containment(states: dict[str, str]) -> tuple[list[str], list[str]]:
        if sys.platform == "win32":
            return _survey_windows.LAYERS, _survey_windows.BLIND
        return (
            [
                "process group of the leader, which no other process can get",
                "lineage while parents live, as `ps` tells it",
                "a guardian above the supervisor, which sweeps the groups when that dies",
            ],
            [
                "a daemon that left its group and lost its parent: only Linux lets us adopt it",
                "guardian and supervisor killed by SIGKILL in the same instant",
                "a setuid program: it may not be signalled by us",
                *NEVER_OURS,
            ],
        )
