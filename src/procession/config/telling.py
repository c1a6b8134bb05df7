"""Problems as people read them: what is wrong, the line of the file, and a caret under the place.

Imported only where there is a problem: `up` pays for none of it.
"""

from __future__ import annotations

from procession.config.source import Problem
from procession.secrets import HIDDEN, MASK, secret_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Bold and the terminal's own red and cyan: signs, not text, so no theme makes words unreadable.
_BOLD, _RED, _CYAN, _RESET = "\x1b[1m", "\x1b[31m", "\x1b[36m", "\x1b[0m"

# How much of a line is searched for secrets: a line may have a megabyte, and 500 problems. More
# than `Problem.pointed` ever shows after the place.
_BEFORE, _AFTER = 2000, 200


def told(problems: Iterable[object], *, color: bool) -> str:
    """Each problem's own line, then its source line and a caret where there is one.

    Whole lines, each ended. The place stands first in a line, `file:line:column: `, where
    terminals and editors look for it. Of a source line that holds what looks like a secret only
    the part before it is shown, since this may land in the log of a build.
    """
    return "".join(_told(problem, color) for problem in problems)


def _told(problem: object, color: bool) -> str:
    head = str(problem)
    if not isinstance(problem, Problem):
        return f"{head}\n"
    if color:
        place = head.find(f":{problem.line}:{problem.column}: ")
        end = place + len(f":{problem.line}:{problem.column}:")
        head = f"{_BOLD}{head[:end]}{_RESET}{head[end:]}"
    pointed = safe_line(problem).pointed()
    if not pointed:
        return f"{head}\n"
    line, _, caret = pointed.partition("\n")
    number = str(problem.line)
    first, second = f"  {number} | ", f"  {' ' * len(number)} | "
    if color:
        first, second = f"{_CYAN}{first}{_RESET}", f"{_CYAN}{second}{_RESET}"
        caret = f"{caret[:-1]}{_RED}{_BOLD}^{_RESET}"
    return f"{head}\n{first}{line}\n{second}{caret}\n"


def safe_line(problem: Problem) -> Problem:
    """The problem with its source line, and the column in it, as they may be shown.

    Without a line where the place itself is in a secret, or nothing is left of the line.
    """
    start = max(0, problem.column - 1 - _BEFORE)
    place = problem.column - 1 - start
    line = problem.source_line[start : start + place + _AFTER]
    parts: list[str] = []
    done = 0
    caret = place
    for begin, end in problem.hidden:
        first, last = max(begin - start, done), min(end - start, len(line))
        if last <= first:
            continue
        parts += (line[done:first], HIDDEN)
        if place >= last:
            caret -= last - first - len(MASK)
        elif place >= first:
            caret -= place - first
        done = last
    line = "".join((*parts, line[done:]))
    at = secret_at(line)
    drawn = line.replace(HIDDEN, MASK)
    if 0 <= at < len(line.rstrip()):
        at += line.count(HIDDEN, 0, at) * (len(MASK) - 1)
        drawn = drawn[:at] + MASK if caret <= at else ""
    if drawn.strip() == MASK:
        drawn = ""
    return problem.replace(source_line=drawn, column=caret + 1)
