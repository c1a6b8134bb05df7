"""Renders templates: the only module that imports Jinja2, run in a process of its own.

A template is a program, and one that never ends or fills the memory cannot be stopped from
inside: a sandbox bounds what it may touch, not how long `10 ** 10 ** 9` takes. So
`config.rendering` starts this module, gives it one job, and ends it by a deadline. Here are the
nearer bounds, which know the line of the template they were passed in: `CPU_SECONDS`, `MEMORY`
and `source.MAX_BYTES` of text.

The sandbox is Jinja2's: no attribute that begins with `_`, no way to the interpreter, so that
to check somebody's file runs nothing of theirs. Includes are read beside the file or below.

A job is one JSON object on standard input, an answer one on standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from types import GeneratorType

import jinja2
from jinja2.loaders import split_template_path
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from procession.config.concealing import hidden_in_text
from procession.config.source import MAX_BYTES, Source
from procession.config.suggest import closest
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

CPU_SECONDS = 0.75  # a file of 1,000 tasks by a loop takes 0.03
CPU_SECONDS_EACH = 0.002  # more for each text of a `template: true` file: one takes 0.0004
MAX_CPU_SECONDS = 10.0
MEMORY = 512 * 1024 * 1024  # bytes of address space

LATE = frozenset({"replica", "replicas"})  # known when the tasks are
_LOOP = "a loop, or `template: true` in a plain file", ""

Words = tuple[str, str, str]  # what; expected; suggestion


class _Bound(BaseException):
    """A limit was passed. Nothing on the way catches it."""

    def __init__(self, what: str, place: tuple[str, int] | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.place = place


class _Missing(jinja2.UndefinedError):
    """Something undefined was used: whose `name` is missing, of what."""

    def __init__(self, message: str, owner: object, name: object) -> None:
        super().__init__(message)
        self.owner = owner
        self.name = name


class _Strict(jinja2.StrictUndefined):
    """Undefined values that know, when used, what was asked for."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = jinja2.utils.missing,  # Any: whatever the template looked into
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        super().__init__(hint, obj, name, exc)
        if exc is jinja2.UndefinedError:
            # it is called with the message, and nothing else is done with it
            made = lambda message: _Missing(message or "", obj, name)  # noqa: E731
            self._undefined_exception = made  # type: ignore[assignment]  # not a class: see above


class _Renderer:
    """Renders texts that are found in the file at `path`, with the job's values."""

    def __init__(self, path: str, values: dict[str, Any]) -> None:
        self._path = path
        self._folder = os.path.dirname(path)
        self._values = values
        self._own: dict[str, str] = {}  # what is rendered, by the name it has here
        self._texts: dict[str, str] = {}  # all that was read, by the name it has in a traceback
        self._size = 0
        self._more: dict[str, int] = {}  # what the text that is being rendered knows besides
        self._env = SandboxedEnvironment(
            loader=jinja2.FunctionLoader(self._load),
            undefined=_Strict,
            trim_blocks=True,  # as the old launcher rendered: a line with just a tag leaves none
            lstrip_blocks=True,
        )

    def render(
        self, name: str, text: str, more: dict[str, int], *, late: bool = False
    ) -> dict[str, Any]:
        """`{"text": ...}`, or the problem: see `_problem`. `more`: values besides those of the job.
        `late`: what asks for one of `LATE` gives `{"late": True}`."""
        self._own[name] = text
        self._more = more
        try:
            if late and self._is_late(text):
                return {"late": True}
            return {"text": "".join(self._parts(self._env.get_template(name)))}
        except jinja2.TemplateSyntaxError as e:
            return self._problem(e, e.filename or name, e.lineno)
        except (Exception, _Bound) as e:  # noqa: BLE001 - whatever a template's expression raises
            return self._problem(e, *(_place(e) or (name, 1)))

    def _is_late(self, text: str) -> bool:
        if not any(name in text for name in LATE):
            return False
        return not LATE.isdisjoint(find_undeclared_variables(self._env.parse(text)))

    def _parts(self, template: jinja2.Template) -> Iterator[str]:
        running = template.generate(**self._values, **self._more)
        for part in running:
            yield part
            self._size += len(part)
            if self._size > MAX_BYTES:
                what = f"the rendered text is larger than {MAX_BYTES // 2**20} MiB"
                raise _Bound(what, _innermost(running))

    def _load(self, name: str) -> tuple[str, str, None] | None:
        """A template's text, and the name that it has in a traceback."""
        if name in self._own:
            self._texts[name] = self._own[name]
            return self._own[name], name, None
        path = os.path.join(self._folder, *split_template_path(name))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise _Bound(f"{quoted(name)} is larger than {MAX_BYTES // 2**20} MiB")
            self._texts[path] = data.decode("utf-8-sig")
            return self._texts[path], path, None
        return None

    def _problem(self, error: BaseException, file: str, line: int) -> dict[str, Any]:
        """`file` (empty: what was rendered itself), `line`, `column`, `source`, `words`."""
        lines = self._texts.get(file, "").splitlines()
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        name = str(error.name) if isinstance(error, _Missing) else ""
        return {
            "file": "" if file in self._own else file,
            "line": line,
            "column": _column(source, name),
            "source": source,
            "hidden": hidden_in_text(Source(file, self._texts.get(file, ""))).get(line, []),
            "words": self._words(error),
        }

    def _words(self, error: BaseException) -> Words:
        if isinstance(error, _Missing):
            return self._undefined(error)
        if isinstance(error, jinja2.TemplateSyntaxError):
            return _syntax(error)
        if isinstance(error, jinja2.TemplateNotFound):
            try:
                near = closest(str(error.name), os.listdir(self._folder))
            except OSError:
                near = ""
            what = f"there is no file {quoted(str(error.name))} to include"
            return what, "a file beside the template or below", near
        if isinstance(error, _Bound):
            return error.what, "", ""
        if isinstance(error, MemoryError):
            return f"rendering takes more than {MEMORY // 2**20} MiB of memory", "", ""
        if isinstance(error, RecursionError):
            return "templates include or call each other without an end", "", ""
        said = str(error) or type(error).__name__
        return f"cannot be rendered: {said}", "", ""

    def _undefined(self, error: _Missing) -> Words:
        name = str(error.name)
        if error.owner is jinja2.utils.missing:
            if name in LATE:
                return f"{quoted(name)} is not known to a file that is rendered as a whole", *_LOOP
            known = sorted({*self._values, *self._more})
            what = f"{quoted(name)} is not defined" if error.name else str(error)
            ours = ", ".join(f"`{word}`" for word in known)
            return what, f"{ours}, or what the template sets", closest(name, known)
        for owner, told, hint in (
            ("vars", "the variable {} has no value", f"`--var {name}=VALUE`, or a `default`"),
            ("env", "the environment variable {} is not set", "one that is, or a `default`"),
        ):
            if error.owner is self._values[owner]:
                return told.format(quoted(name)), hint, closest(name, self._values[owner])
        return str(error), "", ""


def _place(error: BaseException) -> tuple[str, int] | None:
    """The file and innermost line of a template that a traceback passed through."""
    if isinstance(error, _Bound) and error.place is not None:
        return error.place
    trace = error.__traceback__
    found = None
    while trace is not None:
        frame = trace.tb_frame
        if "__jinja_exception__" in frame.f_globals:
            # put there by Jinja2 for a frame of its Python code, with the template's own line
            found = frame.f_code.co_filename, trace.tb_lineno
        else:
            found = _line(frame, trace.tb_lineno) or found
        trace = trace.tb_next
    return found


def _innermost(running: object) -> tuple[str, int] | None:
    """Where a template that was not run to its end stands."""
    found = None
    while isinstance(running, GeneratorType):
        frame = running.gi_frame
        if frame is not None:
            found = _line(frame, frame.f_lineno) or found
        running = running.gi_yieldfrom
    return found


def _line(frame: FrameType, line: int) -> tuple[str, int] | None:
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return None
    return template.filename, template.get_corresponding_lineno(line)


def _column(source: str, name: str) -> int:
    """Where in its line a problem probably is: at the name, else at the first tag. From 1."""
    start = min((i for i in (source.find("{{"), source.find("{%")) if i >= 0), default=0)
    named = re.search(rf"\b{re.escape(name)}\b", source[start:]) if name else None
    return start + (named.start() if named else 0) + 1


def _syntax(error: jinja2.TemplateSyntaxError) -> Words:
    said = (error.message or "cannot be read").rstrip(".")
    return f"template syntax: {said[:1].lower()}{said[1:]}", "", ""


@contextlib.contextmanager
def _bounded(texts: int) -> Iterator[None]:
    """Limits on this process, where the platform has them; the starter's deadline always holds."""
    if sys.platform == "win32":
        yield
        return
    import resource

    seconds = min(CPU_SECONDS + CPU_SECONDS_EACH * (texts - 1), MAX_CPU_SECONDS)
    # where one operation lasts, no Python handler interrupts it, but the kernel does
    hard = int(seconds) + 2

    def late(*_: object) -> None:
        raise _Bound(f"rendering takes more than {seconds:g} s of processor time")

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def work(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to what is `asked`, in order: an index of `texts` and values for it each. See
    `_Renderer.render`."""
    renderer = _Renderer(job["path"], job["values"])
    texts = job["texts"]
    return [renderer.render(f"<{i}>", texts[i], m, late=job["late"]) for i, m in job["asked"]]


def serve(job: dict[str, Any]) -> None:
    """Do one job under the limits, and write its answer."""
    with _bounded(len(job["asked"])):
        answers = work(job)
    sys.stdout.write(json.dumps(answers))
    sys.stdout.flush()
