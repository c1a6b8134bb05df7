"""`procession up` on a terminal: typed keys, colours. The terminal is a pseudo-terminal."""

from __future__ import annotations

import re
import signal

import pytest

from tests.support.up import Project, Terminal, actor, sh

CTRL_C = b"\x03"
CTRL_BACKSLASH = b"\x1c"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ANY_TERMINAL = {"TERM": "xterm-256color"}


@pytest.mark.quick
def test_a_typed_ctrl_c_reaches_each_task_once(project: Project, terminal: Terminal) -> None:
    gate = project.gate("gate")
    names = ["a", "b", "c"]
    project.tasks({n: actor("hears_once", n, gate, stop={"timeout": "1h"}) for n in names})
    up = project.up(wrap=terminal.wrap)
    supervisor = {event.parent for event in project.stage.ready(*names)}
    terminal.type(CTRL_C)
    heard = project.stage.wait("heard", *names)
    project.open_gate("gate")
    assert up.status() == 0, terminal.drain()
    project.stage.gone()
    assert [e.words[0] for e in heard] == ["SIGTERM"] * 3
    assert {int(e.words[1]) for e in heard} == supervisor
    assert [e.words for e in project.stage.all("pending")] == [()] * 3


@pytest.mark.quick
def test_a_second_typed_ctrl_c_forces(project: Project, terminal: Terminal) -> None:
    tasks = {
        "deaf": actor("family", "deaf", "deaf", 1, 1, stop={"timeout": "1h"}),
        "patient": actor("hears_once", "patient", project.gate("never"), stop={"timeout": "1h"}),
    }
    project.tasks(tasks)
    up = project.up(wrap=terminal.wrap)
    project.stage.ready(count=4)
    terminal.type(CTRL_C)
    project.stage.wait("heard", "patient")
    terminal.type(CTRL_C)
    assert up.status() == 0, "a forced stop was asked for all the same"
    project.stage.gone()
    assert "forced" in terminal.drain()


def test_a_ctrl_c_after_a_sent_signal_forces_only_when_it_is_the_second_typed(
    project: Project, terminal: Terminal
) -> None:
    """A manager asked first: the person at the terminal has not asked for anything yet."""
    gate = project.gate("gate")
    project.tasks(
        {
            "patient": actor("hears_once", "patient", gate, stop={"timeout": "1h"}),
            "deaf": actor("deaf", "deaf", stop={"timeout": "600ms"}),
        }
    )
    up = project.up(wrap=terminal.wrap)
    _, deaf = project.stage.ready("patient", "deaf")
    up.kill(signal.SIGTERM)
    project.stage.wait("heard", "patient")
    terminal.type(CTRL_C)
    up.kill(signal.SIGINT)
    assert not project.stage.left(deaf)
    project.open_gate("gate")
    project.stage.wait("pending", "patient")
    assert up.status() == 0, terminal.drain()
    project.stage.gone()


def test_ctrl_backslash_stops_gracefully_too(project: Project, terminal: Terminal) -> None:
    project.tasks({"a": actor("obedient", "a")})
    up = project.up(wrap=terminal.wrap)
    project.stage.ready("a")
    terminal.type(CTRL_BACKSLASH)
    assert up.status() == 0, terminal.drain()
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]


def test_the_end_of_the_terminal_is_a_stop(project: Project) -> None:
    """The window is closed: the kernel hangs up, and writing fails from then on."""
    terminal = Terminal()
    try:
        project.tasks({"a": actor("obedient", "a")})
        up = project.up(wrap=terminal.wrap)
        project.stage.ready("a")
    finally:
        terminal.close()
    assert up.status() == 0
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]


def test_each_task_has_a_colour_of_its_own(project: Project, terminal: Terminal) -> None:
    project.tasks({"a": sh("echo one"), "b": sh("echo two")})
    up = project.up(wrap=terminal.wrap, env=ANY_TERMINAL)
    assert up.status() == 0
    text = terminal.drain()
    colours = {}
    for name, word in (("a", "one"), ("b", "two")):
        (line,) = [line for line in text.splitlines() if line.endswith(word)]
        assert COLOURS.sub("", line) == f"{name}          | {word}"
        colours[name] = COLOURS.findall(line)[0]
        last = COLOURS.findall(line)[-1]
        assert last in ("\x1b[0m", "\x1b[m", "\x1b[39m"), "the colour must end before the text"
        assert line.rindex("\x1b") < line.index(word)
    assert colours["a"] != colours["b"]


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--no-color"], ANY_TERMINAL),
        ([], ANY_TERMINAL | {"NO_COLOR": "1"}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_colours_can_be_forbidden(
    project: Project, terminal: Terminal, words: list[str], env: dict[str, str]
) -> None:
    project.tasks({"a": sh("echo one; echo bad >&2; exit 3")})
    up = project.up(*words, wrap=terminal.wrap, env=env)
    assert up.status() == 3
    assert "\x1b" not in terminal.drain()
    assert "a          | one" in terminal.text


def test_an_empty_no_color_forbids_nothing(project: Project, terminal: Terminal) -> None:
    """no-color.org: present and not an empty string."""
    project.tasks({"a": sh("echo one")})
    up = project.up(wrap=terminal.wrap, env=ANY_TERMINAL | {"NO_COLOR": ""})
    assert up.status() == 0
    assert "\x1b" in terminal.drain()


def test_stderr_to_a_file_and_stdout_to_a_terminal(project: Project, terminal: Terminal) -> None:
    """Each output by itself: escapes in a file are noise."""
    project.tasks({"a": sh("echo one; echo bad >&2")})
    err = project.folder / "err.txt"
    shell = ["/bin/sh", "-c", f'exec "$@" 2>{err}', "sh"]
    up = project.up(wrap=[*terminal.wrap, *shell], env=ANY_TERMINAL)
    assert up.status() == 0
    assert "\x1b" in terminal.drain()
    assert "\x1b" not in err.read_text()
    assert "a          | bad" in err.read_text().splitlines()
