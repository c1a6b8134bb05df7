"""The typed model of a configuration file. The tables of its keys are in `procession.keys`.

Pure: no input or output, no clock, no operating system. Times are seconds (float), signals are
names ("SIGTERM"), paths are text as the file's reader resolved them.
"""

from __future__ import annotations

from procession._record import Record

TASK_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
MAX_NAME = 100  # characters: a name is part of file names, which end at 255 bytes
RESERVED_NAMES = frozenset({"procession"})  # our own line in the logs and on the terminal

EXTENSION_PREFIX = "x-"  # top-level keys that begin so are the file's own: a place for anchors

POLICIES = ("no", "on-failure", "always")
TARGETS = ("leader", "group", "tree")
LEFTOVERS = ("stop", "wait", "leave")

# The stop signals of Windows, with numbers for those that know signals by number: Python's own, the
# POSIX one for SIGKILL, and WM_CLOSE's. What each of them does there: docs/windows.md.
CLOSE_STDIN = "CLOSE_STDIN"  # the task's input is a pipe, which ends when the task is to
WINDOWS_SIGNALS = {
    "SIGINT": 2, "SIGKILL": 9, "SIGTERM": 15, "WM_CLOSE": 16, CLOSE_STDIN: 17, "SIGBREAK": 21,
}  # fmt: skip
WINDOWS_SIGNALS_TO_LEADERS = ("WM_CLOSE", CLOSE_STDIN)  # what the rest of a tree does not hear


# The largest exit code: eight bits are told on POSIX, 32 on Windows.
LAST_CODE, LAST_CODE_OF_WINDOWS = 0xFF, 0xFFFFFFFF


class RestartRule(Record):
    """What becomes of a run that ended so, whatever the policy says: a code or a signal is set."""

    again: bool
    code: int | None = None
    signal: int | None = None


class Restart(Record):
    """When an ended run is followed by another, and how long after. Seconds."""

    policy: str = "no"  # one of POLICIES
    delay: float | None = None  # fixed between runs; None: grows with each quick end
    first: float = 1.0  # after the first quick end
    factor: float = 2.0  # each quick end makes it longer
    longest: float = 30.0
    jitter: float = 0.1  # of the growing delay, 0 to 1: up to that part of it is added by chance
    stable_after: float = 10.0  # a run that lasted this long forgives all quick ends before it
    limit: int | None = None  # restarts within `window` after which it gives up; None: never
    window: float = 60.0
    rules: tuple[RestartRule, ...] = ()


class StopStep(Record):
    """One step of a stop: a signal, or a command. `wait` s later, or once the tree is empty, it is
    over; a command without `wait` is over when it ended, or after `COMMAND_TIMEOUT`."""

    signal: str | None = None
    to: str = "group"  # who hears the signal first: one of TARGETS
    command: tuple[str, ...] = ()
    wait: float | None = None


COMMAND_TIMEOUT = 10.0  # seconds for a command of a stop that says nothing else


class Stop(Record):
    """How a tree is asked to end: by one signal, or by `steps` (in their place)."""

    signal: str = "SIGTERM"
    to: str = "group"  # who hears it first: one of TARGETS
    timeout: float = 10.0  # seconds until what is left of the tree is killed
    command: tuple[str, ...] = ()  # run before the signal, and waited for (COMMAND_TIMEOUT)
    steps: tuple[StopStep, ...] = ()
    extend: float = 60.0  # how much longer than that the program itself may ask for, in all


CONDITIONS = ("started", "ready", "healthy", "completed", "completed-successfully")


class Dependency(Record):
    """What has to be true of another task before this one starts; of all its replicas."""

    task: str
    condition: str = "ready"  # one of CONDITIONS
    restart: bool = False  # a new run of that one restarts this one too
    timeout: float | None = None  # seconds to wait for it, from when this one could begin to wait


class Probe(Record):
    """Base of the questions that tell whether a run is ready, or healthy."""


class TcpProbe(Probe):
    """Somebody accepts connections there."""

    port: int
    host: str = "127.0.0.1"


class HttpProbe(Probe):
    """An HTTP server answers well."""

    url: str  # http or https
    method: str = "GET"
    status: tuple[tuple[int, int], ...] = ((200, 399),)  # ranges, both ends included
    body: str | None = None  # a regular expression that is found in the answer's body
    headers: tuple[tuple[str, str], ...] = ()

    _hidden = frozenset({"headers"})  # they may carry a token


class ExecProbe(Probe):
    """A command exits with 0. It runs in the task's own folder and environment."""

    command: tuple[str, ...]


class LogProbe(Probe):
    """The run wrote something that this regular expression finds in a line, on either stream."""

    pattern: str


class FileProbe(Probe):
    """There is something at this path (absolute), made or changed since the run began."""

    path: str


class UnixProbe(Probe):
    """Somebody accepts connections on the unix socket at this path (absolute)."""

    path: str


class NotifyProbe(Probe):
    """The run said READY=1 by sd_notify(3)."""


class FdProbe(Probe):
    """The run wrote a newline to this descriptor, which it was given (s6's convention)."""

    fd: int


class Check(Record):
    """When a run counts as ready, or as healthy. Seconds."""

    probes: tuple[Probe, ...]
    any: bool = False  # one of several probes is enough
    interval: float = 0.2  # from the end of a try to the next
    timeout: float = 1.0  # of one try
    initial_delay: float = 0.0
    successes: int = 1  # in a row
    failures: int | None = None  # in a row; None: tried until `ready-timeout`
    restarts: bool = True  # of health: unhealthy is a failed run; else it is only marked


READY_TIMEOUT = 60.0


class Task(Record):
    """A named entry of the file: what to run and how to keep it."""

    name: str
    program: str
    args: tuple[str, ...] = ()
    cwd: str | None = None  # absolute once decoded
    environment: tuple[tuple[str, str], ...] = ()
    env_files: tuple[str, ...] = ()  # absolute once decoded
    start_delay: float = 0.0
    restart: Restart = Restart()
    quit_on_terminate: bool = False
    tags: tuple[str, ...] = ()
    stop: Stop = Stop()
    leftover: str = "stop"  # one of LEFTOVERS
    success_exit_codes: tuple[int, ...] = (0,)
    program_must_exist: bool = True
    depends_on: tuple[Dependency, ...] = ()
    ready: Check | None = None  # None: ready when started
    ready_timeout: float = READY_TIMEOUT  # seconds from the spawn until it is a failed run
    health: Check | None = None
    watchdog: float | None = None  # seconds within which WATCHDOG=1 has to come (sd_notify(3))
    replicas: int = 1
    variants: tuple[Task, ...] = ()  # one for each replica, where templates make them differ
    chosen: tuple[int, ...] = ()  # the replicas that are wanted at all; empty: all of them
    port: int | None = None  # PORT of the first replica; the others count on
    autostart: bool = True
    completes: bool = False  # a one-shot: it is meant to end, and ready when it did so well
    launch_prefix: tuple[str, ...] = ()  # a program and arguments that get ours as theirs
    shell: bool = False  # `program` is a line for /bin/sh
    user: str | None = None
    group: str | None = None
    supplementary_groups: tuple[str, ...] | None = None  # None: those of `user`
    umask: int | None = None
    nice: int | None = None
    cpus: tuple[int, ...] = ()  # may run on these alone; empty: on all
    limits: tuple[tuple[str, tuple[int | None, int | None]], ...] = ()  # soft, hard; None: no limit

    _hidden = frozenset({"environment"})


class Replica(Record):
    """One of the copies of a task. `task` is the task as it is for this one."""

    name: str  # the task's own name where there is one copy, else with `-1`, `-2`, ...
    task: Task
    index: int = 1


class Project(Record):
    """What one configuration file describes."""

    name: str
    folder: str  # absolute; relative paths of the file are meant from here
    tasks: tuple[Task, ...] = ()
    exit_code_from: str | None = None  # the task whose end ends the project, and is its status
    abort_on_failure: bool = False  # the first task that failed for good ends the project
    stop_timeout: float | None = None  # seconds that the stop of everything may take at most
    log_file_limit: int = 64 << 20  # bytes of one log file
    log_total: int = 1 << 30  # bytes of all that the project keeps
    log_runs: int = 10  # how many runs of the project are kept

    def replicas(self) -> tuple[Replica, ...]:
        """All replicas of all tasks, in the order of the file."""
        return tuple(replica for task in self.tasks for replica in replicas_of(task))


def replicas_of(task: Task) -> tuple[Replica, ...]:
    """The replicas of a task that are wanted, in the order of their numbers."""
    if task.replicas == 1:
        return (Replica(task.name, task),)
    variants = task.variants or (task,) * task.replicas
    return tuple(
        Replica(f"{task.name}-{index}", variant, index)
        for index, variant in enumerate(variants, 1)
        if not task.chosen or index in task.chosen
    )


class Defaults(Record):
    """What holds where a file says nothing, for files written for another launcher."""

    name: str | None = None  # of the project; None: its folder's
    cwd: str | None = None  # absolute; None: the project's folder
    stop: Stop = Stop()
    restart_delay: float | None = None
    quits_at_first_end: bool = False  # `quit-on-terminate` wins over `restart`
    forgiving: bool = (
        False  # what that launcher passed over or read otherwise is noted, not refused
    )
