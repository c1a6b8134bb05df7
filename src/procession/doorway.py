"""Whether a project that runs can be seen and steered from outside, and by what.

Here `supervisor` and `control` meet, which do not know each other. What only a door needs is loaded
when the first tasks were started.
"""

from __future__ import annotations

import os
import sys

from procession.errors import AlreadyRunningError, HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.config.load import Loaded
    from procession.spec import Project
    from procession.supervisor.course import Course
    from procession.supervisor.steering import Steering

    if sys.platform != "win32":
        from procession.control.address import Claim
        from procession.control.door import Door


class Closed:
    """A project that nobody steers from outside: `why` not, if that is worth a word."""

    def __init__(self, why: str = "") -> None:
        self._why = why

    def open(self, course: Course) -> Steering | None:
        if self._why:
            course.say(f"it cannot be steered from outside: {self._why}")
        return None

    def close(self) -> None:
        """There is nothing to give back."""


if sys.platform == "win32":

    def door_of(project: Project, file: str, loaded: Loaded) -> Closed:
        """Of a running project, for those who want to see and steer it: POSIX hosts only."""
        return Closed()

else:

    class Open:
        """The project is claimed; it can be seen and steered from when its tasks were started."""

        def __init__(self, claim: Claim, project: Project, file: str, loaded: Loaded) -> None:
            self._claim = claim
            self._project = project
            self._file = file
            self._whole = loaded.project
            self._read = tuple(changed for name in loaded.files for changed in _changed(name))
            self._door: Door | None = None

        def open(self, course: Course) -> Steering | None:
            import time

            from procession.process import spare

            try:
                for module in ("control.address", "control.door", "supervisor.steering"):
                    spare.load(f"procession.{module}")
            except OSError as e:
                course.say(f"it cannot be steered from outside: {e.strerror or e}")
                return None
            from procession.control.address import OF_FILE, About
            from procession.control.door import Door
            from procession.supervisor.steering import Steering

            steering = Steering(course)
            out: tuple[str, ...] = ()
            if self._project.tasks is not self._whole.tasks:
                from procession.core.selection import left_out

                out = left_out(self._whole, self._project)
            about = About(
                self._project.name,
                self._file,
                os.getpid(),
                time.time(),
                course.logs,
                out,
                self._read,
            )
            course.note(f"{self._project.name}: {OF_FILE}{self._file}")
            self._door = Door(self._claim)
            if (trouble := self._door.open(steering, about)) is not None:
                course.say(trouble)
            return steering

        def close(self) -> None:
            if self._door is not None:
                self._door.close()
            self._claim.release()

    def _changed(file: str) -> Iterable[tuple[str, int]]:
        """(its real path, when it was changed last, in ns); nothing for what is no file."""
        try:
            yield os.path.realpath(file), os.stat(file).st_mtime_ns
        except OSError:
            return  # standard input, or it is gone already

    def door_of(project: Project, file: str, loaded: Loaded) -> Open | Closed:
        """Of a running project, for those who want to see and steer it; `loaded` is what it was
        chosen from. Raises AlreadyRunningError where another supervisor runs this very project."""
        from procession.control.address import claim, runtime_folder

        path = os.path.realpath(file)
        try:
            runtime = runtime_folder(os.environ, make=True)
            return Open(claim(runtime, path, project.name), project, path, loaded)
        except AlreadyRunningError:
            raise
        except HostError as e:
            return Closed(str(e))
        except OSError as e:
            return Closed(f"{e.filename or 'its folder'}: {e.strerror or e}")
