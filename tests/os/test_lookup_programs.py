"""Where a task's folder and program are, on a real file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from procession import lookup
from procession.lookup import Launch, Lookup, LookupProblem, Trouble, resolve
from procession.spec import Task

pytestmark = pytest.mark.quick


def executable(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task's folder with `bin/` and `sbin/` beside it."""
    for name in ("work", "bin", "sbin"):
        (tmp_path / name).mkdir()
    return tmp_path / "work"


def task(program: str, **more: object) -> Task:
    return Task("web", program, **more)


def launched(a_task: Task, folder: Path, **environ: str) -> Launch:
    return resolve(a_task, str(folder), environ)


def trouble(a_task: Task, folder: Path, **environ: str) -> Trouble:
    with pytest.raises(LookupProblem) as caught:
        resolve(a_task, str(folder), environ)
    (only,) = caught.value.troubles
    return only


def status(a_task: Task, folder: Path, **environ: str) -> int:
    with pytest.raises(LookupProblem) as caught:
        resolve(a_task, str(folder), environ)
    return caught.value.status


def test_all_that_a_launch_needs(folder: Path) -> None:
    run = executable(folder.parent / "bin" / "run")
    path = str(run.parent)
    found = launched(
        task("run", args=("-x", "1"), environment=(("A", "2"),)), folder, PATH=path, A="1"
    )
    assert found == Launch(("run", "-x", "1"), str(run), str(folder), {"PATH": path, "A": "2"})


def test_the_first_of_path_that_may_be_executed(folder: Path) -> None:
    bin_, sbin = folder.parent / "bin", folder.parent / "sbin"
    executable(bin_ / "run", 0o644)
    wanted = executable(sbin / "run")
    (bin_ / "other").mkdir()
    other = executable(sbin / "other")
    path = f"{folder}/nowhere:{bin_}:{sbin}"
    assert launched(task("run"), folder, PATH=path).executable == str(wanted)
    assert launched(task("other"), folder, PATH=path).executable == str(other)


def test_the_tasks_own_path_counts(folder: Path) -> None:
    run = executable(folder.parent / "bin" / "run")
    env_file = folder / ".env"
    env_file.write_text(f"PATH={folder.parent / 'bin'}\n")
    by_file = task("run", env_files=(str(env_file),))
    by_key = task("run", environment=(("PATH", str(run.parent)),))
    assert launched(by_file, folder, PATH="/nowhere").executable == str(run)
    assert launched(by_key, folder, PATH="/nowhere").executable == str(run)
    inherited = task("run", environment=(("PATH", "/nowhere"),))
    assert "not on the task's PATH" in trouble(inherited, folder, PATH=str(run.parent)).what


@pytest.mark.parametrize("entry", ["", ".", "tools"])
def test_empty_and_relative_entries_of_path_are_meant_from_the_tasks_folder(
    folder: Path, entry: str
) -> None:
    run = executable(folder / entry / "run")
    found = launched(task("run"), folder, PATH=f"/nowhere:{entry}")
    assert os.path.isabs(found.executable)
    assert os.path.samefile(found.executable, run)
    elsewhere = task("run", cwd=str(folder.parent))
    assert trouble(elsewhere, folder, PATH=f"/nowhere:{entry}").key == "program"


def test_one_lookup_keeps_tasks_with_relative_paths_apart(folder: Path) -> None:
    here, there = executable(folder / "run"), executable(folder.parent / "bin" / "run")
    both = Lookup({"PATH": "."})
    assert os.path.samefile(both.resolve(task("run"), str(folder)).executable, here)
    other = task("run", cwd=str(there.parent))
    assert os.path.samefile(both.resolve(other, str(folder)).executable, there)


def test_without_path_the_systems_own_folders_are_searched(folder: Path) -> None:
    assert launched(task("sh"), folder).executable in ("/bin/sh", "/usr/bin/sh")


def test_an_empty_path_finds_nothing(folder: Path) -> None:
    executable(folder / "run")
    assert trouble(task("run"), folder, PATH="").what == (
        "`run` cannot be found: the task's PATH is empty"
    )


@pytest.mark.parametrize("program", ["./run", "sub/../run", "../work/run"])
def test_a_path_is_meant_from_the_tasks_folder(folder: Path, program: str) -> None:
    (folder / "sub").mkdir()
    run = executable(folder / "run")
    found = launched(task(program), folder, PATH="/nowhere")
    assert os.path.samefile(found.executable, run)
    assert os.path.isabs(found.executable)
    assert found.argv == (program,)


def test_an_absolute_path_is_itself(folder: Path) -> None:
    run = executable(folder / "run")
    found = launched(task(str(run), cwd=str(folder.parent)), folder, PATH="/nowhere")
    assert (found.executable, found.cwd) == (str(run), str(folder.parent))


def test_a_symbolic_link_is_followed(folder: Path) -> None:
    run = executable(folder.parent / "bin" / "run")
    (folder / "link").symlink_to(run)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("gone")
    assert os.path.samefile(launched(task("./link"), folder).executable, run)
    assert "cannot be looked at" in trouble(task("./loop"), folder).what
    assert "does not exist" in trouble(task("./dangling"), folder).what


def test_what_is_wrong_with_a_program(folder: Path) -> None:
    executable(folder / "text", 0o644)
    (folder / "sub").mkdir()
    os.mkfifo(folder / "fifo")
    assert "may not be executed: its permissions" in trouble(task("./text"), folder).what
    assert trouble(task("./sub"), folder).what == "`./sub` is a folder"
    assert trouble(task("./fifo"), folder).what == "`./fifo` is not a regular file"
    assert trouble(task("./gone"), folder).what == f"`./gone` does not exist in `{folder}`"
    assert trouble(task("/gone"), folder).what == "`/gone` does not exist"
    assert "cannot be looked at" in trouble(task("./" + "x" * 300), folder).what
    assert trouble(task("./text/x"), folder).what.startswith("`./text/x` does not exist")


def test_what_is_wrong_with_a_program_on_path(folder: Path) -> None:
    text = executable(folder.parent / "bin" / "run", 0o644)
    found = trouble(task("run"), folder, PATH=str(text.parent))
    assert found.what.startswith(f"`run` on PATH is `{text}`, which may not be executed")


def test_the_status_is_what_a_shell_would_give(folder: Path) -> None:
    executable(folder / "text", 0o644)
    assert status(task("gone"), folder, PATH="/nowhere") == 127
    assert status(task("./gone"), folder) == 127
    assert status(task("./text"), folder) == 126
    assert status(task("text"), folder, PATH=".") == 126
    assert status(task("sh", cwd="/nowhere"), folder) == 126


@pytest.mark.parametrize(
    ("program", "meant"),
    [
        ("pyhton3", "python3"),
        ("python", "python3"),
        ("Python3", ""),
        ("server.exe", "server"),
        ("here", "./here"),
        ("python3 -m http.server", "python3"),
        ("./run now", "./run"),
        ("kubernetes", ""),
    ],
)
def test_what_was_probably_meant(folder: Path, program: str, meant: str) -> None:
    for name in ("python3", "server", "zebra"):
        executable(folder.parent / "bin" / name)
    executable(folder / "here")
    path = f"{folder.parent / 'bin'}:/nowhere"
    assert trouble(task(program), folder, PATH=path).suggestion == meant


def test_a_program_beside_the_file_instead_of_the_tasks_folder(folder: Path) -> None:
    executable(folder / "run")
    wrong = trouble(task("./run", cwd=str(folder.parent)), folder)
    assert os.path.samefile(wrong.suggestion, folder / "run")


def test_arguments_in_program_are_told(folder: Path) -> None:
    wrong = trouble(task("sleep 5"), folder, PATH="/bin")
    assert wrong.expected.endswith("arguments belong in `args`")
    assert wrong.suggestion == "sleep"


@pytest.mark.parametrize("line", ["echo a | cat", "./x >log", "exec sleep $N"])
def test_a_line_for_the_shell_is_known(folder: Path, line: str) -> None:
    wrong = trouble(task(line), folder, PATH="/bin")
    assert wrong.expected.endswith("a line for the shell says `shell: true` beside it")
    assert wrong.suggestion == ""


def test_what_is_wrong_with_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("")
    gone, file = str(folder / "gone"), str(folder / "file")
    loop = folder / "loop"
    loop.symlink_to("loop")
    assert trouble(task("sh", cwd=gone), folder).what == f"`{gone}` does not exist"
    assert trouble(task("sh", cwd=file), folder).what == f"`{file}` is not a folder"
    assert "cannot be used: too many levels" in trouble(task("sh", cwd=str(loop)), folder).what
    assert trouble(task("sh"), folder / "gone").key == "cwd"
    # root may enter every folder, so the answer of the system is given here
    monkeypatch.setattr(lookup.os, "access", lambda path, mode, **ids: path != str(folder))
    assert trouble(task("sh"), folder).what == f"`{folder}` may not be entered"


def test_a_wrong_folder_does_not_hide_a_wrong_program_nor_invent_one(folder: Path) -> None:
    gone = str(folder / "gone")
    for program, keys in [
        ("./run", ["cwd"]),
        ("/gone/run", ["cwd", "program"]),
        ("nonsense", ["cwd", "program"]),
        ("sh", ["cwd"]),
    ]:
        with pytest.raises(LookupProblem) as caught:
            resolve(task(program, cwd=gone), str(folder), {"PATH": "/bin"})
        assert [t.key for t in caught.value.troubles] == keys
    assert trouble(task("nonsense", cwd=gone), folder, PATH="/bin:").key == "cwd"


def test_a_broken_env_file_may_have_held_the_path(folder: Path) -> None:
    wrong = trouble(task("nonsense", env_files=("/nowhere/.env",)), folder, PATH="/bin")
    assert wrong.key == "env-file"


def test_the_same_program_is_asked_for_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    stat = os.stat
    with monkeypatch.context() as patch:
        patch.setattr(lookup.os, "stat", lambda p, **kw: asked.append(p) or stat(p, **kw))
        many = Lookup({"PATH": "/nowhere:/bin"})
        launches = [many.resolve(Task(f"t{i}", "sh"), str(folder)) for i in range(100)]
    assert len(asked) == len(set(asked)) == 3  # the folder, and a file in each entry of PATH
    assert {launch.executable for launch in launches} == {"/bin/sh"}
    launches[0].env["X"] = "mine"
    assert "X" not in launches[1].env


def test_a_program_that_comes_later_is_found_by_a_later_lookup(folder: Path) -> None:
    run = folder / "run"
    assert trouble(task("./run"), folder).key == "program"
    executable(run)
    assert os.path.samefile(launched(task("./run"), folder).executable, run)
