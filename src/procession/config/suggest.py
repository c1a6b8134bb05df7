"""Did you mean ...? The nearest known word, for keys and for words with few choices.

Own distance instead of difflib: that one scores by common blocks, so it misses `dir` for `cwd`
(which nothing but a table of other tools' words finds) and rates short words badly.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST = 40  # characters of a word that are worth comparing: the cost is their product


def closest(word: str, known: Iterable[str], others: Mapping[str, str] | None = None) -> str:
    """The word of `known` that was probably meant; empty if none is near.

    `others` maps words of other tools to ours (`command` to `program`); they win. Otherwise case,
    `_` for `-` and one edit in three characters are forgiven, an edit being one character
    inserted, dropped, replaced or swapped with its neighbour; and three or more characters that
    begin just one word (or several, of which one begins all others) are that word.
    """
    wanted = word.lower().replace("_", "-").replace(" ", "-")
    if not wanted or len(wanted) > _LONGEST:
        return ""
    words = list(known)
    if others is not None and wanted in others:
        return others[wanted]
    best, best_distance = "", max(1, (len(wanted) + 1) // 3) + 1
    for candidate in words:
        distance = _distance(wanted, candidate.lower(), best_distance)
        if distance < best_distance:
            best, best_distance = candidate, distance
    if best:
        return best
    longer = sorted((w for w in words if len(wanted) > 2 and w.lower().startswith(wanted)), key=len)
    return longer[0] if longer and all(w.startswith(longer[0]) for w in longer) else ""


def _distance(a: str, b: str, limit: int) -> int:
    """Optimal string alignment distance of `a` and `b`; `limit` stands for all from there on."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return min(row[-1], limit)
