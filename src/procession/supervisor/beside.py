"""What happens beside the runs: their checks, and the commands of their stops.

Here it is begun, and loaded, when the first of them is asked for; a project without any has
nothing of it.
"""

from __future__ import annotations

from procession import spec
from procession.core import actions as act
from procession.core import events as ev
from procession.process import spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.supervisor.errands import Errands
    from procession.supervisor.loop import Loop
    from procession.supervisor.perform import Performer
    from procession.supervisor.probes.checks import Probes
    from procession.supervisor.probes.outfit import Outfit
    from procession.supervisor.runs import LiveRun, RunKey

_PREPARED = spec.NotifyProbe | spec.FdProbe | spec.LogProbe | spec.FileProbe


class Beside:
    """The loop's thread. `makes` is told of each folder that we are to remove."""

    def __init__(self, loop: Loop, performer: Performer, makes: Callable[[str], object]) -> None:
        self._loop = loop
        self._performer = performer
        self._makes = makes
        self._errands: Errands | None = None
        self._probes: Probes | None = None
        self._waiting: set[tuple[str, int]] = set()  # runs that are over but for their errands

    def equip(self, task: spec.Task, uid: int | None) -> Outfit | None:
        """What a run of the task, as that user, needs for its checks before it is started. Raises
        OSError, ValueError."""
        checks = [check for check in (task.ready, task.health) if check is not None]
        prepared = any(isinstance(p, _PREPARED) for check in checks for p in check.probes)
        if not prepared and task.watchdog is None:
            return None
        return self._get_probes().equip(task, uid)

    def perform(self, action: act.Action) -> bool:
        """Carry it out, if it is of here alone."""
        if isinstance(action, act.BeginCheck):
            live = self._performer.live.get((action.replica, action.run))
            if live is not None:
                self._get_probes().begin(live, action.which)
        elif isinstance(action, act.EndChecks):
            self._end_checks((action.replica, action.run))
        elif isinstance(action, act.RunCommand):
            self._run(action)
        elif isinstance(action, act.EndCommand):
            self._end_command((action.replica, action.run))
        else:
            if isinstance(action, act.KillTree | act.Release):
                self._end_command((action.replica, action.run))
            return False
        return True

    def _run(self, a: act.RunCommand) -> None:
        def ended(words: str, ours: bool) -> None:
            self._loop.tell(ev.CommandEnded(a.replica, a.run, a.rung, not words, words))

        live = self._performer.live.get((a.replica, a.run))
        if live is None:
            ended("the run is over", False)
        else:
            self._get_errands().command(live, a.command, ended)

    def _end_checks(self, run: tuple[str, int]) -> None:
        if self._probes is not None:
            self._probes.end(run)

    def _end_command(self, run: tuple[str, int]) -> None:
        if self._errands is not None:
            self._errands.end_command(run)

    # --- what the loop sees ------------------------------------------------------------------

    def over(self, live: LiveRun) -> None:
        """All of the run's tree has ended: so does what is beside it."""
        self._end_checks(live.run)
        if self._errands is not None:
            self._errands.hurry(live.run)

    def leader_ended(self, live: LiveRun) -> None:
        """Of an errand."""
        self._get_errands().leader_ended(live)

    def drained(self, key: RunKey) -> None:
        """The output of a run or an errand, of which nothing lives, was read to the end."""
        if len(key) == 3:
            self._get_errands().drained(key)
            if key[:2] not in self._waiting:
                return
        run = key[0], key[1]
        if self._errands is not None and self._errands.are_beside(run):
            self._waiting.add(run)
        else:
            self._waiting.discard(run)
            self._loop.tell(ev.TreeEmpty(*run))

    def close(self) -> None:
        """Nothing lives any more: give back what is left. Idempotent."""
        if self._probes is not None:
            self._probes.close()

    # --- what is loaded when it is needed ----------------------------------------------------

    def _get_errands(self) -> Errands:
        if self._errands is None:
            spare.load("procession.supervisor.errands")
            from procession.supervisor.errands import Errands

            self._errands = Errands(self._performer, self._loop)
        return self._errands

    def _get_probes(self) -> Probes:
        if self._probes is None:
            spare.load("procession.supervisor.probes.checks")
            from procession.supervisor.probes.checks import Probes

            self._probes = Probes(self._loop, self._get_errands(), self._makes)
        return self._probes
