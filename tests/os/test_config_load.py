"""Files on disk: found, read, looked up, or told in full."""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from procession.config import files as loading
from procession.config.files import DEFAULT_NAMES, find
from procession.config.load import Loaded, load
from procession.errors import ConfigError, UsageError
from tests.support.configs import one_task, tasks_file

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/root"}
GOOD = one_task()


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(folder: Path, path: str | None = None, **more: str) -> Loaded:
    return load(path, cwd=str(folder), environ=ENVIRON, **more)


def told(folder: Path, path: str | None = None, **more: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, path, **more)
    lines = [str(p) for p in caught.value.problems]
    assert str(caught.value) == "\n".join(lines)
    return lines


def refused(folder: Path, path: str | None = None, **more: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(folder, path, **more)
    assert str(caught.value).isprintable()
    return caught.value


# --- which file, which folder, which name


@pytest.mark.quick
def test_the_files_that_are_looked_for_in_their_order(tmp_path: Path) -> None:
    assert DEFAULT_NAMES == ("procession.yaml", "procession.yml", "drekar-launch.yaml")
    for name in reversed(DEFAULT_NAMES):
        write(tmp_path / name, GOOD)
        assert find(str(tmp_path)) == str(tmp_path / name)
        assert read(tmp_path).file == name


@pytest.mark.quick
def test_without_a_file_it_says_what_was_looked_for_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "procession.yaml").mkdir()  # a folder is no file
    message = str(refused(tmp_path))
    for part in (str(tmp_path), *DEFAULT_NAMES, "-f FILE"):
        assert part in message


def test_a_file_by_its_path(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "my.yaml", GOOD)
    for path in ("sub/my.yaml", str(tmp_path / "sub/my.yaml"), "./sub/../sub/my.yaml"):
        loaded = read(tmp_path, path)
        assert loaded.file == path
        assert loaded.project.folder == str(tmp_path / "sub")
        assert loaded.project.name == "sub"


def test_relative_paths_are_meant_from_the_files_folder_or_the_base(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "p.yaml", one_task("cwd: data", "env-file: .env"))
    for folder in ("shop", "other"):
        write(tmp_path / folder / ".env", f"WHERE={folder}\n")
        (tmp_path / folder / "data").mkdir()
    for base, folder in ((None, "shop"), ("other", "other"), (str(tmp_path / "other"), "other")):
        more = {} if base is None else {"base": base}
        loaded = read(tmp_path, "shop/p.yaml", **more)
        launch = loaded.launches["web"]
        assert launch is not None
        assert launch.cwd == str(tmp_path / folder / "data")
        assert launch.env == {**ENVIRON, "WHERE": folder}
        assert loaded.project.folder == str(tmp_path / folder)
        assert loaded.project.name == folder


def test_without_cwd_a_task_runs_in_the_files_folder(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "p.yaml", GOOD)
    launch = read(tmp_path, "shop/p.yaml").launches["web"]
    assert launch is not None
    assert launch.cwd == str(tmp_path / "shop")


def test_folders_above_have_their_real_name(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "procession.yaml", GOOD)
    (tmp_path / "shop" / "sub").mkdir()
    (tmp_path / "link").symlink_to("shop/sub")
    assert read(tmp_path / "shop" / "sub", "../procession.yaml").project.name == "shop"
    assert read(tmp_path, "link/../procession.yaml").project.folder == str(tmp_path / "shop")
    assert read(tmp_path / "shop" / "sub", "../procession.yaml", base="..").project.name == "shop"


def test_a_symbolic_link_to_the_folder_keeps_its_name(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "procession.yaml", GOOD)
    (tmp_path / "alias").symlink_to("shop")
    assert read(tmp_path, "alias/procession.yaml").project.folder == str(tmp_path / "alias")


def test_the_name(tmp_path: Path) -> None:
    write(tmp_path / "my shop" / "procession.yaml", GOOD)
    write(tmp_path / "named.yaml", "name: demo\n" + GOOD)
    assert read(tmp_path / "my shop").project.name == "my-shop"
    assert read(tmp_path / "my shop", name="other").project.name == "other"
    assert read(tmp_path, "named.yaml").project.name == "demo"
    assert read(tmp_path, "named.yaml", name="other").project.name == "other"


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 101, "a\n"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    write(tmp_path / "procession.yaml", GOOD)
    assert refused(tmp_path, name=name).subject == "--name"


# --- files that cannot be read


@pytest.mark.quick
def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "procession.yaml", GOOD)
    message = str(refused(tmp_path, "procesion.yaml"))
    assert message.startswith("procesion.yaml: there is no such file")
    assert str(tmp_path / "procession.yaml") in message
    assert "folder" in str(refused(tmp_path, "nowhere/p.yaml"))


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "procession.yml", GOOD)
    (tmp_path / "empty").mkdir()
    assert "shop/procession.yml" in str(refused(tmp_path, "shop"))
    assert str(refused(tmp_path, "empty")) == "empty: is a folder; expected a file"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(loading, "open", denied, raising=False)  # root may read every file
    assert "p.yaml: cannot be read: Permission denied" in str(refused(tmp_path, "p.yaml"))


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "p.yaml/x"])
def test_paths_that_no_file_can_have(tmp_path: Path, path: str) -> None:
    write(tmp_path / "p.yaml", GOOD)
    assert "cannot be read" in str(refused(tmp_path, path))


def test_a_base_that_is_no_folder(tmp_path: Path) -> None:
    write(tmp_path / "procession.yaml", GOOD)
    assert refused(tmp_path, base="nowhere").subject == "--cwd"
    assert refused(tmp_path, base="procession.yaml").subject == "--cwd"


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    give(GOOD)
    loaded = read(tmp_path, "-")
    assert loaded.file == "<stdin>"
    assert loaded.project.folder == str(tmp_path)
    give("tasks:\n")
    assert told(tmp_path, "-")[0].startswith("<stdin>:1:1: tasks: ")
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in str(refused(tmp_path, "-"))


def test_a_pipe_as_file(tmp_path: Path) -> None:
    """As a shell's `-f <(make-config)` gives it."""
    os.mkfifo(tmp_path / "fifo")
    writer = threading.Thread(target=(tmp_path / "fifo").write_text, args=(GOOD,))
    writer.start()
    assert [t.name for t in read(tmp_path, "fifo").project.tasks] == ["web"]
    writer.join()


@pytest.mark.parametrize("content", [GOOD.encode("utf-16"), b"\0", b"x" * 10_000_000])
def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "procession.yaml", content)
    (line,) = told(tmp_path)
    assert line.startswith("procession.yaml:1:1: ")


# --- what the tasks need


@pytest.mark.quick
def test_every_problem_of_file_and_host_in_the_files_order(tmp_path: Path) -> None:
    write(tmp_path / "bad.env", "A=1\n\nsecret here\n")
    write(
        tmp_path / "p.yaml",
        "tasks:\n"
        "  - name: a\n"
        "    program: nonsense\n"
        "    restrat: no\n"
        "  - name: b\n"
        "    restart: often\n"
        "    program: ./gone\n"
        "    env-file: [bad.env, gone.env]\n"
        "  - name: c\n"
        "    cwd: gone\n"
        "    program: sh\n"
        "    start-delay: -1\n"
        "  - name: d\n"
        "    program: nonsense\n"
        "    env-file: bad.env\n",
    )
    lines = [line.split(";")[0].replace(str(tmp_path), "T") for line in told(tmp_path, "p.yaml")]
    assert lines == [
        "p.yaml:3:14: tasks.a.program: `nonsense` is not on the task's PATH",
        "p.yaml:4:5: tasks.a.restrat: unknown key `restrat`",
        "p.yaml:6:14: tasks.b.restart: the text `often`",
        "p.yaml:7:14: tasks.b.program: `./gone` does not exist in `T`",
        "T/bad.env:3:1: tasks.b.env-file[0]: a line that cannot be read",
        "p.yaml:8:25: tasks.b.env-file[1]: `T/gone.env` does not exist",
        "p.yaml:10:10: tasks.c.cwd: `T/gone` does not exist",
        "p.yaml:12:18: tasks.c.start-delay: `-1` is negative",
    ]


def test_lines_of_an_env_file_are_not_kept_in_the_problem(tmp_path: Path) -> None:
    write(tmp_path / ".env", "PASSWORD='hunter2\n")
    write(tmp_path / "p.yaml", one_task("env-file: .env"))
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "p.yaml")
    assert "hunter2" not in repr(caught.value.problems)


def test_a_mistake_of_a_task_hides_no_other_of_it(tmp_path: Path) -> None:
    write(
        tmp_path / "p.yaml",
        "tasks:\n"
        "  web: {program: sh}\n"
        "  Web: {program: ./gone1}\n"
        "  my web: {program: ./gone2}\n"
        "  c: {program: sh, cwd: ~/y, env-file: gone3}\n"
        "  d: {program: [sh], env-file: gone4, cwd: gone5}\n"
        "  e: {env-file: gone6}\n"
        "  f: {program: ./gone7, environment: 7}\n"
        "  g: {program: gone8, cwd: 7, restart: often}\n",
    )
    lines = [line.split(";")[0].replace(str(tmp_path), "T") for line in told(tmp_path, "p.yaml")]
    assert [line.partition(": tasks.")[2] for line in lines] == [
        "Web: the name `Web` is taken in line 2 as `web`, which differs by case only",
        "Web.program: `./gone1` does not exist in `T`",
        "my web: the name `my web`",
        "my web.program: `./gone2` does not exist in `T`",
        "c.cwd: `~` stands for nothing here",
        "c.env-file: `T/gone3` does not exist",
        "d.program: a list",
        "d.env-file: `T/gone4` does not exist",
        "d.cwd: `T/gone5` does not exist",
        "e: `program` is missing",
        "e.env-file: `T/gone6` does not exist",
        "f.program: `./gone7` does not exist in `T`",
        "f.environment: the number `***`",
        "g.program: `gone8` is not on the task's PATH",
        "g.cwd: `T/7` does not exist",
        "g.restart: the text `often`",
    ]


def test_what_is_not_known_is_not_looked_up(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", "tasks: {web: {program: nonsense, environment: {PATH: }}}\n")
    (line,) = told(tmp_path, "p.yaml")
    assert "tasks.web.environment.PATH: no value" in line


def test_a_mistake_shared_by_an_anchor_is_told_once(tmp_path: Path) -> None:
    text = "x-base: &b {program: nonsense, cwd: gone}\ntasks: {a: *b, b: *b, c: {<<: *b}}\n"
    write(tmp_path / "p.yaml", text)
    assert [line.split(": ")[1] for line in told(tmp_path, "p.yaml")] == [
        "tasks.a.program",
        "tasks.a.cwd",
    ]


@pytest.mark.quick
def test_a_program_that_need_not_exist_yet(tmp_path: Path) -> None:
    keys = "program-must-exist: false, restart: no"
    write(tmp_path / "p.yaml", f"tasks:\n  a: {{program: ./made, {keys}}}\n  b: {{program: sh}}\n")
    loaded = read(tmp_path, "p.yaml")
    assert loaded.launches["a"] is None
    assert loaded.launches["b"] is not None
    write(tmp_path / "made", "").chmod(0o755)
    assert read(tmp_path, "p.yaml").launches["a"] is not None


def test_only_the_program_need_not_exist_yet(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", one_task("program-must-exist: false", "cwd: gone"))
    (line,) = told(tmp_path, "p.yaml")
    assert "tasks.web.cwd" in line


def test_the_environment_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", one_task("environment: {PASSWORD: hunter2}"))
    assert "hunter2" not in repr(read(tmp_path, "p.yaml"))


def test_the_collector_is_left_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", GOOD)
    write(tmp_path / "bad.yaml", "tasks:\n")
    assert gc.isenabled()
    read(tmp_path, "p.yaml")
    told(tmp_path, "bad.yaml")
    assert gc.isenabled()
    gc.disable()
    try:
        read(tmp_path, "p.yaml")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_thousand_tasks(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", tasks_file(1000))
    loaded = read(tmp_path, "p.yaml")
    assert len(loaded.project.tasks) == len(loaded.launches) == 1000
    assert loaded.launches["task7"] is not None
    assert loaded.launches["task7"].argv == ("sleep", "--port", "8007", "--name", "Server 7")
    assert loaded.launches["task7"].env == {**ENVIRON, "PORT": "8007", "MODE": "production"}
