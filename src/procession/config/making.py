"""All that files say of a task to one `spec.Task`: layers laid over each other.

Values come by key as `config.values` reads them; some in parts (`stop`, `restart`, `limits`,
variables), so that a file may say one part and leave the rest to another.
"""

from __future__ import annotations

from procession import keys, spec
from procession.config import systems
from procession.config.strings import is_tilde
from procession.config.texts import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from procession.config.entry import Entry, Layer

    Pairs = tuple[tuple[str, Any], ...]
    Parts = dict[str, Any]

# The field of `spec.Task` that a key fills; `restart` and `restart-backoff` make one together.
TASK_ATTRIBUTES = {f.key: f.key.replace("-", "_") for f in keys.TASK_FIELDS}
TASK_ATTRIBUTES["env-file"] = "env_files"
_NEEDED_TO_LOOK_UP = frozenset({"program", "cwd", "environment", "env-file", "shell"})
_GROWS = frozenset(field.key for field in keys.BACKOFF_FIELDS)
_ONE_SIGNAL = frozenset({"signal", "to", "timeout", "command"})


def _pairs(low: Pairs, high: Pairs) -> Pairs:
    return tuple({**dict(low), **dict(high)}.items())


def _restart(low: Parts, high: Parts) -> Parts:
    """A fixed delay and a growing one stand for each other."""
    if "delay" not in high and not _GROWS.isdisjoint(high):
        low = {key: value for key, value in low.items() if key != "delay"}
    return {**low, **high}


def _stop(low: Parts, high: Parts) -> Parts:
    """A ladder and a single signal stand for each other."""
    if "steps" in high:
        low = {key: value for key, value in low.items() if key not in _ONE_SIGNAL}
    elif not _ONE_SIGNAL.isdisjoint(high):
        low = {key: value for key, value in low.items() if key != "steps"}
    return {**low, **high}


# How what one file says is laid over what another says. All other values stand for themselves.
_LAID_OVER: dict[str, Callable[[Any, Any], Any]] = {
    "environment": _pairs,
    "limits": _pairs,
    "restart": _restart,
    "stop": _stop,
}
MERGED = frozenset(_LAID_OVER)


def merged(layers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The values of a task by key; what comes first wins."""
    values: dict[str, Any] = {}
    for layer in reversed(list(layers)):
        for key, value in layer.items():
            lay = _LAID_OVER.get(key)
            values[key] = lay(values[key], value) if lay and key in values else value
    return values


def one_restart(layer: Layer, values: dict[str, Any]) -> None:
    """Let `restart-backoff` be the `delay` that it is, and tell of both at once. `values` are the
    layer's."""
    delay = values.pop("restart-backoff", None)
    if delay is None:
        return
    parts = values.get("restart", {})
    if "delay" in parts or not _GROWS.isdisjoint(parts):
        other = "delay" if "delay" in parts else "backoff"
        report = layer.part.report
        report.prefix, report.key = layer.path, "restart-backoff"
        node = layer.nodes["restart-backoff"][0]
        report.bad(node, f"a fixed delay beside `restart.{other}`", "one of the two")
        report.prefix = report.key = ""
    values["restart"] = {**parts, "delay": delay}


def make(entry: Entry, values: dict[str, Any], folder: str, defaults: spec.Defaults | None) -> None:
    """Make the entry's task of its values by key, and of what can be looked up without one.

    `folder` is the project's. What shows only now to be wrong is told.
    """
    values = dict(values)
    _judge(entry, values)
    lacking = set() if "program" in values else {"program"}
    for layer in entry.layers:
        lacking |= layer.nodes.keys() - layer.values.keys() - values.keys()
    entry.wrong = _NEEDED_TO_LOOK_UP & lacking
    teller = entry.said("program")
    home = folder if teller is None else teller.part.folder
    if entry.name and "program" in values:
        entry.task = _made(entry.name, values, defaults, home if home != folder else None)
    # without a name it may have a program, and the other way round
    entry.looked_at = entry.task or _made("?", {"program": "", **values}, defaults, None)


def _judge(entry: Entry, values: dict[str, Any]) -> None:
    """Tell what is wrong with values beside each other, and drop those."""
    shell = values.get("shell", False)
    program = values.get("program", "")
    if not shell and is_tilde(program):
        import os

        home = os.path.expanduser(program)
        entry.bad("program", "`~` stands for nothing here", "the path in full", home)
        del values["program"]
    if shell and values.get("args"):
        what = "`args` of a line for the shell, which has its own"
        entry.bad("args", what, "all of it in `program`, or no `shell: true`")
        del values["args"]
    policy = values.get("restart", {}).get("policy")
    if policy is None and (layer := entry.said("restart")) and "restart" in layer.values:
        entry.bad("restart", "`policy` is missing", "`policy: on-failure`, `always` or `no`")
    if policy == "always" and values.get("completes"):
        what = "a task that completes, and one that is always restarted"
        entry.bad("completes", what, "`restart: on-failure`, or no `completes`")
    if values.get("completes"):
        _ready_when_done(entry, values)
    if values.get("port", 0) + values.get("replicas", 1) - 1 > keys.MAX_PORT:
        last = values["port"] + values["replicas"] - 1
        what = f"the last replica's port would be {last}"
        entry.bad("port", what, f"at most {keys.MAX_PORT}")
    if "stop" in values and "steps" not in values["stop"]:
        said = values["stop"]
        wrong = systems.not_to_leader(said.get("signal", "SIGTERM"), said.get("to", "group"))
        if wrong is not None:
            entry.bad("stop.to", *wrong)
            del values["stop"]
    if "ready" in values and "health" in values:
        _one_descriptor(entry, values)


def _ready_when_done(entry: Entry, values: dict[str, Any]) -> None:
    """A check of when a task that completes is ready would never be asked; what `defaults` say is
    for the others."""
    if values.pop("ready", NOTHING) is not NOTHING and entry.said("ready") in entry.own_layers:
        what = "a check of when it is ready, for a task that completes: it is when it ended well"
        entry.bad("ready", what, "no `ready`, or no `completes`")
    values["ready"] = NOTHING


def _one_descriptor(entry: Entry, values: dict[str, Any]) -> None:
    """Two checks that would read the same pipe would take each other's newlines."""
    numbers = [
        {probe.fd for probe in values[key].probes if isinstance(probe, spec.FdProbe)}
        for key in ("ready", "health")
        if values[key] is not NOTHING
    ]
    if len(numbers) == 2 and not numbers[0].isdisjoint(numbers[1]):
        entry.bad("health.fd", "the descriptor of `ready` too", "a descriptor of its own")
        del values["health"]


def _made(
    name: str, values: dict[str, Any], defaults: spec.Defaults | None, cwd: str | None
) -> spec.Task:
    """The task. What is not there has the model's default, or that of `defaults`."""
    fit: dict[str, Any] = {
        TASK_ATTRIBUTES[key]: None if v is NOTHING else v for key, v in values.items()
    }
    restart = fit.pop("restart", None)
    stop = fit.pop("stop", None)
    if defaults is not None:
        fit.setdefault("cwd", defaults.cwd)
        if stop is None:
            fit["stop"] = defaults.stop
        if defaults.restart_delay is not None and (
            restart is None or ("delay" not in restart and _GROWS.isdisjoint(restart))
        ):
            restart = {**(restart or {}), "delay": defaults.restart_delay}
        if defaults.quits_at_first_end and fit.get("quit_on_terminate"):
            restart = {**(restart or {}), "policy": "no"}
    if cwd is not None:
        fit.setdefault("cwd", cwd)
    if restart:
        fit["restart"] = spec.Restart(**restart)
    if stop:
        fit["stop"] = spec.Stop(**stop)
    return spec.Task(name, **fit)
