"""The one table of the file's keys: for the decoder, the schema, the reference, `check --show`.

Pure, as `procession.spec` is. What a key fills is a field of a record of `spec`. Here are those of
the project; in `task` those of a task, in `conduct` how it becomes ready, restarts and stops.
"""

from __future__ import annotations

from procession.keys.conduct import (
    BACKOFF_FIELDS,
    DEPENDENCY_FIELDS,
    HEALTH_FIELDS,
    HTTP_FIELDS,
    PROBE_FIELDS,
    PROBES,
    READY_FIELDS,
    RESTART_FIELDS,
    STEP_FIELDS,
    STOP_FIELDS,
)
from procession.keys.field import LIMITS, LONGEST_SOCKET, MAX_PORT, MAX_REPLICAS, Field
from procession.keys.task import DEFAULT_FIELDS, SHARED_KEYS, TASK_FIELDS

__all__ = [
    "BACKOFF_FIELDS",
    "DEFAULT_FIELDS",
    "DEPENDENCY_FIELDS",
    "HEALTH_FIELDS",
    "HTTP_FIELDS",
    "LIMITS",
    "LOG_FIELDS",
    "LONGEST_SOCKET",
    "MAX_PORT",
    "MAX_REPLICAS",
    "PROBES",
    "PROBE_FIELDS",
    "PROJECT_FIELDS",
    "READY_FIELDS",
    "RESTART_FIELDS",
    "SHARED_KEYS",
    "STEP_FIELDS",
    "STOP_FIELDS",
    "TASK_FIELDS",
    "Field",
]

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
