"""`procession run`: whose status it has, what the command finds, and what is told of its end."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess

import pytest

from tests.support.run import acting, run, told
from tests.support.up import Project

KEYS = {
    "command", "status", "reason", "exit_code", "signal", "core_dumped", "pid", "duration", "usage",
    "survivors", "stop", "error",
}  # fmt: skip


@pytest.mark.quick
@pytest.mark.parametrize("status", [0, 1, 7, 124, 255])
def test_the_status_is_the_commands_own(project: Project, status: int) -> None:
    up = run(project, "sh", "-c", f"exit {status}")
    assert up.status() == status
    assert up.said() == "--- stdout\n--- stderr\n", "it says nothing of its own"


@pytest.mark.quick
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_a_command_that_was_killed(project: Project, number: signal.Signals) -> None:
    up = run(project, "--json-result", "result.json", "sh", "-c", f"kill -{number:d} $$")
    assert up.status() == 128 + number
    found = told(project)
    assert (found["reason"], found["signal"], found["exit_code"]) == (
        "signalled", number.name, None,
    )  # fmt: skip


@pytest.mark.quick
def test_what_could_not_be_started(project: Project) -> None:
    (project.folder / "text").write_text("no program")
    (project.folder / "script").write_text("#!/nowhere/sh\n")
    (project.folder / "script").chmod(0o755)
    (project.folder / "odd").write_bytes(b"\x01\x02\x03")
    (project.folder / "odd").chmod(0o755)
    for words, status, said in (
        (["nosuchprogram"], 127, "`nosuchprogram` is not on PATH"),
        (["./nosuch"], 127, "`./nosuch` does not exist"),
        (["./text"], 126, "may not be executed"),
        (["./script"], 127, "the interpreter that its #! line names is not"),
        (["./odd"], 126, "no #! line"),
        (["/"], 126, "is a folder"),
        (["--cwd", "nowhere", "true"], 125, "--cwd: "),
        (["--env-file", "nowhere", "true"], 125, "--env-file: "),
        (["--user", "nosuchuser", "true"], 125, "no user `nosuchuser`"),
        (["--bogus", "true"], 125, "no such option"),
        ([], 125, "COMMAND: it is missing"),
        (["--json-result", "no/where", "true"], 125, "--json-result: "),
    ):
        up = run(project, *words)
        assert up.status() == status, words
        assert said in up.err, words
        assert up.err.startswith("procession run: ")
        assert up.err.count("\n") == 1, up.err


@pytest.mark.quick
def test_the_streams_are_its_own(project: Project) -> None:
    reads, writes = os.pipe()
    try:
        os.write(writes, b"typed\n")
        os.close(writes)
        up = run(project, "sh", "-c", "cat; echo aside >&2", stdin=reads)
        assert up.status() == 0
    finally:
        os.close(reads)
    assert (up.out, up.err) == ("typed\n", "aside\n")


@pytest.mark.quick
def test_what_it_starts_with(project: Project) -> None:
    wrap = acting("with_signals", "ignore", "SIGINT,SIGQUIT,SIGUSR1")
    up = run(project, "--", *acting("facts", "facts.json", "a b", "--timeout"), wrap=wrap)
    assert up.status() == 0, up.said()
    found = project.facts("facts.json")
    assert found["argv"] == ["a b", "--timeout"]
    assert found["cwd"] == str(project.folder)
    assert found["blocked"] == []
    assert set(found["ignored"]) <= {"SIGPIPE", "SIGXFSZ", "SIGXFZ"}
    assert found["descriptors"] == [0, 1, 2]
    assert found["group"] == found["session"] == found["pid"]
    assert found["environment"]["PROCESSION_RUN"]


def test_its_folder_and_its_variables(project: Project) -> None:
    (project.folder / "sub").mkdir()
    (project.folder / "one.env").write_text("A=1\nB=1\n")
    (project.folder / "two.env").write_text("B=2\n")
    up = run(
        project,
        *("--cwd", "sub", "--env-file", "one.env", "--env-file=two.env"),
        *acting("facts", "facts.json"),
        env={"A": "0", "C": "0"},
    )
    assert up.status() == 0, up.said()
    found = project.facts("sub/facts.json")
    assert found["cwd"] == str(project.folder / "sub")
    assert [found["environment"][name] for name in "ABC"] == ["1", "2", "0"]


@pytest.mark.root
def test_as_another_user(project: Project) -> None:
    script = 'id -u; id -g; id -G; echo "$HOME $USER $LOGNAME"; ./no-such-file 2>&- || touch mine'
    up = run(project, "--user", "nobody", "sh", "-c", script)
    assert up.status() == 0, up.said()
    home = "/nonexistent nobody nobody"
    assert up.out.splitlines() == ["65534", "65534", "65534", home]
    assert (project.folder / "mine").stat().st_uid == 65534
    up = run(project, "--user", "4711:4712", "sh", "-c", "id -u; id -g; id -G")
    assert up.status() == 0, up.said()
    assert up.out.split() == ["4711", "4712", "4712"]


def test_an_ordinary_user_may_be_nobody_else(project: Project) -> None:
    from tests.support.programs import as_ordinary_user

    up = run(project, "--user", "root", "true", wrap=as_ordinary_user([]))
    assert up.status() == 125
    assert "only root may run as `root`" in up.err


# --- the result file


@pytest.mark.quick
def test_the_result_of_an_ordinary_end(project: Project) -> None:
    words = ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3"]
    up = run(project, "--json-result", "result.json", *words)
    assert up.status() == 3
    found = told(project)
    assert set(found) == KEYS
    assert found["command"] == words
    assert (found["status"], found["reason"], found["exit_code"]) == (3, "exited", 3)
    assert found["signal"] is found["stop"] is found["error"] is None
    assert found["survivors"] == []
    assert 0 < found["usage"]["user"] + found["usage"]["system"] <= found["duration"] + 0.1
    assert found["usage"]["max_rss"] > 100_000
    assert os.listdir(project.folder).count("result.json") == 1
    assert [name for name in os.listdir(project.folder) if name.endswith(".new")] == []


@pytest.mark.quick
def test_the_result_where_nothing_was_started(project: Project) -> None:
    up = run(project, "--json-result", "result.json", "nosuchprogram")
    assert up.status() == 127
    found = told(project)
    assert set(found) == KEYS
    assert (found["status"], found["reason"], found["pid"]) == (127, "not started", None)
    assert "is not on PATH" in found["error"]


def test_no_old_result_is_taken_for_a_new_one(project: Project) -> None:
    """The command can see that its own result is not there yet."""
    (project.folder / "result.json").write_text("old")
    up = run(project, "--json-result", "result.json", "test", "!", "-e", "result.json")
    assert up.status() == 0
    assert told(project)["exit_code"] == 0


def test_the_result_may_go_into_a_pipe(project: Project) -> None:
    reads, writes = os.pipe()
    try:
        up = run(project, "--json-result", f"/dev/fd/{writes}", "true", inherit=[writes])
        os.close(writes)
        assert up.status() == 0, up.said()
        data = os.read(reads, 65536)
        assert data.startswith(b"{")
        assert data.endswith(b"}\n")
    finally:
        os.close(reads)


def test_the_result_is_as_readable_as_any_new_file(project: Project) -> None:
    up = run(project, "--json-result", "r.json", "true", wrap=["sh", "-c", 'umask 027; "$@"', "sh"])
    assert up.status() == 0
    assert stat.S_IMODE((project.folder / "r.json").stat().st_mode) == 0o640


def test_the_limits_of_the_caller_are_the_commands(project: Project) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run(["sh", "-c", "ulimit -n"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(soft)], f"of {hard}"
    up = run(project, "sh", "-c", "ulimit -n")
    assert up.status() == 0
    assert up.out.split() == [str(soft)]


def test_a_reader_that_has_gone_is_the_commands_concern(project: Project) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        up = run(project, "sh", "-c", "echo x", out=writes)
    finally:
        os.close(writes)
    assert up.status() in (1, 128 + signal.SIGPIPE)
    assert "Traceback" not in up.err


def test_closed_streams(project: Project) -> None:
    up = run(project, "sh", "-c", "echo x", wrap=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    assert up.status() == 0


def test_help(project: Project) -> None:
    up = run(project, "--help")
    assert up.status() == 0
    assert up.out.startswith("usage: procession run")
    assert max(map(len, up.out.splitlines())) <= 80
