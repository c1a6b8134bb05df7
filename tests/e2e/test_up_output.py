"""`procession up`: what tasks write, byte for byte in the logs and line by line on our output."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time

import pytest

from tests.support.up import Project, Task, actor, sh

FOLDER = re.compile(r"demo-\d{4}-\d\d-\d\d--\d\d-\d\d-\d\d(-[1-9]\d*)?")


def writes(*parts: tuple[str, bytes], **keys: object) -> Task:
    """A task that writes each part, (`out` or `err`, bytes), in one write."""
    return actor("writes", *(f"{stream}:{data.hex()}" for stream, data in parts), **keys)


@pytest.mark.quick
def test_the_log_folder(project: Project) -> None:
    project.tasks({"web": sh("echo out; echo err >&2"), "api.v1": sh("exit 3")})
    up = project.up()
    assert up.status() == 3, up.said()
    above = project.logs / "demo"
    folders = [path for path in above.iterdir() if not path.is_symlink()]
    assert len(folders) == 1
    assert FOLDER.fullmatch(folders[0].name)
    assert os.readlink(above / "latest") == folders[0].name, "the link would break when moved"
    assert project.log("web.log") == b"out\n"
    assert project.log("web.stderr.log") == b"err\n"
    assert {path.name for path in folders[0].iterdir() if path.stat().st_size} == {
        "procession.log",
        "web.log",
        "web.stderr.log",
    }
    events = project.log("procession.log").decode()
    assert "web run 1: running -> completed: exited with 0" in events
    assert "api.v1 run 1: running -> failed: exited with 3" in events


def test_two_at_once_have_folders_of_their_own(project: Project) -> None:
    gate = project.gate("gate")
    project.tasks({"a": actor("ends", "a", 0, gate)})
    # the names of the coming seconds are taken, so each of both has to look for another
    taken = set()
    for second in range(10):
        name = time.strftime("demo-%Y-%m-%d--%H-%M-%S", time.gmtime(time.time() + second))
        (project.logs / "demo" / name).mkdir(parents=True)
        taken.add(name)
    # where they cannot know of each other, as in two containers with one place for logs
    places = [str(project.folder / f"runtime{n}") for n in range(2)]
    both = [project.up(env={"TZ": "UTC0", "PROCESSION_RUNTIME_DIR": place}) for place in places]
    project.stage.ready(count=2)
    project.open_gate("gate")
    assert [up.status() for up in both] == [0, 0]
    folders = {path for path in (project.logs / "demo").iterdir() if not path.is_symlink()}
    made = {path for path in folders if path.name not in taken}
    assert len(made) == 2
    assert all(FOLDER.fullmatch(path.name) and path.name[:-2] in taken for path in made)
    assert all((path / "procession.log").stat().st_size for path in made)
    assert project.log_folder() in {path.resolve() for path in made}


def test_the_default_place_is_the_users_log_place(project: Project) -> None:
    project.tasks({"a": sh("echo x")})
    up = project.up(log_dir=None)
    assert up.status() == 0, up.said()
    (found,) = (project.folder / "state").glob("procession/**/demo/latest/a.log")
    assert found.read_bytes() == b"x\n"


def test_a_default_place_that_cannot_be_written_costs_the_logs_only(project: Project) -> None:
    (project.folder / "state").write_text("in the way\n")
    project.tasks({"a": sh("echo x; exit 4")})
    up = project.up(log_dir=None)
    assert up.status() == 4, up.said()
    assert up.out == "a          | x\n"
    assert len([line for line in up.err.splitlines() if "log" in line]) == 1, up.err
    assert str(project.folder / "state") in up.err


@pytest.mark.quick
def test_a_named_place_that_cannot_be_written_is_a_mistake(project: Project) -> None:
    (project.folder / "file").write_text("in the way\n")
    project.tasks({"a": sh("touch started")})
    up = project.up(log_dir="file")
    assert up.status() == 2, up.said()
    assert len(up.err.splitlines()) == 1, up.err
    assert str(project.folder / "file") in up.err
    assert not (project.folder / "started").exists()


@pytest.mark.quick
def test_lines_are_aligned_and_streams_stay_apart(project: Project) -> None:
    project.tasks(
        {
            "a": sh("echo one; echo two; echo bad >&2"),
            "much-longer": sh("echo three; echo worse >&2"),
        }
    )
    up = project.up()
    assert up.status() == 0, up.said()
    lines = up.out.splitlines()
    assert sorted(lines) == ["a           | one", "a           | two", "much-longer | three"]
    assert lines.index("a           | one") < lines.index("a           | two")
    assert "a           | bad" in up.err.splitlines()
    assert "much-longer | worse" in up.err.splitlines()


def test_our_own_words_are_told_from_the_tasks(project: Project) -> None:
    project.tasks({"a": actor("obedient", "a")})
    up = project.up()
    project.stage.ready("a")
    assert up.stop() == 0
    assert up.out == ""
    assert up.err
    assert all(line.startswith("procession | ") for line in up.err.splitlines()), up.err


def test_an_unfinished_line_is_completed_for_people_only(project: Project) -> None:
    project.tasks(
        {
            "a": writes(("out", b"in pie"), ("out", b"ces\nlast"), ("err", b"oops")),
            "b": writes(("out", b"\n\n"), ("out", b"x")),
        }
    )
    up = project.up()
    assert up.status() == 0, up.said()
    wanted = ["a          | in pieces", "a          | last", "b          | ", "b          | ",
              "b          | x"]  # fmt: skip
    assert sorted(up.out.splitlines()) == wanted
    assert "a          | oops" in up.err.splitlines()
    assert project.log("a.log") == b"in pieces\nlast"
    assert project.log("a.stderr.log") == b"oops"
    assert project.log("b.log") == b"\n\nx"


@pytest.mark.quick
def test_odd_bytes_reach_the_log_as_they_are(project: Project) -> None:
    odd = b"caf\xe9 \xff\xfe\0\0 \x1b[31m \r tab\t\x80\n" + bytes(range(256)) + b"\n"
    tasks = {"odd": writes(("out", odd), ("err", odd)), "one": writes(("out", b"\xff"))}
    project.tasks({name: task | {"restart": "on-failure"} for name, task in tasks.items()})
    up = project.up()
    assert up.status() == 0, up.said()
    assert project.log("odd.log") == odd
    assert project.log("odd.stderr.log") == odd
    assert project.log("one.log") == b"\xff"
    # what a terminal would do more than show may be tamed; the prefix and other bytes stand
    shown = up.raw_out.split(b"\n")[:-1]
    assert [
        line for line in shown if not line.startswith((b"odd        | ", b"one        | "))
    ] == []
    assert b"one        | \xff" in shown
    assert bytes(range(0x80, 0x100)) in up.raw_out
    assert project.log("procession.log").count(b"-> running") == 2, "one was started again"


def test_a_line_of_300_kb_without_a_newline(project: Project) -> None:
    script = "import os; os.write(1, b'x' * 300_000)"
    project.tasks({"a": {"program": sys.executable, "args": ["-S", "-c", script]}})
    up = project.up()
    assert up.status() == 0, up.said()
    assert project.log("a.log") == b"x" * 300_000
    assert up.out.replace("a          | ", "").replace("\n", "") == "x" * 300_000


def test_much_output_is_identical_in_the_log_and_whole_on_our_output(project: Project) -> None:
    """12 MB of lines, and the same again on stderr; bench/output.py has the 200 MB."""
    line = "0123456789abcdef" * 6 + "\n"
    script = f"yes {line.strip()} | head -n 120000"
    project.tasks({"a": sh(script), "b": sh(f"{{ {script}; }} >&2")})
    up = project.up()
    assert up.status() == 0, up.said()
    wanted = hashlib.sha256(line.encode() * 120_000).digest()
    assert hashlib.sha256(project.log("a.log")).digest() == wanted
    assert hashlib.sha256(project.log("b.stderr.log")).digest() == wanted
    assert up.out == f"a          | {line}" * 120_000
    assert up.err.count(f"b          | {line}") == 120_000


def test_quiet_shows_failures_only(project: Project) -> None:
    project.tasks({"a": sh("echo x; echo y >&2"), "b": sh("exit 3")})
    up = project.up("--quiet")
    assert up.status() == 3
    assert up.out == ""
    assert len(up.err.splitlines()) == 1, up.err
    assert "b failed" in up.err
    assert project.log("a.log") == b"x\n"


def test_quiet_shows_how_a_task_failed(project: Project) -> None:
    """Its last lines, which nobody saw, of both streams, and where all of them are."""
    script = "seq -f 'line %g' 0 29; printf '\\033[2Jbad\\n' >&2; exit 3"
    project.tasks({"a": sh(script), "b": sh("true")})
    up = project.up("--quiet")
    assert up.status() == 3, up.said()
    assert up.out == ""
    first, *shown, where = up.err.splitlines()
    assert re.fullmatch(r"procession \| a failed: exited with 3 after \d\.\d s", first)
    out, err = [f"a          | line {n}" for n in range(21, 30)], ["a          | bad"]
    assert shown in (out + err, err + out)  # which of both came last is the kernel's clock to say
    folder = project.log_folder()
    assert where == f"procession | a: all it wrote is in {folder}/a.log and a.stderr.log"


def test_quiet_shows_of_each_run_its_own(project: Project) -> None:
    file = project.folder / "count"
    script = f"echo run >>{file}; set -- $(cat {file}); echo this is run $#; [ $# = 3 ]"
    project.tasks({"a": sh(script, restart="on-failure", restart_backoff="10ms")})
    up = project.up("--quiet")
    assert up.status() == 0, up.said()
    shown = [line for line in up.err.splitlines() if "this is" in line]
    assert shown == ["a          | this is run 1", "a          | this is run 2"]
    assert up.err.count("all it wrote is in") == 1


def test_the_first_words_say_where_the_logs_are(project: Project) -> None:
    project.tasks({"a": sh("true")})
    up = project.up()
    assert up.status() == 0, up.said()
    assert up.err.splitlines()[0] == f"procession | logs: {project.log_folder()}"


def test_a_delay_is_told(project: Project) -> None:
    project.tasks({"a": sh("true", start_delay="100ms")})
    up = project.up()
    assert up.status() == 0, up.said()
    assert "procession | a pending: waits 0.1 s before its start" in up.err.splitlines()


def test_a_full_disk_behind_our_stdout_is_told_once(project: Project) -> None:
    project.tasks({"a": sh("for n in 1 2 3 4 5; do echo $n; sleep 0.02; done")})
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        up = project.up(out=full)
        assert up.status() == 0, up.said()
    finally:
        os.close(full)
    told = [line for line in up.err.splitlines() if "No space" in line]
    assert told == [
        "procession | stdout: No space left on device: output is lost until it has room"
    ]
    assert project.log("a.log") == b"1\n2\n3\n4\n5\n"


def test_timestamps_stand_before_each_line(project: Project) -> None:
    project.tasks({"a": sh("echo x; echo y; echo z >&2")})
    before = time.localtime()
    up = project.up("--timestamps")
    assert up.status() == 0, up.said()
    stamp = r"(\d\d:\d\d:\d\d\.\d{3}) "
    lines = [re.fullmatch(stamp + r"a          \| (.)", line) for line in up.out.splitlines()]
    assert [line.group(2) for line in lines if line] == ["x", "y"]
    assert all(re.match(stamp, line) for line in up.err.splitlines()), up.err
    shown = [line.group(1)[:8] for line in lines if line]
    if before.tm_hour != 23:  # a day that began meanwhile would turn the order round
        assert time.strftime("%H:%M:%S", before) <= shown[0]
    assert project.log("a.log") == b"x\ny\n", "a log is what was written"


def test_the_last_lines_before_an_end_are_there(project: Project) -> None:
    """Written right before the end, by who is killed, and by a child that outlives the leader."""
    child = "(trap '' TERM; echo from the child) & exec sleep 0"
    loops = "exec 3>$0; echo a ready $$ 0 0 0 0 >&3; while :; do sleep 3600 & wait; done"
    stopped = f"trap 'echo goodbye; exit 0' TERM; {loops}"
    project.tasks(
        {
            "killed": sh("echo first; echo last; kill -KILL $$"),
            "child": sh(child, leftover="wait"),
            "stopped": sh(stopped, project.stage.path),
        }
    )
    up = project.up("--quiet")
    project.stage.ready("a")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert project.log("killed.log") == b"first\nlast\n"
    assert project.log("child.log") == b"from the child\n"
    assert project.log("stopped.log") == b"goodbye\n"


def test_a_reader_that_goes_away_costs_the_terminal_only(project: Project) -> None:
    """As `procession | head` does."""
    read, write = os.pipe()
    os.close(read)
    try:
        project.tasks({"a": sh("for n in 1 2 3 4; do echo $n; done; exit 5")})
        up = project.up(out=write)
        assert up.status() == 5, up.said()
    finally:
        os.close(write)
    assert project.log("a.log") == b"1\n2\n3\n4\n"
    assert "Traceback" not in up.err


def test_a_reader_that_does_not_read_stops_no_task(project: Project) -> None:
    read, write = os.pipe()
    try:
        script = "i=0; while [ $i -lt 40 ]; do printf '%065536d' 0; i=$((i+1)); done"
        project.tasks({"a": sh(f"{script}; exit 6")})
        up = project.up(out=write)
        assert up.status() == 6, up.said()
    finally:
        os.close(write)
        os.close(read)
    assert project.log("a.log") == b"0" * (40 * 65536)
    assert re.search(r"\d+ bytes were not shown: our output", up.err), up.said()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_up_may_be_started_with_its_own_streams_closed(project: Project, closed: str) -> None:
    """The first files it opens must not be taken for its output."""
    project.tasks({"a": sh("echo out; echo err >&2; exit 7")})
    up = project.up(wrap=["sh", "-c", f'exec "$@" {closed}', "sh"])
    assert up.status() == 7, up.said()
    assert project.log("a.log") == b"out\n"
    assert project.log("a.stderr.log") == b"err\n"
    events = project.log("procession.log").decode().splitlines()
    assert all(re.match(r"(\d{4}-\d\d-\d\dT|    )", line) for line in events), events
    assert (">&-" in closed.replace("2>&-", "")) or up.out == "a          | out\n"


def test_stdout_and_stderr_in_one_place_keep_their_order(project: Project) -> None:
    read, write = os.pipe()
    try:
        project.tasks({"a": sh("echo x")})
        up = project.up(out=write, err=write)
        assert up.status() == 0
    finally:
        os.close(write)
    with open(read, "rb") as pipe:
        shown = pipe.read().decode().splitlines()
    (began,) = (i for i, line in enumerate(shown) if "a running" in line)
    (ended,) = (i for i, line in enumerate(shown) if "all tasks ended" in line)
    assert began < shown.index("a          | x") < ended, shown
    assert all(re.match(r"(a         |procession) \| ", line) for line in shown), shown


def test_up_reads_nothing_from_its_own_input(project: Project) -> None:
    """What was typed ahead belongs to the shell that comes after."""
    read, write = os.pipe()
    os.write(write, b"for the shell\n")
    try:
        project.tasks({"a": {"program": "cat"}})
        up = project.up(stdin=read)
        assert up.status() == 0, up.said()
        assert os.read(read, 100) == b"for the shell\n"
    finally:
        os.close(read)
        os.close(write)
    assert up.out == ""


def test_colour_is_only_for_terminals(project: Project) -> None:
    project.tasks({"a": sh("echo x"), "b": sh("exit 3")})
    up = project.up(env={"TERM": "xterm-256color", "COLORTERM": "truecolor"})
    assert up.status() == 3
    assert "\x1b" not in up.out + up.err
