"""What a task needs of this host before it can start: its folder, environment and program.

Rules (POSIX.1-2017, chapter 8 and `exec`, where it leaves no choice; ours are marked *)
- The environment is the inherited one, over it the env-files in their order, over them the task's
  own variables. PATH is the one that comes out of this, not the supervisor's.
- A program with a slash is meant from the task's folder. One without is searched in PATH, in
  order; a file that is not executable is passed over.
- An empty or relative entry of PATH is meant from the task's folder. PATH unset: `os.defpath`.
  * PATH set to nothing: nothing is found (glibc would search the folder; nobody means that).
- * A `launch-prefix` gets the program's absolute path, and is found as a program is; so are the
  commands of probes and stops, in the task's own folder and environment.
- * How env-files are read is said in `procession.envfile`.
"""

from __future__ import annotations

import os
import stat
import sys

from procession._record import Record
from procession.envfile import read_env_file
from procession.errors import ProcessionError, one_line, quoted
from procession.spec import ExecProbe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from procession.envfile import Wrong
    from procession.spec import Task


_WINDOWS = sys.platform == "win32"
PATHEXT = ".COM;.EXE;.BAT;.CMD"  # what cmd.exe falls back to
_SUGGESTIONS = 20  # searches of a whole PATH for a similar name, in one load
_CANNOT_RUN, _NOT_FOUND = 126, 127  # as shells exit (POSIX, 2.8.2)


class Launch(Record):
    """All that a spawn of the task needs; nothing is left to look up."""

    argv: tuple[str, ...]  # the program as the file calls it, then its arguments
    executable: str  # absolute
    cwd: str  # absolute
    env: dict[str, str]  # the whole environment, this launch's own copy

    _hidden = frozenset({"env"})


class Trouble(Record):
    """One thing that keeps a task from being launched, and the key it belongs to."""

    key: str  # `program`, `cwd`, `env-file`, `ready.exec`, ...
    what: str
    expected: str = ""
    suggestion: str = ""
    index: int | None = None  # of a list of env-files, groups or steps
    file: str = ""  # the env-file, if the mistake is inside it
    line: int = 0
    column: int = 1
    program: bool = False  # it is about one that is missing, which may come

    def __str__(self) -> str:
        text = f"{one_line(self.file)}:{self.line}:{self.column}: " if self.file else ""
        text += f"{self.key}: {self.what}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.suggestion:
            text += f"; did you mean {quoted(self.suggestion)}?"
        return text


class LookupProblem(ProcessionError):  # noqa: N818 - LookupError is Python's, and something else
    """A task cannot be launched as this host is now. `troubles` holds every reason.

    `status` is what a shell would exit with: 127 if the program is not there, else 126.
    """

    def __init__(self, task: str, troubles: Iterable[Trouble], status: int = _CANNOT_RUN) -> None:
        self.task = task
        self.troubles = tuple(troubles)
        self.status = status
        super().__init__(f"{task}: " + "; ".join(str(t) for t in self.troubles))


def resolve(task: Task, folder: str, environ: Mapping[str, str]) -> Launch:
    """How to launch `task` now. `folder` (absolute) is its folder if it names none.

    Raises LookupProblem. For many tasks at once use one `Lookup`, which asks the host once.
    """
    return Lookup(environ).resolve(task, folder)


def program_of(name: str, env: Mapping[str, str], cwd: str) -> str:
    """The file that a command means which runs in this environment and folder (absolute).

    Raises LookupProblem.
    """
    file, trouble = Lookup(env).program(name, env.get("PATH", os.defpath), cwd)
    if trouble is not None:
        raise LookupProblem(name, (trouble,), _CANNOT_RUN if file else _NOT_FOUND)
    return file


class Lookup:
    """Looks tasks up, remembering what it saw: folders, env-files, programs by PATH and name.

    So one is good for one moment, such as the loading of a file. Not thread-safe.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._folders: dict[str, Trouble | None] = {}
        self._files: dict[str, tuple[dict[str, str], list[Trouble]]] = {}
        self._paths: dict[str, tuple[list[str], bool]] = {}
        self._programs: dict[tuple[str, str, str], tuple[str, Trouble | None]] = {}
        self._names: dict[str, list[str]] = {}
        self._searches = 0
        self._pathext = self._environ.get("PATHEXT", PATHEXT)

    def resolve(self, task: Task, folder: str) -> Launch:
        cwd, env, executable, troubles = self._look(task, folder, frozenset())
        if troubles:
            missing = troubles[-1].key == "program" and not executable
            raise LookupProblem(task.name, troubles, _NOT_FOUND if missing else _CANNOT_RUN)
        argv = ("sh", "-c", task.program) if task.shell else (task.program, *task.args)
        if task.launch_prefix:
            argv = (*task.launch_prefix, executable, *argv[1:])
            path = env.get("PATH", os.defpath)
            executable = self._program(task.launch_prefix[0], path, cwd, folder)[0]
        return Launch(argv, executable, cwd, env)

    def troubles(self, task: Task, folder: str, wrong: frozenset[str]) -> list[Trouble]:
        """What is wrong with a task of which the values of some keys are not known."""
        return self._look(task, folder, wrong)[-1]

    def _look(
        self, task: Task, folder: str, wrong: frozenset[str]
    ) -> tuple[str, dict[str, str], str, list[Trouble]]:
        """Where, with which environment, and which file; and what is wrong, the program last."""
        troubles: list[Trouble] = []
        cwd = task.cwd or folder
        wrong_folder = None if "cwd" in wrong else self._folder(cwd)
        if wrong_folder is not None:
            troubles.append(wrong_folder)
        env = self._environment(task, troubles)
        executable = ""
        path = env.get("PATH", os.defpath)
        broken = wrong.union(trouble.key for trouble in troubles) if troubles else wrong
        if _asks(task):
            from procession import grants  # resource, pwd and grp, which few files need

            troubles += (
                Trouble(no.key, no.what, no.expected, no.suggestion, no.index)
                for no in grants.refused(task)
            )
        for key, index, name in _commands(task) if _has_commands(task) else ():
            if not broken or not self._leans_on(name, path, broken - {"program"}):
                trouble = self._program(name, path, cwd, folder)[1]
                if trouble is not None:
                    troubles.append(trouble.replace(key=key, index=index))
        program = _SHELL if task.shell else task.program
        if not broken or not self._leans_on(program, path, broken):
            executable, trouble = self._program(program, path, cwd, folder)
            if trouble is not None:
                troubles.append(trouble)
        return cwd, env, executable, troubles

    def program(self, name: str, path: str, cwd: str) -> tuple[str, Trouble | None]:
        """The absolute path of a program, and what is wrong with it. Empty: it is not there."""
        return self._program(name, path, cwd, cwd)

    def _folder(self, path: str) -> Trouble | None:
        if path not in self._folders:
            self._folders[path] = _folder_trouble(path)
        return self._folders[path]

    def env_file(self, path: str) -> tuple[dict[str, str], list[Trouble]]:
        """What an env-file says, and what is wrong in it: `envfile.read_env_file`, once for each
        file, since what a FIFO gave cannot be read again."""
        if path not in self._files:
            values, wrong = read_env_file(path)
            self._files[path] = values, [_of_env_file(path, one) for one in wrong]
        return self._files[path]

    def _environment(self, task: Task, troubles: list[Trouble]) -> dict[str, str]:
        env = self._environ.copy()
        for i, file in enumerate(task.env_files):
            values, wrong = self.env_file(file)
            troubles += (t.replace(index=i) for t in wrong)
            _lay_over(env, values.items())
        _lay_over(env, task.environment)
        return env

    # --- programs ----------------------------------------------------------------------------

    def _leans_on(self, name: str, path: str, wrong: frozenset[str]) -> bool:
        """Would looking the program up just tell what is wrong again, in other words?"""
        if "program" in wrong:
            return True
        if is_path(name, _WINDOWS):
            return not os.path.isabs(name) and "cwd" in wrong
        if "cwd" in wrong and self._path_entries(path)[1]:
            return True
        return not wrong.isdisjoint(("environment", "env-file"))

    def _program(self, name: str, path: str, cwd: str, folder: str) -> tuple[str, Trouble | None]:
        """The program's absolute path, and what is wrong with it.

        A trouble with a path means that something is there, one without that nothing is.
        """
        if is_path(name, _WINDOWS):
            key = ("", name, cwd)
            if key not in self._programs:
                self._programs[key] = self._by_path(name, cwd, folder)
            return self._programs[key]
        folders, relative = self._path_entries(path)
        key = (path, name, cwd if relative else "")
        if key not in self._programs:
            self._programs[key] = self._by_name(name, path, folders, cwd)
        return self._programs[key]

    def _path_entries(self, path: str) -> tuple[list[str], bool]:
        """PATH taken apart, and whether what it means depends on the task's folder."""
        known = self._paths.get(path)
        if known is None:
            entries = path.split(os.pathsep) if path else []
            known = entries, not all(map(os.path.isabs, entries))
            self._paths[path] = known
        return known

    def _by_path(self, name: str, cwd: str, folder: str) -> tuple[str, Trouble | None]:
        full = os.path.join(cwd, name)
        wrong = ""
        for file in file_names(full, self._pathext, _WINDOWS):
            wrong = _not_executable(file)
            if not wrong:
                return file, None
        if wrong != _MISSING:
            return full, _program_trouble(f"{quoted(name)} {wrong}", _EXECUTABLE)
        first, *rest = name.split() or [""]
        if rest:
            return "", _program_trouble(f"{quoted(name)} does not exist", *_alone(name, first))
        what = f"{quoted(name)} does not exist" + (f" in {quoted(cwd)}" if full != name else "")
        beside = os.path.join(folder, name)
        meant = beside if beside != full and not _not_executable(beside) else ""
        return "", _program_trouble(what, "a path from the task's `cwd`", meant)

    def _by_name(
        self, name: str, path: str, folders: list[str], cwd: str
    ) -> tuple[str, Trouble | None]:
        passed_over = ("", "")
        files = file_names(name, self._pathext, _WINDOWS)
        for folder in folders:
            for file in files:
                full = os.path.join(cwd, folder, file)
                wrong = _not_executable(full)
                if not wrong:
                    return full, None
                if wrong != _MISSING and not passed_over[0]:
                    passed_over = full, wrong
        full, wrong = passed_over
        if full:
            what = f"{quoted(name)} on PATH is {quoted(full)}, which {wrong}"
            return full, _program_trouble(what, _EXECUTABLE)
        if not path:
            what = f"{quoted(name)} cannot be found: the task's PATH is empty"
            return "", _program_trouble(what, "a PATH, or the program's path")
        what = f"{quoted(name)} is not on the task's PATH"
        return "", _program_trouble(what, *self._instead_of_name(name, path, folders, cwd))

    def _instead_of_name(
        self, name: str, path: str, folders: list[str], cwd: str
    ) -> tuple[str, str]:
        """What was expected of a bare name, and what was probably meant."""
        first, *rest = name.split() or [""]
        if rest:
            return _alone(name, first)
        expected = "a program of a folder of PATH, or a path to one"
        if not _not_executable(os.path.join(cwd, name)):
            return expected, os.path.join(os.curdir, name)
        self._searches += 1
        if self._searches > _SUGGESTIONS:
            return expected, ""
        if path not in self._names:
            self._names[path] = _names_in(folders, cwd)
        return expected, _similar(name, self._names[path])


_SHELL = "/bin/sh"
_MISSING = "does not exist"
_EXECUTABLE = "a file that may be executed"
_ALONE = "the program alone: arguments belong in `args`"
_SHELL_SIGNS = frozenset("|&;<>$`*")


def _alone(name: str, first: str) -> tuple[str, str]:
    """What was expected of words that are no program, and what was probably meant."""
    if _WINDOWS or _SHELL_SIGNS.isdisjoint(name):
        return _ALONE, first
    return f"{_ALONE}; a line for the shell says `shell: true` beside it", ""


def is_path(name: str, windows: bool) -> bool:
    """Is a program given by its path, rather than by a name to look up?"""
    return "/" in name or (windows and ("\\" in name or name[1:2] == ":"))


def file_names(name: str, pathext: str, windows: bool) -> list[str]:
    """The files that `name` may mean: on Windows, with each ending of PATHEXT it does not have."""
    if not windows:
        return [name]
    endings = [e for e in pathext.split(";") if e]
    if any(name.lower().endswith(e.lower()) for e in endings):
        return [name]
    return [name + e for e in endings]


def _program_trouble(what: str, expected: str, suggestion: str = "") -> Trouble:
    return Trouble("program", what, expected, suggestion, program=True)


def _has_commands(task: Task) -> bool:
    stop = task.stop
    return bool(
        task.launch_prefix
        or task.ready is not None
        or task.health is not None
        or stop.command
        or stop.steps
    )


def _commands(task: Task) -> Iterator[tuple[str, int | None, str]]:
    """The programs that a task needs besides its own: their keys, and where in a list."""
    if task.launch_prefix:
        yield "launch-prefix", None, task.launch_prefix[0]
    for key, check in (("ready", task.ready), ("health", task.health)):
        for probe in () if check is None else check.probes:
            if isinstance(probe, ExecProbe):
                yield f"{key}.exec", None, probe.command[0]
    if task.stop.command:
        yield "stop.command", None, task.stop.command[0]
    for i, step in enumerate(task.stop.steps):
        if step.command:
            yield "stop.steps", i, step.command[0]


def _asks(task: Task) -> bool:
    """Does the task ask for more than a program, that the host may refuse?"""
    return (
        task.user is not None
        or task.group is not None
        or task.supplementary_groups is not None
        or task.nice is not None
        or bool(task.cpus or task.limits)
    )


def _of_env_file(path: str, wrong: Wrong) -> Trouble:
    place = (path, wrong.line, wrong.column) if wrong.line else ("", 0, 1)
    return Trouble("env-file", wrong.what, wrong.expected, "", None, *place)


def _lay_over(env: dict[str, str], values: Iterable[tuple[str, str]]) -> None:
    if _WINDOWS:  # where names have no case, and os.environ gives them in capitals
        values = [(name.upper(), value) for name, value in values]
    env.update(values)


def _may_execute(path: str) -> bool:
    """As execve asks: by the effective ids and capabilities, not by the real ones of access(2)."""
    return os.access(path, os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _not_executable(path: str) -> str:
    """Why the file cannot be executed, as the end of a sentence; empty if it can."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _MISSING
    except OSError as error:
        return f"cannot be looked at: {(error.strerror or str(error)).lower()}"
    if stat.S_ISDIR(mode):
        return "is a folder"
    if not stat.S_ISREG(mode):
        return "is not a regular file"
    if not _may_execute(path):
        return "may not be executed: its permissions do not allow it"
    return ""


def _folder_trouble(path: str) -> Trouble | None:
    expected = "a folder that exists"
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return Trouble("cwd", f"{quoted(path)} does not exist", expected)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Trouble("cwd", f"{quoted(path)} cannot be used: {reason}", expected)
    if not stat.S_ISDIR(mode):
        return Trouble("cwd", f"{quoted(path)} is not a folder", expected)
    if not _may_execute(path):
        return Trouble("cwd", f"{quoted(path)} may not be entered", "a folder with that permission")
    return None


def _names_in(folders: list[str], cwd: str) -> list[str]:
    names: set[str] = set()
    for folder in folders:
        try:
            names.update(os.listdir(os.path.join(cwd, folder)))
        except OSError:
            pass  # a folder of PATH that is not there is no mistake, and has no names
    return sorted(names)


def _similar(name: str, names: list[str]) -> str:
    """The name most like `name`, if any is; `python3` for `python`."""
    from difflib import get_close_matches

    stem = name[:-4] if name.lower().endswith(".exe") else name
    near = [n for n in names if n[:1] == name[:1] and abs(len(n) - len(stem)) < 3]
    return next(iter(get_close_matches(stem, near, 1, 0.75)), "")
