"""The variables that every run finds in its environment. Pure.

Beside them a run has the cookie of its tree (`process.tree.COOKIE`), and for its checks what
`probes.outfit` says.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import Replica

# By these the manager of *this* process is spoken to, if it has one. A task that inherited them
# would speak to it in our name: say that we are ready, or stopping.
MANAGERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

PID = "PROCESSION_PID"  # in the environment of a stop's command: whom it is to stop


def injected(project: str, replica: Replica, run: int) -> dict[str, str]:
    """Of that run. They win over what the task's own environment says under the same names."""
    task = replica.task
    found = {
        "PROCESSION_PROJECT": project,
        "PROCESSION_TASK": task.name,
        "PROCESSION_REPLICA": str(replica.index),
        "PROCESSION_RUN_NUMBER": str(run),
    }
    if task.port is not None:
        found["PORT"] = str(task.port + replica.index - 1)
    return found
