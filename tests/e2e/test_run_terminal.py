"""`procession run` on a terminal, as under a shell: the command has the keys, job control works."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Program
from tests.support.run import acting, run, told
from tests.support.stage import WITHIN
from tests.support.up import PROCESSION, PROGRAMS, Project, Terminal

PROMPT = "here> "
CTRL_C, CTRL_Z, CTRL_D = b"\x03", b"\x1a", b"\x04"
BASH = ("/bin/bash", "--norc", "--noprofile", "--noediting", "-i")
RUN = shlex.join([*PROCESSION, "run"])
ECHO = "sed -u 's/.*/<&>/'"  # what was typed is shown twice, and only the second time so


@pytest.fixture
def shell(project: Project, terminal: Terminal) -> Iterator[Terminal]:
    """bash with job control on a terminal of its own, in the project's folder."""
    wrap = [sys.executable, "-S", str(PROGRAMS / "up_on_terminal.py"), terminal.path]
    env = project.environment({"PS1": PROMPT, "TERM": "xterm", "HISTFILE": "/dev/null"})
    with Program(*wrap, *BASH, env=env, cwd=project.folder, session=False) as program:
        terminal.until(PROMPT)
        yield terminal
        terminal.type(b"exit\nexit\n")
        program.wait(10)


def line(terminal: Terminal, text: str) -> None:
    """Type a line at the prompt; what was shown before is forgotten."""
    terminal.seen = b""
    terminal.type(text.encode() + b"\n")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def until_in_front(terminal: Terminal, group: int) -> None:
    """Until the shell has given it the terminal; nothing tells when that happens."""
    deadline = time.monotonic() + WITHIN
    while os.tcgetpgrp(terminal.near) != group:
        assert time.monotonic() < deadline, terminal.drain()
        os.sched_yield()


# --- the terminal is the command's


@pytest.mark.quick
def test_the_command_is_the_foreground_group_of_the_same_session(
    project: Project, terminal: Terminal
) -> None:
    code = "import os; t = os.tcgetpgrp(0); print(t == os.getpgrp() == os.getpid(), os.getsid(0))"
    up = run(project, sys.executable, "-S", "-c", code, terminal=terminal)
    assert up.status() == 0, terminal.drain()
    assert terminal.until("True").split() == ["True", str(up.pid)]


@pytest.mark.quick
def test_it_has_it_from_its_first_instruction(project: Project, shell: Terminal) -> None:
    """No program finds itself in the background first: 20 quick ones that would be stopped."""
    line(shell, f"for i in $(seq 20); do {RUN} stty sane || break; done; echo all $((9 * 9))")
    shell.until("all 81")
    assert "Stopped" not in shell.text


@pytest.mark.quick
def test_a_typed_ctrl_c_means_the_command_alone(project: Project, terminal: Terminal) -> None:
    gate = project.gate("gate")
    words = ["--json-result", "result.json", *acting("hears_once", "a", gate)]
    up = run(project, *words, terminal=terminal)
    project.stage.ready("a")
    terminal.type(CTRL_C)
    (heard,) = project.stage.wait("heard", "a")
    assert heard.words == ("SIGINT", "0"), "from the terminal, not from us"
    project.open_gate("gate")
    (pending,) = project.stage.wait("pending", "a")
    assert pending.words == ()
    assert up.status() == 0
    assert told(project)["reason"] == "exited"


def test_typed_keys_never_force_a_program_that_lives_with_them(
    project: Project, terminal: Terminal
) -> None:
    """An interactive program hears many a Ctrl-C in its life."""
    code = (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "print('ready', flush=True)\n"
        "for n in range(4): signal.sigwait({signal.SIGINT}); print('caught', n, flush=True)\n"
        "print('read', repr(input()), flush=True)\n"
    )
    up = run(project, sys.executable, "-S", "-c", code, terminal=terminal)
    terminal.until("ready")
    for number in range(4):
        terminal.type(CTRL_C)
        terminal.until(f"caught {number}")
    terminal.type(b"words\n")
    terminal.until("read 'words'")
    assert up.status() == 0


@pytest.mark.quick
def test_a_ctrl_c_that_kills_the_command_ends_run_the_same_way(
    project: Project, terminal: Terminal
) -> None:
    gate = project.gate("there")
    up = run(project, "sh", "-c", f"echo x >{gate}; exec sleep 1000", terminal=terminal)
    with open(gate) as there:
        there.read()
    terminal.type(CTRL_C)
    assert up.status() == -signal.SIGINT


def test_without_a_terminal_it_has_a_session_of_its_own(project: Project) -> None:
    up = run(project, *acting("obedient", "a"))
    (ready,) = project.stage.ready("a")
    pid, _, group, session = map(int, ready.words[:4])
    assert pid == group == session
    project.stage.signal(ready, signal.SIGTERM)
    assert up.status() == 0


@pytest.mark.quick
def test_the_terminal_comes_back_when_it_ends(project: Project, shell: Terminal) -> None:
    (project.folder / "twice.sh").write_text(f"{RUN} true\nread word\necho got $word\n")
    line(shell, "sh twice.sh")
    shell.type(b"milk\n")
    shell.until("got milk")
    shell.until(PROMPT)


def test_the_terminals_modes_come_back_when_it_is_killed(project: Project, shell: Terminal) -> None:
    (project.folder / "spoil.sh").write_text("stty -echo -icanon; exec sleep 1000\n")
    line(shell, f"{RUN} --timeout 300ms sh spoil.sh; stty -a")
    text = shell.until(" echo ")
    assert " icanon " in text
    assert "-icanon" not in text


def test_tostop_stops_none_of_us(project: Project, shell: Terminal) -> None:
    line(shell, f"stty tostop; {RUN} sh -c 'echo one; kill -9 $PPID'; echo status $?; stty -tostop")
    shell.until("status 125")


# --- job control


@pytest.mark.quick
def test_ctrl_z_and_fg(project: Project, shell: Terminal) -> None:
    line(shell, f"{RUN} {ECHO}")
    shell.type(b"first\n")
    shell.until("<first>")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    line(shell, "echo the prompt is $((40 + 2))")
    shell.until("the prompt is 42")
    line(shell, "fg")
    shell.type(b"second\n")
    shell.until("<second>")
    shell.type(CTRL_D)
    shell.until(PROMPT)
    line(shell, "echo status $?.")
    shell.until("status 0.")


def test_ctrl_z_again_and_again(project: Project, shell: Terminal) -> None:
    line(shell, f"{RUN} {ECHO}")
    for number in range(3):
        shell.type(b"word%d\n" % number)
        shell.until(f"<word{number}>")
        shell.seen = b""
        shell.type(CTRL_Z)
        shell.until("Stopped")
        shell.until(PROMPT)
        line(shell, "fg")
        shell.until("sed")
    shell.type(CTRL_D)
    shell.until(PROMPT)


def test_a_pipeline_stops_as_a_whole(project: Project, shell: Terminal) -> None:
    line(shell, f"{RUN} {ECHO} | cat")
    shell.type(b"first\n")
    shell.until("<first>")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    line(shell, "fg")
    shell.type(b"second\n")
    shell.until("<second>")
    shell.type(CTRL_D)
    shell.until(PROMPT)


def test_a_script_around_it_stops_and_goes_on_too(project: Project, shell: Terminal) -> None:
    (project.folder / "s.sh").write_text(f"{RUN} {ECHO}\necho after\n")
    line(shell, "sh s.sh")
    shell.type(b"first\n")
    shell.until("<first>")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    assert "after" not in shell.text
    line(shell, "fg")
    shell.type(b"second\n")
    shell.until("<second>")
    shell.type(CTRL_D)
    shell.until("after")


@pytest.mark.quick
def test_ctrl_c_ends_a_script_around_it_too(project: Project, shell: Terminal) -> None:
    gate = project.gate("there")
    text = f"while :; do {RUN} sh -c 'echo x >{gate}; exec sleep 1000'; done\n"
    (project.folder / "s.sh").write_text(text)
    line(shell, "bash s.sh")
    with open(gate) as there:
        there.read()
    shell.type(CTRL_C)
    shell.until(PROMPT)
    line(shell, "echo status $?.")
    shell.until("status 130.")


def test_in_the_background_it_leaves_the_terminal_alone(project: Project, shell: Terminal) -> None:
    line(shell, f"{RUN} {shlex.join(acting('obedient', 'a', 5))} & echo pid=$!.")
    (ready,) = project.stage.ready("a")
    shell.until("pid=")
    line(shell, "echo still $((40 + 3))")
    shell.until(f"still 43\r\n{PROMPT}")
    shell.seen = b""
    shell.type(CTRL_C)
    shell.until(f"^C\r\n{PROMPT}")  # what is typed before that can be flushed
    assert not project.stage.ended(ready)
    line(shell, "kill %1; wait %1; echo status $?.")
    shell.until("status 5.")
    project.stage.gone()


def test_one_in_the_background_that_reads_is_stopped_until_fg(
    project: Project, shell: Terminal
) -> None:
    line(shell, f"{RUN} {ECHO} &")
    shell.until("[1]")
    while "Stopped" not in shell.text:  # told with the next prompt after it happened
        line(shell, "jobs")
        shell.until(PROMPT)
    line(shell, "fg")
    shell.type(b"word\n")
    shell.until("<word>")
    shell.type(CTRL_D)
    shell.until(PROMPT)


def test_brought_to_the_front_while_it_runs(project: Project, shell: Terminal) -> None:
    """The shell does not tell a job that was never stopped: the first key or read does."""
    gate = project.gate("gate")
    words = shlex.join(acting("hears_once", "a", gate))
    line(shell, f"{RUN} {words} &")
    (ready,) = project.stage.ready("a")
    shell.until("[1]")
    shell.until(PROMPT)
    line(shell, "fg")
    until_in_front(shell, os.getpgid(parent(ready.parent)))
    shell.type(CTRL_C)
    (heard,) = project.stage.wait("heard", "a")
    assert heard.words[0] == "SIGINT"
    project.open_gate("gate")
    project.stage.gone()
    shell.until(PROMPT)


@pytest.mark.parametrize("ends", ["kill %1", "kill -9 %1"])
def test_a_stopped_job_that_is_ended(project: Project, shell: Terminal, ends: str) -> None:
    line(shell, f"{RUN} {shlex.join(acting('obedient', 'a'))}")
    project.stage.ready("a")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    line(shell, ends)
    project.stage.gone()


def test_nobody_is_there_to_continue_it(project: Project, terminal: Terminal) -> None:
    """`xterm -e procession run -- COMMAND`: no shell above, so Ctrl-Z stops nothing."""
    up = run(project, *shlex.split(ECHO), terminal=terminal)
    terminal.type(b"first\n")
    terminal.until("<first>")
    terminal.type(CTRL_Z)
    terminal.type(b"second\n")
    terminal.until("<second>")
    terminal.type(CTRL_D)
    assert up.status() == 0


# --- programs that want a terminal


@pytest.mark.quick
def test_an_interactive_shell_has_job_control_below_it(project: Project, shell: Terminal) -> None:
    line(shell, f"PS1='inner> ' {RUN} {shlex.join(BASH)}")
    shell.until("inner> ")
    assert "no job control" not in shell.text
    line(shell, ECHO)
    shell.type(b"first\n")
    shell.until("<first>")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    line(shell, "fg")
    shell.type(b"second\n")
    shell.until("<second>")
    shell.type(CTRL_C)
    shell.until("inner> ")
    line(shell, "sleep 1000 & suspend")
    shell.until("Stopped")
    shell.until(PROMPT)
    line(shell, "fg")
    shell.until("inner> ")
    line(shell, "exit 6")
    shell.until(PROMPT)
    line(shell, "echo status $?.")
    shell.until("status 6.")


@pytest.mark.root
def test_a_shell_of_another_user_has_the_keys(project: Project, shell: Terminal) -> None:
    """As below sudo: the process that waits stays root's, and the keys reach who is in front."""
    line(shell, f"{RUN} su nobody -s /bin/bash")
    line(shell, "echo I am $(id -un).")
    shell.until("I am nobody.")
    line(shell, ECHO)
    shell.type(b"first\n")
    shell.until("<first>")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    line(shell, "fg")
    shell.type(b"second\n")
    shell.until("<second>")
    shell.seen = b""
    shell.type(CTRL_C)
    shell.until("$ ")  # what is typed before that can be flushed
    line(shell, "echo it was $?.")
    shell.until("it was 130.")
    line(shell, "exit 6")
    shell.until(PROMPT)
    line(shell, "echo status $?.")
    shell.until("status 6.")


def test_a_program_that_asks_dev_tty(project: Project, shell: Terminal) -> None:
    """As ssh and sudo ask for a password, whatever the standard streams are."""
    code = (
        "import getpass, sys\nword = getpass.getpass('say: ')\nprint(len(word), file=sys.stdout)\n"
    )
    (project.folder / "ask.py").write_text(code)
    out = Path(project.folder / "out")
    line(shell, f"{RUN} {sys.executable} ask.py </dev/null >{out} 2>&1; echo done $?.")
    shell.until("say: ")
    shell.type(b"hushed\n")
    shell.until("done 0.")
    assert out.read_text() == "6\n"
    assert "hushed" not in shell.text


def test_the_window_is_closed(project: Project) -> None:
    terminal = Terminal()
    try:
        up = run(project, *acting("family", "a", "obedient", 1, 1), terminal=terminal)
        project.stage.ready(count=3)
    finally:
        terminal.close()
    up.ended()
    project.stage.gone()
    assert {e.words[0] for e in project.stage.all("heard")} <= {"SIGHUP", "SIGTERM"}
    os.waitid(os.P_PID, up.pid, os.WEXITED | os.WNOWAIT)
