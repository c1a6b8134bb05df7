"""`procession up`: which file is read, what may stand in it, and what a broken one gets."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.support.up import Project, actor, sh

HELLO = "tasks:\n  {name}:\n    program: echo\n    args: hello\n"


def show_arguments(project: Project, name: str = "show") -> None:
    """A program in the project's folder that prints each of its arguments in brackets."""
    path = project.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('#!/bin/sh\nfor a; do printf "[%s]\\n" "$a"; done\n')
    path.chmod(0o755)


def refused(project: Project, *words: str, **more: object) -> str:
    """Start with these words; it must end with 2 and start nothing. What it said."""
    up = project.start(*words, **more)  # type: ignore[arg-type]  # handed through
    assert up.status() == 2, up.said()
    assert up.out == ""
    assert "Traceback" not in up.err
    assert not project.logs.is_dir(), "a log folder was made for nothing"
    return up.err


def problems(told: str) -> list[str]:
    """The lines that name a place in the file; below each its source may be shown."""
    return [line for line in told.splitlines() if line.startswith("procession.yaml:")]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["procession.yaml", "procession.yml", "drekar-launch.yaml"], "procession.yaml"),
        (["procession.yml", "drekar-launch.yaml"], "procession.yml"),
        (["drekar-launch.yaml"], "drekar-launch.yaml"),
    ],
)
def test_the_file_in_the_folder_is_found_by_name(
    project: Project, files: list[str], found: str
) -> None:
    for name in files:
        project.file(HELLO.format(name=name.replace(".", "-")), name)
    up = project.up()
    assert up.status() == 0, up.said()
    assert up.out == f"{found.replace('.', '-'):<{max(10, len(found))}} | hello\n"


@pytest.mark.parametrize("form", ["-f FILE", "-fFILE", "--file=FILE", "--config FILE"])
def test_a_file_may_be_named(project: Project, form: str) -> None:
    project.file(HELLO.format(name="wrong"))
    (project.folder / "deep").mkdir()
    project.file("name: deep\n" + HELLO.format(name="right"), "deep/other.yaml")
    up = project.up(*form.replace("FILE", "deep/other.yaml").split())
    assert up.status() == 0, up.said()
    assert "right" in up.out
    assert "wrong" not in up.out + up.err


@pytest.mark.quick
def test_without_a_verb_it_is_up(project: Project) -> None:
    project.file(HELLO.format(name="web"))
    bare = project.start(log_dir=None)
    assert bare.status() == 0, bare.said()
    assert bare.out == "web        | hello\n"
    options = project.start("--quiet")
    assert options.status() == 0, options.said()
    assert options.out == ""
    assert project.log("web.log") == b"hello\n"


def test_without_a_file_it_says_which_it_looked_for(project: Project) -> None:
    told = refused(project, "up")
    assert len(told.splitlines()) == 1
    for name in ("procession.yaml", "procession.yml", "drekar-launch.yaml"):
        assert name in told


@pytest.mark.parametrize("file", ["missing.yaml", "folder"])
def test_a_named_file_that_cannot_be_read(project: Project, file: str) -> None:
    (project.folder / "folder").mkdir()
    told = refused(project, "up", "-f", file)
    assert len(told.splitlines()) == 1
    assert file in told


@pytest.mark.parametrize(
    "text",
    [
        "tasks:\n  one: {program: echo, args: first}\n  two: {program: echo, args: 2}\n",
        "tasks:\n- {name: one, program: echo, args: first}\n- {name: two, program: echo, args: 2}",
    ],
    ids=["mapping", "list"],
)
def test_tasks_are_a_list_or_a_mapping(project: Project, text: str) -> None:
    project.file(text)
    up = project.up()
    assert up.status() == 0, up.said()
    assert sorted(up.out.splitlines()) == ["one        | first", "two        | 2"]


ARGUMENTS = [
    ("nothing", "", []),
    ("empty", ", args: []", []),
    ("words", r""", args: -m "two words" it\'s a\ b ''""", ["-m", "two words", "it's", "a b", ""]),
    ("blanks", ", args: '  spread   out  '", ["spread", "out"]),
    ("no-shell", ", args: '$HOME * ; > x'", ["$HOME", "*", ";", ">", "x"]),
    ("number", ", args: 8000", ["8000"]),
    ("float", ", args: 1.10", ["1.10"]),
    ("boolean", ", args: true", ["true"]),
    ("list", ", args: [1, 1.10, true, 0x10, no]", ["1", "1.10", "true", "0x10", "no"]),
    ("texts", ", args: ['a b', 2026-11-22, '']", ["a b", "2026-11-22", ""]),
]


@pytest.mark.quick
def test_arguments_become_text_whatever_their_form(project: Project) -> None:
    show_arguments(project)
    project.file(
        "tasks:\n"
        + "".join(f"  {name}: {{program: ./show{args}}}\n" for name, args, _ in ARGUMENTS)
    )
    up = project.up("--quiet")
    assert up.status() == 0, up.said()
    for name, args, words in ARGUMENTS:
        shown = "".join(f"[{word}]\n" for word in words)
        assert project.log(f"{name}.log").decode() == shown, args


def test_a_program_and_its_paths_are_meant_from_where_it_is_said(project: Project) -> None:
    show_arguments(project, "bin/tool")
    show_arguments(project, "sub/tool")
    (project.folder / "sub" / "tool").write_text("#!/bin/sh\necho sub\n")
    (project.folder / "variables").write_text("FROM=file\n")
    (project.folder / "elsewhere").mkdir()
    path = os.pathsep.join([str(project.folder / "bin"), os.environ["PATH"]])
    project.tasks(
        {
            "from-file": {"program": "bin/tool", "args": "a"},
            "from-cwd": {"program": "./tool", "cwd": "sub"},
            "on-own-path": {"program": "tool", "args": "b", "environment": {"PATH": path}},
            "env-file": {**sh('echo "$FROM" in "$PWD"'), "cwd": "sub", "env-file": "variables"},
        }
    )
    up = project.up("--quiet", "-f", "../procession.yaml", cwd=project.folder / "elsewhere",
                    log_dir=project.logs)  # fmt: skip
    assert up.status() == 0, up.said()
    assert project.log("from-file.log") == b"[a]\n"
    assert project.log("from-cwd.log") == b"sub\n"
    assert project.log("on-own-path.log") == b"[b]\n"
    assert project.log("env-file.log").decode() == f"file in {project.folder}/sub\n"


def test_cwd_on_the_command_line_is_the_folder_paths_are_meant_from(project: Project) -> None:
    other = project.folder / "other"
    other.mkdir()
    (other / "variables").write_text("FROM=other\n")
    (project.folder / "variables").write_text("FROM=folder\n")
    project.tasks({"a": sh('echo "$FROM" "$PWD"', env_file="variables")})
    up = project.up("--quiet", "--cwd", "other", "--name", "demo")
    assert up.status() == 0, up.said()
    assert project.log("a.log").decode() == f"other {other}\n"


def test_the_projects_name_is_the_options_the_files_or_the_folders(project: Project) -> None:
    project.tasks({"a": sh("echo x")})
    assert project.up().status() == 0
    assert project.log("a.log", "demo") == b"x\n"
    project.tasks({"a": sh("echo y")}, name="Filed.1")
    assert project.up().status() == 0
    assert project.log("a.log", "Filed.1") == b"y\n"
    assert project.up("--name", "asked").status() == 0
    assert project.log("a.log", "asked") == b"y\n"


@pytest.mark.parametrize(
    "wrong",
    [
        "-begins-with-a-dash",
        "two words",
        "''",
        "../up",
        "ünicode",
        "procession",
        "Procession",
        "a\n  A",  # the same without regard to case
        "a\n  a",
    ],
)
def test_a_wrong_name_of_a_task_is_refused(project: Project, wrong: str) -> None:
    one, *another = wrong.split("\n")
    text = f"tasks:\n  {one}: {{program: touch, args: {project.folder}/started}}\n"
    project.file(text + "".join(f"{name}: {{program: echo}}\n" for name in another))
    told = refused(project, "up")
    assert len(problems(told)) == 1, told
    assert not (project.folder / "started").exists()


BROKEN = {
    "an unknown key": ("  a: {program: echo, restrat: always}", "restart"),
    "an unknown key at the top": ("  a: {program: echo}\ntask: {}", "tasks"),
    "not YAML": ("  a: {program: [}", ""),
    "a wrong type": ("  a: {program: echo, quit-on-terminate: maybe}", "quit-on-terminate"),
    "a wrong policy": ("  a: {program: echo, restart: sometimes}", "on-failure"),
    "no program": ("  a: {args: x}", "program"),
    "a missing program": ("  a: {program: no-such-program-anywhere}", "no-such-program-anywhere"),
    "a missing path": ("  a: {program: ./missing}", "missing"),
    "not executable": ("  a: {program: ./procession.yaml}", "procession.yaml"),
    "a folder": ("  a: {program: /}", "/"),
    "a missing env-file": ("  a: {program: echo, env-file: none.env}", "none.env"),
    "a missing cwd": ("  a: {program: echo, cwd: nowhere}", "nowhere"),
    "an unknown signal": ("  a: {program: echo, stop: {signal: SIGTREM}}", "SIGTERM"),
    "a negative time": ("  a: {program: echo, start-delay: -1}", "start-delay"),
    "a wrong unit": ("  a: {program: echo, start-delay: 3 parsecs}", "start-delay"),
    "an unbalanced quote": ("  a: {program: echo, args: \"it's\"}", "args"),
    "a code out of range": ("  a: {program: echo, success-exit-codes: 256}", "success-exit-codes"),
    "an empty task": ("  a:", "program"),
    "a task that is text": ("  a: echo", ""),
}  # fmt: skip


@pytest.mark.parametrize("which", BROKEN)
def test_a_broken_file_gets_one_clear_line_and_nothing_is_started(
    project: Project, which: str
) -> None:
    text, named = BROKEN[which]
    project.file(f"tasks:\n  good: {{program: touch, args: {project.folder}/started}}\n{text}\n")
    (told,) = problems(refused(project, "up"))
    place, line, column, rest = told.split(":", 3)
    assert place == "procession.yaml"
    assert int(line) in (3, 4, 5), "the line is not the one of the mistake"
    assert int(column) >= 1
    assert named in rest
    assert not (project.folder / "started").exists()


def test_all_that_is_wrong_is_told_at_once_each_in_a_line(project: Project) -> None:
    project.file("tasks:\n  a: {program: echo, restart: maybe}\n  b: {progam: echo}\n")
    lines = problems(refused(project, "up"))
    assert [line.split(":")[1] for line in lines if "restart" in line] == ["2"]
    assert any("progam" in line and line.split(":")[1] == "3" for line in lines)


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"tasks:", b"tasks: {}", b"tasks: []", b"[]", b"tasks: {a: \xff}"],
    ids=repr,
)
def test_a_file_without_a_task_is_refused(project: Project, data: bytes) -> None:
    (project.folder / "procession.yaml").write_bytes(data)
    told = refused(project, "up")
    assert len(problems(told)) == 1, told


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["up", "--no-such-option"], "--no-such-option"),
        (["up", "--only", "nobody"], "nobody"),
        (["up", "--file"], "--file"),
        (["up", "surplus"], "surplus"),
        (["upp"], "up"),
        (["up", "--fil", "x"], "--fil"),
        (["up", "--name", "a b"], "a b"),
        (["up", "--cwd", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_command_line_is_refused(project: Project, words: list[str], named: str) -> None:
    project.file(HELLO.format(name="web"))
    assert named in refused(project, *words, log_dir=None)


def test_a_current_folder_that_is_gone(project: Project) -> None:
    path = project.tasks({"a": sh("touch started")})
    gone = project.folder / "gone"
    gone.mkdir()
    shell = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh"]
    told = refused(project, "up", "-f", str(path), wrap=shell, cwd=gone, log_dir=project.logs)
    assert len(told.splitlines()) == 1, told
    assert "current folder" in told


@pytest.mark.parametrize(
    ("words", "started"),
    [
        (["--only", "web"], "web"),
        (["--only", "WEB"], "web"),
        (["--only", "back"], "api db"),
        (["--only", "web,db"], "web db"),
        (["--only", "db", "--only", "api"], "api db"),
        (["--only", "back", "--only", "web"], "web api db"),
    ],
)
def test_only_picks_tasks_by_name_or_tag(project: Project, words: list[str], started: str) -> None:
    project.tasks(
        {
            "web": sh("echo", tags="front"),
            "api": sh("echo", tags=["back", "slow"]),
            "db": sh("echo", tags=["back"]),
        }
    )
    up = project.up("--quiet", *words)
    assert up.status() == 0, up.said()
    logs = {path.name for path in project.log_folder().iterdir() if path.stat().st_size}
    assert logs == {f"{name}.log" for name in started.split()} | {"procession.log"}


def test_a_program_that_need_not_exist_is_looked_up_at_each_start(project: Project) -> None:
    gate = project.gate("gate")
    build = ': <"$0"; printf "#!/bin/sh\\necho built\\n" >new; chmod +x new; mv new tool'
    project.tasks(
        {
            "build": sh(build, gate),
            "tool": {
                "program": "./tool",
                "program-must-exist": False,
                "restart": "on-failure",
                "restart-backoff": "10ms",
            },
        }
    )
    up = project.up("--quiet")
    project.until_logged("tool run 3: starting -> backoff")
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    assert project.log("tool.log") == b"built\n"


def test_the_help_and_the_version_need_no_file(project: Project) -> None:
    for words in (["--help"], ["up", "--help"], ["--version"]):
        told = project.start(*words, log_dir=None)
        assert told.status() == 0
        assert told.out
        assert told.err == ""


def test_a_file_that_only_the_user_may_read_is_enough(project: Project) -> None:
    """The console script is the same as `python -m`; umask and modes are left as they are."""
    path = project.tasks({"a": actor("facts", "found")})
    path.chmod(stat.S_IRUSR)
    script = Path(sys.executable).parent / "procession"
    up = project.up(wrap=["sh", "-c", f'shift 5; umask 027; exec {script} "$@"', "sh"])
    assert up.status() == 0, up.said()
    assert project.facts("found")["umask"] == "0027"
