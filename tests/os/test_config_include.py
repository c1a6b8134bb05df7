"""Files that include others, and several that are named: found, read once, told of in place."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from procession.config.files import MAX_FILES
from procession.config.load import Loaded, load
from procession.errors import ConfigError, UsageError

CIRCLE = "sub/c.yaml:1:11: include[0]: files that include each other"
ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/root"}


def write(folder: Path, **files: str) -> None:
    """`common="..."` is the file `common.yaml`; `sub__x` is `sub/x.yaml`."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(folder: Path, *paths: str, base: str | None = None) -> Loaded:
    return load(paths or None, cwd=str(folder), environ=ENVIRON, base=base)


def told(folder: Path, *paths: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, *paths)
    return [str(problem).replace(str(folder), "T") for problem in caught.value.problems]


@pytest.mark.quick
def test_a_file_is_laid_over_what_it_includes(tmp_path: Path) -> None:
    write(
        tmp_path,
        procession="include: common.yaml\ntasks: {web: {args: mine}}\n",
        common="defaults: {restart: always}\ntasks: {web: {program: sh, args: theirs, tags: t}}\n",
    )
    loaded = read(tmp_path)
    (web,) = loaded.project.tasks
    assert loaded.file == "procession.yaml"
    assert (web.args, web.tags, web.restart.policy) == (("mine",), ("t",), "always")


def test_includes_come_in_their_order_and_each_file_once(tmp_path: Path) -> None:
    """`base` is before all that include it, so that both of them win over it."""
    write(
        tmp_path,
        procession="include: [one.yaml, ./two.yaml]\ntasks: {c: {program: sh}}\n",
        one="include: [base.yaml]\nname: one\ntasks: {a: {args: one}}\n",
        two="include: [sub/../base.yaml, one.yaml]\nname: two\ntasks: {b: {program: sh}}\n",
        base="name: base\ntasks: {a: {program: sh, args: base}}\n",
        sub__unused="",
    )
    project = read(tmp_path).project
    assert project.name == "two"
    assert [(t.name, t.args) for t in project.tasks] == [("a", ("one",)), ("b", ()), ("c", ())]


def test_paths_are_meant_from_the_file_that_says_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        procession="include: parts/db.yaml\ntasks: {web: {program: ./web}}\n",
        parts__db="include: ../shared.yaml\ntasks: {db: {program: ./db, env-file: db.env}}\n",
        shared="defaults: {environment: {A: 1}}\n",
    )
    (tmp_path / "parts" / "db.env").write_text("B=2\n")
    for program in (tmp_path / "web", tmp_path / "parts" / "db"):
        program.write_text("")
        program.chmod(0o755)
    loaded = read(tmp_path)
    db, web = loaded.launches["db"], loaded.launches["web"]
    assert db is not None
    assert web is not None
    assert db.cwd == str(tmp_path / "parts")
    assert db.env == {**ENVIRON, "A": "1", "B": "2"}
    assert web.cwd == str(tmp_path)
    # from one folder all the same, if that is what one says; but for the includes themselves
    (tmp_path / "db").write_text("")
    (tmp_path / "db").chmod(0o755)
    (tmp_path / "db.env").write_text("B=3\n")
    based = read(tmp_path, base=".")
    assert {task.cwd for task in based.project.tasks} == {None}
    launch = based.launches["db"]
    assert launch is not None
    assert (launch.cwd, launch.env["B"]) == (str(tmp_path), "3")


@pytest.mark.quick
def test_several_files_are_named_in_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="name: a\ntasks: {web: {program: sh, args: a}}\n",
        b="name: b\ntasks: {web: {args: b}}\n",
        sub__c="tasks: {web: {tags: c}}\n",
    )
    ab = read(tmp_path, "a.yaml", "b.yaml", "sub/c.yaml")
    assert (ab.project.name, ab.project.folder, ab.file) == ("b", str(tmp_path), "a.yaml")
    assert ab.project.tasks[0].args == ("b",)
    assert ab.project.tasks[0].tags == ("c",)
    ba = read(tmp_path, "b.yaml", "a.yaml", "b.yaml")  # again is no more than once
    assert (ba.project.name, ba.project.tasks[0].args) == ("a", ("a",))


def test_standard_input_beside_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, p="tasks: {web: {program: sh}}\n")
    text = b"include: q.yaml\ntasks: {web: {args: in}}\n"
    write(tmp_path, q="tasks: {other: {program: sh}}\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    project = read(tmp_path, "p.yaml", "-", "-").project
    assert [(t.name, t.args) for t in project.tasks] == [("web", ("in",)), ("other", ())]


def test_files_that_include_each_other(tmp_path: Path) -> None:
    write(
        tmp_path,
        procession="include: sub/b.yaml\ntasks: {web: {program: sh}}\n",
        sub__b="x: 1\ninclude: [c.yaml]\n",
        sub__c="include: ['../sub/b.yaml']\n",
        own="include: own.yaml\ntasks: {web: {program: sh}}\n",
    )
    assert [line.split(";")[0] for line in told(tmp_path)] == [
        f"{CIRCLE}: sub/b.yaml → sub/c.yaml → sub/b.yaml",
        "sub/b.yaml:1:1: x: unknown key `x`",
    ]
    (line,) = told(tmp_path, "own.yaml")
    assert line.startswith("own.yaml:1:10: include: files that include each other: own.yaml → own")


def test_files_that_cannot_be_included(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write(
        tmp_path,
        procession="include: [comon.yaml, folder, x/y.yaml, common.yaml, utf.yaml]\n"
        "tasks: {web: {depends-on: db}}\n",
        common="tasks:\n",
    )
    (tmp_path / "utf.yaml").write_bytes(b"\xff\xfea\x00")
    lines = told(tmp_path)
    assert [line.split("; expected")[0] for line in lines] == [
        "utf.yaml:1:1: the file is UTF-16 text",
        "common.yaml:1:1: tasks: no value",
        "procession.yaml:1:11: include[0]: `comon.yaml` does not exist",
        "procession.yaml:1:23: include[1]: `folder` is a folder",
        "procession.yaml:1:31: include[2]: `x/y.yaml` does not exist",
    ]
    assert lines[2].endswith("expected a file to include; did you mean `common.yaml`?")
    assert lines[3].endswith("expected a file to include")


def test_what_was_meant_by_a_missing_file_is_similar_but_for_its_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        procession="include: [nosuch.yaml, commn.yaml]\ntasks: {web: {program: sh}}\n",
        h="tasks: {}\n",
        shop="include: shops.yaml\ntasks: {web: {program: sh}}\n",
    )
    (tmp_path / "common.yml.j2").write_text("")
    first, second = told(tmp_path)
    assert "did you mean" not in first
    assert second.endswith("did you mean `common.yml.j2`?")
    (line,) = told(tmp_path, "shop.yaml")  # no file means to include itself
    assert "did you mean" not in line
    with pytest.raises(UsageError, match=r"there is no such file$"):
        read(tmp_path, "other.yaml")


def test_a_broken_file_hides_no_other(tmp_path: Path) -> None:
    write(
        tmp_path,
        procession="include: bad.yaml\ntasks: {web: {program: sh, tags: [a b]}}\n",
        bad="tasks: [\n",
    )
    lines = told(tmp_path)
    assert lines[0].startswith("bad.yaml:2:1: the file ends inside a list or mapping")
    assert lines[1].startswith("procession.yaml:2:35: tasks.web.tags[0]: the text `a b`")
    assert len(lines) == 2


def test_more_files_than_anybody_has(tmp_path: Path) -> None:
    for i in range(MAX_FILES + 1):
        write(tmp_path, **{f"f{i}": f"include: f{i + 1}.yaml\n"})
    lines = told(tmp_path, "f0.yaml")
    assert any(f"more than {MAX_FILES} files by now" in line for line in lines)


def test_what_a_task_of_an_included_file_lacks_is_told_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        procession="include: sub/db.yaml\ntasks: {web: {program: sh}}\n",
        sub__db="tasks:\n  db:\n    program: ./gone\n    cwd: nowhere\n    ready: {exec: gone2}\n",
    )
    assert [line.split(";")[0] for line in told(tmp_path)] == [
        "sub/db.yaml:4:10: tasks.db.cwd: `T/sub/nowhere` does not exist",
        "sub/db.yaml:5:19: tasks.db.ready.exec: `gone2` is not on the task's PATH",
    ]


def test_an_included_file_may_be_a_template(tmp_path: Path) -> None:
    (tmp_path / "gen.yaml.j2").write_text(
        "tasks:\n{% for n in range(2) %}\n  t{{ n }}: {program: sh, args: '{{ configdir }}'}\n"
        "{% endfor %}\n"
    )
    write(
        tmp_path,
        procession="include: [gen.yaml.j2, texts.yaml]\ntasks: {web: {program: sh, args: '{{'}}\n",
        texts="template: true\ntasks: {c: {program: sh, args: '{{ 1 + 1 }}'}}\n",
    )
    tasks = {task.name: task.args for task in read(tmp_path).project.tasks}
    assert tasks == {"t0": (str(tmp_path),), "t1": (str(tmp_path),), "c": ("2",), "web": ("{{",)}


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    write(tmp_path, a="tasks: {web: {program: sh}}\n")
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "a.yaml", "aa.yaml")
    assert str(caught.value).startswith("aa.yaml: there is no such file. Did you mean")


def test_links_to_one_file_are_one_file(tmp_path: Path) -> None:
    write(tmp_path, procession="include: [a.yaml, b.yaml]\ntasks: {web: {program: sh}}\n", a="")
    (tmp_path / "a.yaml").write_text("name: a\ninclude: b.yaml\n")
    os.symlink("a.yaml", tmp_path / "b.yaml")
    (line,) = told(tmp_path)
    assert line.startswith("a.yaml:2:10: include: files that include each other: a.yaml → a.yaml")


@pytest.mark.quick
def test_replicas_are_launched_by_their_own_names(tmp_path: Path) -> None:
    write(tmp_path, procession="tasks: {web: {program: sh, replicas: 2}, db: {program: sh}}\n")
    launches = read(tmp_path).launches
    one, two = launches["web-1"], launches["web-2"]
    assert set(launches) == {"web-1", "web-2", "db"}
    assert one is not None
    assert two is not None
    assert one == two
    assert one.env is not two.env, "each is given variables of its own"
    write(tmp_path, procession="tasks: {web: {program: gone, replicas: 3}}\n")
    assert len(told(tmp_path)) == 1, "what is missing is missing once"
