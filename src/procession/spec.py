"""The typed model of a configuration file, and the one table of its keys.

Pure: no input or output, no clock, no operating system. Times are seconds (float), signals are
names ("SIGTERM"), paths are text as the file's reader resolved them. `TASK_FIELDS`, `STOP_FIELDS`
and `PROJECT_FIELDS` describe every key once, for the decoder, the schema and the reference.
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


class Restart(Record):
    """When an ended run is followed by another, and how long after."""

    policy: str = "no"  # one of POLICIES
    delay: float | None = None  # fixed seconds between runs; None: grows with each quick failure


class Stop(Record):
    """How a tree is asked to end."""

    signal: str = "SIGTERM"
    to: str = "group"  # who hears it first: one of TARGETS
    timeout: float = 10.0  # seconds until what is left of the tree is killed


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

    _hidden = frozenset({"environment"})


class Project(Record):
    """What one configuration file describes."""

    name: str
    folder: str  # absolute; relative paths of the file are meant from here
    tasks: tuple[Task, ...] = ()


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


class Field(Record):
    """One key of the file: how it is written, what it holds, what it means."""

    key: str  # kebab-case; underscores are accepted in files
    kind: str  # names the decoder: see `config.decode`
    doc: str
    default: object = None
    required: bool = False
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()  # of a mapping


STOP_FIELDS = (
    Field("signal", "signal", "The signal that asks for the end.", default="SIGTERM"),
    Field(
        "to",
        "choice",
        "Who hears it first: the `leader` alone, its process `group` and whoever detached from "
        "it, or the whole `tree`. What is left after the leader's end hears it too.",
        default="group",
        choices=TARGETS,
    ),
    Field(
        "timeout",
        "duration",
        "How long after the signal what is left of the tree is killed.",
        default=10.0,
    ),
)

TASK_FIELDS = (
    Field("name", "name", "Unique, without regard to case.", required=True),
    Field(
        "program",
        "text",
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
    Field("cwd", "path", "Where it runs; relative to the file's folder, which is the default."),
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
    Field("start-delay", "duration", "How long to wait before the first start.", default=0.0),
    Field(
        "restart",
        "restart",
        "When an ended run is followed by another. `true` means `always`, `false` means `no`.",
        default="no",
        choices=POLICIES,
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
    Field("stop", "mapping", "How it is asked to end.", fields=STOP_FIELDS),
    Field(
        "leftover",
        "choice",
        "When the leader ends by itself and descendants live on: `stop` them at once, `wait` "
        "for them, or `leave` them.",
        default="stop",
        choices=LEFTOVERS,
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
)

PROJECT_FIELDS = (
    Field("name", "name", "The project's name; the folder's name where there is none."),
    Field(
        "template",
        "boolean",
        "Render each text of the file by Jinja2 after it was read, so that `{{ env.HOME }}` in "
        "quotes stands for its value. Without it such text means itself. (A file whose name ends "
        "in `.j2` is rendered as a whole, before it is read.)",
        default=False,
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
