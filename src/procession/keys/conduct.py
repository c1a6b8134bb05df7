"""Keys of how a task becomes ready, stays well, is restarted and stops."""

from __future__ import annotations

from procession import spec
from procession.keys.field import MAX_FD, MOMENT, NO_SOCKETS, Field

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
    Field("within", "duration", "The window of `limit`.", default=60.0, least=MOMENT),
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
        least=MOMENT,
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
        absent=NO_SOCKETS,
    ),
    Field(
        "notify",
        "true",
        "The run said `READY=1` by sd_notify: it gets a `NOTIFY_SOCKET`.",
        absent=NO_SOCKETS,
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
            least=MOMENT,
        ),
        Field("timeout", "duration", "Of one try.", default=timeout, least=MOMENT),
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
