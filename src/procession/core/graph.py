"""Who needs whom: in which waves tasks start, and whether any wait for each other. Pure.

`edges` maps a name to the names it needs; what is not among `names` is passed over.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def waves(names: Iterable[str], edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The names in waves, each in the order given: what a name needs is in a wave before its own.

    Raises ValueError where there is a cycle.
    """
    order = list(names)
    known = set(order)
    needed_by: dict[str, list[str]] = {name: [] for name in order}
    open_needs = dict.fromkeys(order, 0)
    for name in order:
        for need in set(edges.get(name, ())) & known:
            needed_by[need].append(name)
            open_needs[name] += 1
    wave = [name for name in order if not open_needs[name]]
    place = {name: i for i, name in enumerate(order)}
    found: list[list[str]] = []
    while wave:
        found.append(wave)
        following = []
        for name in wave:
            for other in needed_by[name]:
                open_needs[other] -= 1
                if not open_needs[other]:
                    following.append(other)
        wave = sorted(following, key=place.__getitem__)
    if sum(map(len, found)) < len(order):
        raise ValueError(f"names that need each other: {cycle(order, edges)}")
    return found


def cycle(names: Iterable[str], edges: Mapping[str, Iterable[str]]) -> list[str] | None:
    """The names of one cycle, each needing the next and the last the first; None: there is none."""
    order = list(names)
    known = set(order)
    done: set[str] = set()
    for root in order:
        if root in done:
            continue
        path: list[str] = []
        on_path: set[str] = set()
        waiting = [(root, iter(edges.get(root, ())))]
        path.append(root)
        on_path.add(root)
        while waiting:
            name, needs = waiting[-1]
            following = next((n for n in needs if n in known and n not in done), None)
            if following is None:
                waiting.pop()
                done.add(name)
                on_path.discard(path.pop())
            elif following in on_path:
                return path[path.index(following) :]
            else:
                waiting.append((following, iter(edges.get(following, ()))))
                path.append(following)
                on_path.add(following)
    return None
