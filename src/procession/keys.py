"""The one table of the file's keys: for the decoder, the schema, the reference, `check --show`.

Pure, as `procession.spec` is. What a key fills is a field of a record of `spec`.
"""

from __future__ import annotations

from procession import spec
from procession._record import Record

MAX_REPLICAS = 1000
MAX_PORT = 65535
MAX_FD = 1023  # where the usual soft limit of descriptors ends
LONGEST_SOCKET = 107  # bytes of a unix socket's path; some systems have less

# Of each system, by name without RLIMIT_ (getrlimit(2)).
_COMMON_LIMITS = "as core cpu data fsize memlock nofile nproc rss stack".split()
LIMITS = {
    "linux": (*_COMMON_LIMITS, *"msgqueue nice rtprio rttime sigpending".split()),
    "darwin": tuple(_COMMON_LIMITS),
    "win32": (),
}

Absent = tuple[tuple[str, str], ...]  # platform, and why what the key says cannot be had there


class Field(Record):
    """One key of the file: how it is written, what it holds, what it means."""

    key: str  # kebab-case; underscores are accepted in files
    kind: str  # names its reader in `config.values`, and its form in the schema
    doc: str
    default: object = None
    required: bool = False
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()  # of a mapping
    least: float | None = None  # of a number or a duration
    most: float | None = None
    absent: Absent = ()


_NO_USERS = (("win32", "Windows starts a program as another user only with their password"),)
_NO_SOCKETS = (("win32", "there are no unix sockets for Python on Windows"),)
_MOMENT = 0.001  # the shortest duration that is none: 0 would never rest

STEP_FIELDS = (
    Field("signal", "signal", "The signal that is sent."),
    Field(
        "to",
        "choice",
        "Who hears it: the `leader`, its `group`, or the whole `tree`.",
        default="group",
        choices=spec.TARGETS,
    ),
    Field(
        "command",
        "command",
        "A command to run in the task's folder and environment, with `PROCESSION_PID` of the "
        "leader: one string (split by shell rules) or a list.",
    ),
    Field(
        "wait",
        "duration",
        "How long after the signal, or after the command's start, the next step comes. 10s for a "
        "signal; a command without it is waited for, up to 10 s.",
    ),
)

STOP_FIELDS = (
    Field("signal", "signal", "The signal that asks for the end.", default="SIGTERM"),
    Field(
        "to",
        "choice",
        "Who hears it first: the `leader` alone, its process `group` and whoever detached from "
        "it, or the whole `tree`. What is left after the leader's end hears it too.",
        default="group",
        choices=spec.TARGETS,
    ),
    Field(
        "timeout",
        "duration",
        "How long after the signal what is left of the tree is killed.",
        default=10.0,
    ),
    Field(
        "command",
        "command",
        "A command that is run before the signal, and waited for, up to 10 s whatever `timeout` "
        "says, which begins with the signal; in the task's folder and environment, with "
        "`PROCESSION_PID` of the leader.",
        default=(),
    ),
    Field(
        "steps",
        "steps",
        "A ladder in place of the four above: a list of steps, one after the other while "
        "something of the tree lives. What is left after the last is killed. `stop: [...]` is "
        "short for it.",
        fields=STEP_FIELDS,
    ),
    Field(
        "extend",
        "duration",
        "How much longer the program itself may ask for, in all (`EXTEND_TIMEOUT_USEC` of "
        "sd_notify).",
        default=60.0,
    ),
)

BACKOFF_FIELDS = (
    Field("first", "duration", "After the first quick end.", default=1.0),
    Field(
        "factor", "number", "Each quick end makes it so many times longer.", default=2.0, least=1.0
    ),
    Field("longest", "duration", "It grows no further.", default=30.0),
    Field(
        "jitter",
        "number",
        "Up to this part of it is added by chance, so that not all come back at once.",
        default=0.1,
        least=0.0,
        most=1.0,
    ),
)

RESTART_FIELDS = (
    Field(
        "policy",
        "policy",
        "`restart: always` is short for `restart: {policy: always}`; `true` means `always`, "
        "`false` means `no`.",
        required=True,
        choices=spec.POLICIES,
    ),
    Field("delay", "duration", "A fixed time between two runs, as `restart-backoff` says it."),
    Field(
        "backoff",
        "backoff",
        "Without a fixed `delay` the time between two runs grows with each quick end.",
        fields=BACKOFF_FIELDS,
    ),
    Field(
        "stable-after",
        "duration",
        "A run that lasted so long forgives all quick ends before it.",
        default=10.0,
    ),
    Field(
        "limit",
        "integer",
        "So many restarts `within` that time, and one end more, and the task has failed for good. "
        "Without it there is no limit.",
        least=1,
        most=1_000_000,
    ),
    Field("within", "duration", "The window of `limit`.", default=60.0, least=_MOMENT),
    Field(
        "rules",
        "rules",
        "What an end means, whatever the policy says: a mapping from exit code or signal to "
        "`restart` or `give-up`.",
        choices=("restart", "give-up"),
    ),
)

DEPENDENCY_FIELDS = (
    Field(
        "condition",
        "condition",
        "What has to be true of that task, of all its replicas.",
        default="ready",
        choices=spec.CONDITIONS,
    ),
    Field(
        "restart",
        "boolean",
        "A new run of that task, by itself or because a person restarts it, restarts this one.",
        default=False,
    ),
    Field(
        "timeout",
        "duration",
        "How long to wait for it at most; then this task is skipped. Without it there is no limit.",
        least=_MOMENT,
    ),
)

HTTP_FIELDS = (
    Field("url", "url", "Where to ask: `http` or `https`.", required=True),
    Field("method", "method", "How to ask.", default="GET"),
    Field(
        "status",
        "statuses",
        'The good statuses: one, a range such as `"200-299"`, or a list of these.',
        default=("200-399",),
    ),
    Field("body", "regex", "A regular expression that has to be found in the answer's body."),
    Field("headers", "headers", "A mapping of headers to send. They are never shown."),
)

PROBE_FIELDS = (
    Field("tcp", "tcp", "Somebody accepts connections there: a port of this host, or `HOST:PORT`."),
    Field(
        "http",
        "http",
        "An HTTP server answers well there: a URL, or a mapping.",
        fields=HTTP_FIELDS,
    ),
    Field(
        "exec",
        "command",
        "This command exits with 0. It runs in the task's own folder and environment: one string "
        "(split by shell rules, but no shell is run) or a list.",
    ),
    Field(
        "log",
        "regex",
        "The run wrote a line, on either stream, in which this regular expression is found.",
    ),
    Field(
        "file",
        "path",
        "There is something at this path, made or changed since the run began; relative to the "
        "file's folder.",
    ),
    Field(
        "unix",
        "socket",
        "Somebody accepts connections on the unix socket at this path; relative to the file's "
        "folder.",
        absent=_NO_SOCKETS,
    ),
    Field(
        "notify",
        "true",
        "The run said `READY=1` by sd_notify: it gets a `NOTIFY_SOCKET`.",
        absent=_NO_SOCKETS,
    ),
    Field(
        "fd",
        "integer",
        "The run wrote a newline to this descriptor, which it is given.",
        least=3,
        most=MAX_FD,
        absent=(("win32", "Windows gives programs no descriptors by number"),),
    ),
)
PROBES = tuple(field.key for field in PROBE_FIELDS)


def _check_fields(interval: float, timeout: float, failures: int | None) -> tuple[Field, ...]:
    until = "" if failures else " Without it they are tried until `ready-timeout`."
    return (
        *PROBE_FIELDS,
        Field("any", "boolean", "Of several probes one is enough; else all count.", default=False),
        Field(
            "interval",
            "duration",
            "From the end of a try to the next.",
            default=interval,
            least=_MOMENT,
        ),
        Field("timeout", "duration", "Of one try.", default=timeout, least=_MOMENT),
        Field("initial-delay", "duration", "Until the first try.", default=0.0),
        Field("successes", "integer", "So many in a row are good.", default=1, least=1, most=1000),
        Field(
            "failures",
            "integer",
            f"So many in a row are bad.{until}",
            default=failures,
            least=1,
            most=1_000_000,
        ),
    )


READY_FIELDS = _check_fields(0.2, 1.0, None)
HEALTH_FIELDS = (
    *_check_fields(10.0, 5.0, 3),
    Field(
        "then",
        "choice",
        "What becomes of an unhealthy run: it has failed, so that it is stopped and `restart` "
        "decides; or it is only marked as unhealthy.",
        default="restart",
        choices=("restart", "mark"),
    ),
)

TASK_FIELDS = (
    Field("name", "name", "Unique, without regard to case.", required=True),
    Field(
        "program",
        "program",
        "What to run. A bare name is looked up on the task's own PATH; a relative path is meant "
        "from `cwd`.",
        required=True,
    ),
    Field(
        "args",
        "args",
        "Its arguments: one string (split by shell rules, but no shell is run), a list of "
        "scalars, or one scalar.",
        default=(),
    ),
    Field(
        "shell",
        "boolean",
        "`program` is a line for `/bin/sh`, which runs it: then there are no `args`.",
        default=False,
        absent=(("win32", "there is no /bin/sh on Windows: name a shell as `program`"),),
    ),
    Field(
        "launch-prefix",
        "command",
        "A program and its arguments that get ours as theirs, such as `gdb -ex run --args`, "
        "`strace -f`, `xvfb-run`.",
        default=(),
    ),
    Field(
        "cwd",
        "path",
        "Where it runs; relative to the file's folder. Without it: the folder of the file that "
        "says `program`.",
    ),
    Field(
        "environment", "environment", "Variables laid over the inherited ones and the env-files."
    ),
    Field(
        "env-file",
        "paths",
        "A file of NAME=VALUE lines, or a list of them, laid over the inherited environment; "
        "relative to the file's folder.",
        default=(),
    ),
    Field(
        "depends-on",
        "depends-on",
        "Tasks that this one needs, and stops before: a list (each has to be `ready`), or a "
        "mapping from task to condition, or to a mapping of the keys below.",
        default=(),
        fields=DEPENDENCY_FIELDS,
    ),
    Field(
        "start-delay",
        "duration",
        "How long to wait before the first start, once all that it depends on is so.",
        default=0.0,
    ),
    Field(
        "autostart",
        "boolean",
        "Whether it starts with the project. `false`: when somebody asks for it.",
        default=True,
    ),
    Field(
        "completes",
        "boolean",
        "It is meant to end (a migration, a build), and ready when it did so well.",
        default=False,
    ),
    Field(
        "ready",
        "ready",
        "When a run does its job: one probe or several. Without it, once it was started.",
        fields=READY_FIELDS,
    ),
    Field(
        "ready-timeout",
        "duration",
        "How long after its start a run that is not ready has failed.",
        default=spec.READY_TIMEOUT,
        least=_MOMENT,
    ),
    Field(
        "health",
        "health",
        "Whether a run that was ready still does its job: one probe or several.",
        fields=HEALTH_FIELDS,
    ),
    Field(
        "watchdog",
        "duration",
        "The run has to say `WATCHDOG=1` (sd_notify) at least so often, or it has failed.",
        least=_MOMENT,
        absent=_NO_SOCKETS,
    ),
    Field(
        "restart",
        "restart",
        "When an ended run is followed by another: a policy, or a mapping.",
        default="no",
        choices=spec.POLICIES,
        fields=RESTART_FIELDS,
    ),
    Field(
        "restart-backoff",
        "duration",
        "A fixed time between two runs. Without it the wait starts at 1 s, doubles with each "
        "quick end up to 30 s, and starts anew after a run of 10 s.",
    ),
    Field(
        "quit-on-terminate",
        "boolean",
        "When this task ends for good, the whole project stops and has its status.",
        default=False,
    ),
    Field("tags", "words", "Words to pick tasks by.", default=()),
    Field(
        "replicas",
        "integer",
        "How many copies run: `web-1`, `web-2`. Where templates are on, `{{ replica }}` counts "
        "them from 1, and `{{ replicas }}` says how many there are.",
        default=1,
        least=1,
        most=MAX_REPLICAS,
    ),
    Field(
        "port",
        "integer",
        "The variable `PORT` of the first replica; the others count on from there.",
        least=1,
        most=MAX_PORT,
    ),
    Field(
        "stop", "stop", "How it is asked to end: a mapping, or a list of steps.", fields=STOP_FIELDS
    ),
    Field(
        "leftover",
        "choice",
        "When the leader ends by itself and descendants live on: `stop` them at once, `wait` "
        "for them, or `leave` them.",
        default="stop",
        choices=spec.LEFTOVERS,
    ),
    Field(
        "success-exit-codes",
        "codes",
        "The exit codes that count as success: 0 to 255, on Windows any of 32 bits.",
        default=(0,),
    ),
    Field(
        "program-must-exist",
        "boolean",
        "Whether a missing program is a mistake of the file. `false`: it is looked up at each "
        "start, for programs that another task builds.",
        default=True,
    ),
    Field(
        "user",
        "account",
        "As whom it runs: a name or a number. Only root can say another.",
        absent=_NO_USERS,
    ),
    Field("group", "account", "Its group; without it, that of `user`.", absent=_NO_USERS),
    Field(
        "supplementary-groups",
        "accounts",
        "Its other groups; without it, those of `user`.",
        absent=_NO_USERS,
    ),
    Field(
        "umask",
        "umask",
        'Which permissions its new files do not get: octal digits, such as `"022"`.',
        absent=(("win32", "Windows has no umask"),),
    ),
    Field(
        "nice",
        "integer",
        "Its niceness. Below 0 is for root.",
        least=-20,
        most=19,
        absent=(("win32", "Windows has priority classes, and no niceness"),),
    ),
    Field(
        "cpus",
        "cpus",
        'The processors it may run on: `"0-3,6"`, a number, or a list of numbers.',
        absent=(
            ("darwin", "macOS pins no process to processors"),
            ("win32", "Windows pins processes by other rules (groups of 64)"),
        ),
    ),
    Field(
        "limits",
        "limits",
        "Resource limits by name (`nofile`, `core`, `as`; setrlimit(2)): a number, a size, "
        "`unlimited`, or a list of soft and hard limit.",
        absent=(("win32", "Windows has no resource limits by name"),),
    ),
)

# What a task has of its own. All the rest may be said for all tasks.
_OWN = frozenset({"name", "depends-on"})
DEFAULT_FIELDS = tuple(
    field.replace(required=False) for field in TASK_FIELDS if field.key not in _OWN
)

# Keys that speak of the task as a whole: all its replicas have the same.
SHARED_KEYS = frozenset(
    "name replicas port depends-on tags autostart completes quit-on-terminate".split()
)

LOG_FIELDS = (
    Field("max-file", "size", "Of one file.", default=64 << 20, least=4096, most=2**62),
    Field(
        "max-total",
        "size",
        "Of all that the project keeps; the oldest goes first.",
        default=1 << 30,
        least=4096,
        most=2**62,
    ),
    Field(
        "keep-runs",
        "integer",
        "How many runs of the project are kept.",
        default=10,
        least=1,
        most=1_000_000,
    ),
)

PROJECT_FIELDS = (
    Field("name", "name", "The project's name; the folder's name where there is none."),
    Field(
        "include",
        "include",
        "Files that this one is laid over: a path or a list, relative to this file's folder.",
        default=(),
    ),
    Field(
        "template",
        "boolean",
        "Render each text of the file by Jinja2 after it was read, so that `{{ env.HOME }}` in "
        "quotes stands for its value. Without it such text means itself. (A file whose name ends "
        "in `.j2` is rendered as a whole, before it is read.)",
        default=False,
    ),
    Field(
        "exit-code-from",
        "task-name",
        "When this task ends, the whole project stops and has its status.",
    ),
    Field(
        "abort-on-failure",
        "boolean",
        "Whether the first task that failed for good ends the project.",
        default=False,
    ),
    Field(
        "stop-timeout",
        "duration",
        "How long the stop of everything may take at most; then what is left is killed. Without it "
        "each task has the time that its own `stop` gives it.",
    ),
    Field("logs", "mapping", "How much of the output is kept on disk.", fields=LOG_FIELDS),
    Field(
        "defaults",
        "defaults",
        "What holds for all tasks that do not say otherwise: the keys of a task, but for `name` "
        "and `depends-on`.",
        fields=DEFAULT_FIELDS,
    ),
    Field(
        "tasks",
        "tasks",
        "The tasks, in order of their start: a list of mappings with `name`, or a mapping from "
        "name to task.",
        required=True,
        fields=TASK_FIELDS,
    ),
)
