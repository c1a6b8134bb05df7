"""Problems as people read them: what is wrong, the line of the file, and a caret under the place.

Imported only where there is a problem: `up` pays for none of it.
"""

from __future__ import annotations

from procession.config.secrets import MASK, secret_at
from procession.config.source import Problem

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
    pointed = problem.replace(source_line=safe_line(problem)).pointed()
    if not pointed:
        return f"{head}\n"
    line, _, caret = pointed.partition("\n")
    number = str(problem.line)
    first, second = f"  {number} | ", f"  {' ' * len(number)} | "
    if color:
        first, second = f"{_CYAN}{first}{_RESET}", f"{_CYAN}{second}{_RESET}"
        caret = f"{caret[:-1]}{_RED}{_BOLD}^{_RESET}"
    return f"{head}\n{first}{line}\n{second}{caret}\n"


def safe_line(problem: Problem) -> str:
    """The source line as it may be shown; empty where the caret would stand in a secret."""
    line = problem.source_line
    start = max(0, problem.column - 1 - _BEFORE)
    at = secret_at(line[start : problem.column - 1 + _AFTER])
    at = at if at < 0 else start + at
    if ".environment." in problem.path or ".environment[" in problem.path:
        # whatever its name, a variable's value is not repeated: nobody knows what is in it
        end = _end_of_name(line, problem.column - 1)
        at = end if at < 0 else min(at, end)
    if at < 0 or at >= len(line.rstrip()):
        return line
    return line[:at] + MASK if problem.column - 1 <= at else ""


def _end_of_name(line: str, start: int) -> int:
    """Where a variable's value begins, the place of the problem being its name's or its own.

    0, which shows nothing, where more than this name stands before: other variables' values.
    """
    before = line[:start].strip(" \t-?")
    if before:
        return start if before[-1] in ":=" and not any(c in before[:-1] for c in ":=,{[") else 0
    ends = [line.find(sign, start) + 1 for sign in ":="]
    end = min((end for end in ends if end), default=start)
    return end + len(line[end:]) - len(line[end:].lstrip())
