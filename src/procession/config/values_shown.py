"""What `check --show` shows of values that have parts: probes, restarts, stops, needs, limits."""

from __future__ import annotations

from procession import keys, spec
from procession.config.origins import Item, Places
from procession.config.yaml import Sequence
from procession.secrets import MASK, masked_arguments, masked_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procession.config.entry import Entry

    Shower = Callable[[Entry, spec.Task, keys.Field, Places], Item]

# The words of a restart's rule.
_AGAIN = {True: "restart", False: "give-up"}
_LOCAL = "127.0.0.1"


def plain(field: keys.Field, value: object, said: Places, note: str = "") -> Item:
    """A value without parts; what is not the file's says so."""
    return Item(field.key, field.kind, value, said.origin, note)


def _parts(
    fields: tuple[keys.Field, ...], values: Mapping[str, object], said: Places
) -> list[Item]:
    return [plain(f, values[f.key], said.below(f.key)) for f in fields if f.key in values]


def _restart(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    r = task.restart
    values: dict[str, object] = {
        "policy": r.policy,
        "delay": None if delay_by_backoff(entry) else r.delay,
        "stable-after": r.stable_after,
        "limit": r.limit,
        "within": r.window,
    }
    items: list[Item] = []
    for part in field.fields:
        at = said.below(part.key, short=part.key == "policy")
        if part.key == "policy":
            items.append(plain(part, r.policy, at))
        elif part.key == "backoff":
            grows = {"first": r.first, "factor": r.factor, "longest": r.longest, "jitter": r.jitter}
            value = tuple(_parts(part.fields, grows, at)) if r.delay is None else None
            items.append(Item(part.key, part.kind, value, at.origin))
        elif part.key == "rules":
            rules = tuple(
                Item(_end(rule), "choice", _AGAIN[rule.again], at.below(_end(rule)).origin)
                for rule in r.rules
            )
            items.append(Item(part.key, part.kind, rules, at.origin))
        else:
            # what another file says and this one stands in the place of is not said
            items.append(
                plain(part, values[part.key], Places([]) if values[part.key] is None else at)
            )
    return Item(field.key, field.kind, tuple(items), said.origin)


def delay_by_backoff(entry: Entry) -> bool:
    """Is it `restart-backoff` that says the fixed delay, rather than `restart.delay`?"""
    for layer in entry.layers:
        if "restart-backoff" in layer.nodes:
            return True
        if "delay" in layer.values.get("restart", {}):
            return False
    return False


def _end(rule: spec.RestartRule) -> str:
    if rule.signal is None:
        return str(rule.code)
    from procession.config import systems

    return next(name for name, number in systems.signals().items() if number == rule.signal)


def _stop(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    stop = task.stop
    values: dict[str, object] = {"extend": stop.extend}
    if not stop.steps:
        values |= {"signal": stop.signal, "to": stop.to, "timeout": stop.timeout}
        values["command"] = masked_arguments(stop.command)
    items = _parts(field.fields, values, said)
    if stop.steps:
        lists = Places([(part, node) for part, node in said.found if type(node) is Sequence])
        at = lists.or_else(said.below("steps"))
        steps = tuple(_step(step, at, i) for i, step in enumerate(stop.steps))
        items.insert(0, Item("steps", "steps", steps, at.origin))
    return Item(field.key, field.kind, tuple(items), said.origin)


def _step(step: spec.StopStep, said: Places, index: int) -> Item:
    part, node = said.found[0]
    at = Places([(part, node.items[index])] if isinstance(node, Sequence) else [])
    values: dict[str, object] = {"signal": step.signal, "to": step.to, "wait": step.wait}
    if step.command:
        values = {"command": masked_arguments(step.command), "wait": step.wait}
    return Item("", "step", tuple(_parts(keys.STEP_FIELDS, values, at)), at.origin)


def _depends_on(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    def of(need: spec.Dependency) -> Item:
        at = said.below(need.task)
        values = {"condition": need.condition, "restart": need.restart, "timeout": need.timeout}
        items = [
            plain(f, values[f.key], at.below(f.key, short=f.key == "condition"))
            for f in field.fields
        ]
        return Item(need.task, "mapping", tuple(items), at.or_else(said).origin)

    said = Places(said.found[:1])
    return Item(field.key, field.kind, tuple(of(need) for need in task.depends_on), said.origin)


def _check(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    check = task.ready if field.key == "ready" else task.health
    said = Places(said.found[:1])
    if check is None:
        return plain(field, None, said)
    parts = {part.key: part for part in field.fields}
    values: dict[str, object] = {
        "any": check.any,
        "interval": check.interval,
        "timeout": check.timeout,
        "initial-delay": check.initial_delay,
        "successes": check.successes,
        "failures": check.failures,
        "then": "restart" if check.restarts else "mark",
    }
    items = [_probe(parts[_key(p)], p, said.below(_key(p))) for p in check.probes]
    items += _parts(field.fields, values, said)
    return Item(field.key, field.kind, tuple(items), said.origin)


def _key(probe: spec.Probe) -> str:
    return type(probe).__name__.removesuffix("Probe").lower()


def _probe(field: keys.Field, probe: spec.Probe, said: Places) -> Item:
    value: object
    if isinstance(probe, spec.HttpProbe):
        return _http(field, probe, said)
    if isinstance(probe, spec.TcpProbe):
        host = f"[{probe.host}]" if ":" in probe.host else probe.host
        value = probe.port if probe.host == _LOCAL else f"{host}:{probe.port}"
    elif isinstance(probe, spec.ExecProbe):
        value = masked_arguments(probe.command)
    elif isinstance(probe, spec.LogProbe):
        value = masked_text(probe.pattern)
    elif isinstance(probe, spec.FileProbe | spec.UnixProbe):
        value = probe.path
    elif isinstance(probe, spec.FdProbe):
        value = probe.fd
    else:
        value = True
    return plain(field, value, said)


def _http(field: keys.Field, probe: spec.HttpProbe, said: Places) -> Item:
    at = said.below("headers")
    headers = tuple(
        Item(name, "variable", MASK if value else "", at.below(name).or_else(at).origin)
        for name, value in probe.headers
    )
    status = tuple(a if a == b else f"{a}-{b}" for a, b in probe.status)
    values: dict[str, object] = {
        "url": masked_text(probe.url),
        "method": probe.method,
        "status": status,
        "body": None if probe.body is None else masked_text(probe.body),
        "headers": headers,
    }
    items = [plain(f, values[f.key], said.below(f.key, short=f.key == "url")) for f in field.fields]
    return Item(field.key, field.kind, tuple(items), said.origin)


def _limits(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    def shown(value: int | None) -> object:
        return "unlimited" if value is None else value

    items = tuple(
        Item(
            name,
            "limit",
            shown(soft) if soft == hard else (shown(soft), shown(hard)),
            said.below(name).origin,
        )
        for name, (soft, hard) in task.limits
    )
    return Item(field.key, field.kind, items, said.origin)


def _cpus(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    return plain(field, task.cpus or None, said)  # none is all, and no list says that


def _umask(entry: Entry, task: spec.Task, field: keys.Field, said: Places) -> Item:
    return plain(field, None if task.umask is None else f"{task.umask:03o}", said)


NESTED: dict[str, Shower] = {
    "restart": _restart,
    "stop": _stop,
    "depends-on": _depends_on,
    "ready": _check,
    "health": _check,
    "limits": _limits,
    "cpus": _cpus,
    "umask": _umask,
}
