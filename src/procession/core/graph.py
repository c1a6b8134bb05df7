"""Who depends on whom: order, waves and circles. Pure.

A graph is a mapping from each name to those it depends on, in the order of the file. Names that
are no keys of it are passed over: whether they are known is asked elsewhere. Nothing here recurses:
a chain may be as long as a file.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procession.spec import Task

    Edges = Mapping[str, Sequence[str]]


def edges_of(tasks: Iterable[Task]) -> dict[str, tuple[str, ...]]:
    """Of each task what it, or any of its replicas, depends on; each once."""
    return {
        task.name: tuple(
            dict.fromkeys(d.task for t in (task, *task.variants) for d in t.depends_on)
        )
        for task in tasks
    }


def order(edges: Edges) -> list[str]:
    """Each name after all it depends on, else as in `edges`. Raises ValueError, with the path, for
    names that depend on each other in a circle."""
    return [name for wave in waves(edges) for name in wave]


def waves(edges: Edges) -> list[list[str]]:
    """What can begin together: each wave depends on earlier ones only, and on the one before it
    for sure. Raises ValueError as `order`."""
    missing = {name: sum(n in edges for n in set(needs)) for name, needs in edges.items()}
    dependants: dict[str, list[str]] = {name: [] for name in edges}
    for name, needs in edges.items():
        for need in dict.fromkeys(needs):
            if need in edges:
                dependants[need].append(name)
    place = {name: n for n, name in enumerate(edges)}
    wave = [name for name, count in missing.items() if count == 0]
    found: list[list[str]] = []
    while wave:
        found.append(wave)
        after: list[str] = []
        for name in wave:
            for dependant in dependants[name]:
                missing[dependant] -= 1
                if missing[dependant] == 0:
                    after.append(dependant)
        wave = sorted(after, key=place.__getitem__)
    if sum(map(len, found)) < len(edges):
        raise ValueError(f"they depend on each other in a circle: {' -> '.join(cycles(edges)[0])}")
    return found


def cycles(edges: Edges) -> list[tuple[str, ...]]:
    """Circles, each as the path from its first name back to it: at least one through each group of
    names that depend on each other; empty where there are none."""
    done: set[str] = set()
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for root in edges:
        path: list[str] = []
        place: dict[str, int] = {}
        stack = [(root, iter(edges[root]))] if root not in done else []
        while stack:
            name, needs = stack[-1]
            if name not in place:
                place[name] = len(path)
                path.append(name)
            for need in needs:
                if need in place:
                    circle = path[place[need] :]
                    found.setdefault(frozenset(circle), (*circle, need))
                elif need in edges and need not in done:
                    stack.append((need, iter(edges[need])))
                    break
            else:
                stack.pop()
                done.add(name)
                del place[path.pop()]
    return list(found.values())


def closure(edges: Edges, names: Iterable[str]) -> dict[str, None]:
    """These names and all that they depend on, each after what it depends on as far as there are
    no circles."""
    found: dict[str, None] = {}
    for root in names:
        if root in found:
            continue
        seen = {root}
        stack = [(root, iter(edges.get(root, ())))]
        while stack:
            name, needs = stack[-1]
            for need in needs:
                if need in edges and need not in found and need not in seen:
                    seen.add(need)
                    stack.append((need, iter(edges[need])))
                    break
            else:
                stack.pop()
                found[name] = None
    return found
