"""Keys of a task, and which of them may be said for all."""

from __future__ import annotations

from procession import spec
from procession.keys.conduct import (
    DEPENDENCY_FIELDS,
    HEALTH_FIELDS,
    READY_FIELDS,
    RESTART_FIELDS,
    STOP_FIELDS,
)
from procession.keys.field import (
    MAX_PORT,
    MAX_REPLICAS,
    MOMENT,
    NO_SOCKETS,
    NO_USERS,
    Field,
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
        "It is meant to end (a migration, a build), and ready when it did so well: it has no "
        "`ready`.",
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
        least=MOMENT,
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
        least=MOMENT,
        absent=NO_SOCKETS,
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
        absent=NO_USERS,
    ),
    Field("group", "account", "Its group; without it, that of `user`.", absent=NO_USERS),
    Field(
        "supplementary-groups",
        "accounts",
        "Its other groups; without it, those of `user`.",
        absent=NO_USERS,
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
