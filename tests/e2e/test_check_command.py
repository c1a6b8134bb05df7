"""`procession check` and `procession schema` as they are called, and `up` on the same file."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from procession.cli.schema import schema_text
from tests.support.configs import one_task
from tests.support.up import PROCESSION

BROKEN = one_task("restrat: always", "stop: {singal: INT}")
TOLD = """\
p.yaml:4:5: tasks.web.restrat: unknown key `restrat`; did you mean `restart`?
  4 |     restrat: always
    |     ^
p.yaml:5:12: tasks.web.stop.singal: unknown key `singal`; did you mean `signal`?
  5 |     stop: {singal: INT}
    |            ^
"""


def run(
    folder: Path, *words: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROCESSION, *words],
        cwd=folder,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(BROKEN)
    return tmp_path


@pytest.mark.quick
def test_check_and_up_tell_the_same_and_end_with_2(broken: Path) -> None:
    check = run(broken, "check", "p.yaml")
    assert (check.returncode, check.stdout, check.stderr) == (
        2,
        TOLD + "2 problems in p.yaml\n",
        "",
    )
    up = run(broken, "up", "-f", "p.yaml")
    told = TOLD + "2 problems; nothing was started\n"
    assert (up.returncode, up.stdout, up.stderr) == (2, "", told)


@pytest.mark.quick
def test_a_good_file_is_said_to_be_good_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "procession.yaml").write_text(
        "tasks:\n  a: {program: touch, args: started}\n  b: {program: touch, args: started}\n"
    )
    check = run(tmp_path, "check")
    assert (check.returncode, check.stdout, check.stderr) == (
        0,
        "procession.yaml: 2 tasks, no problem\n",
        "",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["procession.yaml"]


@pytest.mark.parametrize("words", [["p.yaml"], ["-f", "p.yaml"], ["--config=p.yaml"], ["-"]])
def test_the_file_may_be_named_in_each_way(broken: Path, words: list[str]) -> None:
    check = run(broken, "check", *words, stdin=BROKEN)
    assert check.returncode == 2
    assert check.stdout.count("did you mean") == 2


def test_no_file_is_said_on_standard_error(tmp_path: Path) -> None:
    for words in ((), ("nothing.yaml",), ("--name", "a b"), ("--cwd", "nowhere", "-")):
        check = run(tmp_path, "check", *words)
        assert (check.returncode, check.stdout) == (2, "")
        assert check.stderr.startswith("procession: ")
        assert len(check.stderr.splitlines()) == 1
    for words in (("a", "-f", "b"), ("a", "--rendered", "--json"), ("a", "b"), ("--nothing",)):
        check = run(tmp_path, "check", *words)
        assert (check.returncode, check.stdout) == (2, "")
        assert "`procession check --help` tells what there is" in check.stderr


@pytest.mark.quick
def test_for_editors_it_is_json(broken: Path) -> None:
    check = run(broken, "check", "--json", "p.yaml")
    assert (check.returncode, check.stderr) == (2, "")
    first, second = json.loads(check.stdout)["problems"]
    assert first == {
        "file": "p.yaml",
        "line": 4,
        "column": 5,
        "path": "tasks.web.restrat",
        "what": "unknown key `restrat`",
        "expected": "",
        "suggestion": "restart",
        "message": TOLD.splitlines()[0],
    }
    assert second["suggestion"] == "signal"


def test_what_is_shown_is_checked_again_and_means_the_same(tmp_path: Path) -> None:
    (tmp_path / "procession.yaml").write_text(one_task("args: [a, 'b c']", "restart: always"))
    shown = run(tmp_path, "check", "--show", env={"MY_TOKEN": "hunter2"})
    assert shown.returncode == 0
    assert re.search("^      policy: always +# procession.yaml:5:14$", shown.stdout, re.M)
    assert "hunter2" not in shown.stdout
    assert '#   MY_TOKEN: "***"' in shown.stdout
    (tmp_path / "again.yaml").write_text(shown.stdout)
    again = run(tmp_path, "check", "again.yaml")
    assert again.stdout == "again.yaml: 1 task, no problem\n", again.stdout
    view = json.loads(run(tmp_path, "check", "--show", "--json").stdout)
    keys = view["project"]["tasks"][0]["keys"]
    assert keys["args"]["value"] == ["a", "b c"]
    assert keys["program"]["note"].endswith("/sleep")


def test_options_of_up_that_change_the_meaning_are_options_of_check(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "procession.yaml").write_text(one_task("cwd: ."))
    shown = run(tmp_path, "check", "--show", "--cwd", "data", "--name", "other").stdout
    assert re.search("^name: other +# option --name$", shown, re.M)
    assert f"cwd: {tmp_path}/data" in shown


def test_a_template_is_checked_with_its_values_and_what_it_gave_is_shown(tmp_path: Path) -> None:
    (tmp_path / "p.yaml.j2").write_text(one_task("args: --port {{ vars.port }}"))
    words = ("check", "p.yaml.j2", "--var", "port=80")
    assert run(tmp_path, *words).stdout == "p.yaml.j2: 1 task, no problem\n"
    assert run(tmp_path, *words, "--rendered").stdout == one_task("args: --port 80")
    assert run(tmp_path, "check", "p.yaml.j2").returncode == 2
    (tmp_path / "p.yaml.j2").write_text(BROKEN + "    args: '{{ vars.port }}'\n")
    broken = run(tmp_path, *words, "--rendered")
    assert broken.returncode == 2
    assert broken.stdout == BROKEN + "    args: '80'\n"
    assert broken.stderr.count("did you mean") == 2


# --- where the words go


def on_a_terminal(folder: Path, *words: str, env: dict[str, str]) -> tuple[int, str]:
    """The status and all that came to a terminal that is both outputs."""
    ours, theirs = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [*PROCESSION, *words],
        cwd=folder,
        env={**clean, "TERM": "xterm", **env},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        data = b""
        try:
            while block := os.read(ours, 65536):
                data += block
        except OSError:
            pass  # EIO: nobody has the other end any more
        os.close(ours)
        return process.wait(timeout=20), data.decode().replace("\r\n", "\n")


@pytest.mark.quick
@pytest.mark.parametrize("words", [("check", "p.yaml"), ("up", "-f", "p.yaml")], ids=" ".join)
def test_colour_is_for_terminals(broken: Path, words: tuple[str, ...]) -> None:
    status, said = on_a_terminal(broken, *words, env={})
    assert status == 2
    assert "\x1b[1mp.yaml:4:5:\x1b[0m tasks.web.restrat" in said
    for options, env in (((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"}), (("--no-color",), {})):
        status, said = on_a_terminal(broken, *words, *options, env=env)
        assert status == 2
        assert said.startswith(TOLD)


def test_a_reader_that_goes_early_is_no_mistake(tmp_path: Path) -> None:
    text = "tasks:\n" + "".join(f"  t{i}: {{program: sleep, bad{i}: 1}}\n" for i in range(3000))
    (tmp_path / "p.yaml").write_text(text)
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [*PROCESSION, "check", "p.yaml"], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE
    ) as process:
        os.close(writer)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=20) == 2


def test_words_that_the_terminals_encoding_lacks_are_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(one_task("'clé': 1"), encoding="utf-8")
    for words in (("check", "p.yaml"), ("up", "-f", "p.yaml")):
        done = run(tmp_path, *words, env={"PYTHONIOENCODING": "ascii"})
        assert done.returncode == 2
        assert "unknown key `cl\\xe9`" in done.stdout + done.stderr


# --- schema


@pytest.mark.quick
def test_schema_prints_what_is_committed(tmp_path: Path) -> None:
    done = run(tmp_path, "schema")
    assert (done.returncode, done.stdout, done.stderr) == (0, schema_text(), "")
    wrong = run(tmp_path, "schema", "x")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_up_pays_for_none_of_this(tmp_path: Path) -> None:
    (tmp_path / "procession.yaml").write_text("tasks: {a: {program: 'true'}}\n")
    script = (
        "import sys, procession.app as app\n"
        "from procession.config.load import load\n"
        "load(None, cwd='.', environ={'PATH': '/bin:/usr/bin'})\n"
        "print(*sorted(m for m in sys.modules if m.startswith('procession')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ours = {"telling", "secrets", "explained", "schema"}
    assert "procession.config.load" in done.stdout
    assert not ours & {name.rpartition(".")[2] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["up", "--quit"], "`--quit` is no option; did you mean `--quiet`?"),
        (["check", "--jsn"], "`--jsn` is no option; did you mean `--json`?"),
        (["--verson"], "did you mean `procession --version`?"),
        (["up", "--zzz"], "`--zzz` is no option. `procession up --help`"),
    ],
)
def test_an_unknown_option_is_one_line_with_what_was_meant(
    words: list[str], told: str, tmp_path: Path
) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_without_a_file_is_told_how_to_get_one(tmp_path: Path) -> None:
    assert "`procession init` writes" in run(tmp_path, "up").stderr


def test_mistakes_of_an_env_file_are_counted_as_what_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(one_task("env-file: .env"))
    (tmp_path / ".env").write_text("GOOD=1\nlone\n")
    assert run(tmp_path, "check", "p.yaml").stdout.endswith(
        "1 problem in p.yaml and what it names\n"
    )
    (tmp_path / "p.yaml.j2").write_text(BROKEN)
    assert run(tmp_path, "check", "p.yaml.j2").stdout.endswith("2 problems in p.yaml.j2\n")
