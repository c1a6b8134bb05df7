"""Templates: what they know, what they give, and how their mistakes are told."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from procession.config.load import Examined, examine, load
from procession.config.source import MAX_BYTES
from procession.config.template import MEMORY
from procession.spec import Task

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "ODD": "caf\udce9"}


def seen(folder: Path, text: str, file: str = "p.yaml.j2", **more: object) -> Examined:
    (folder / file).write_text(text)
    return examine(file, cwd=str(folder), environ=ENVIRON, **more)  # type: ignore[arg-type]  # handed through


def told(folder: Path, text: str, file: str = "p.yaml.j2", **more: object) -> list[str]:
    return [str(p) for p in seen(folder, text, file, **more).problems]


def the_task(found: Examined) -> Task:
    assert found.problems == ()
    assert found.decoded is not None
    (task,) = found.decoded.project.tasks
    return task


def args(expression: str) -> str:
    return f"tasks: {{a: {{program: sh, args: [{expression}]}}}}\n"


# --- a file that is none


def test_a_value_that_only_a_template_could_have_says_how_to_make_it_one(tmp_path: Path) -> None:
    text = "tasks: {a: {program: sh, args: '{{ env.HOME }}', port: '{{ 8000 + 1 }}'}}\n"
    (line,) = told(tmp_path, text, "p.yaml")
    assert line.endswith(
        "tasks.a.port: the text `{{ 8000 + 1 }}`; expected a whole number from 1 to 65535, or "
        "`template: true` at the top, which renders it"
    )
    assert told(tmp_path, f"template: true\n{text}", "p.yaml") == []
    (line,) = told(tmp_path, "template: true\n" + text.replace("8000 + 1", "'{'*2"), "p.yaml")
    assert "template: true" not in line


# --- the whole file


@pytest.mark.quick
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{{ configpath }}", "{folder}/p.yaml.j2"),
        ("{{ configdir }}", "{folder}"),
        ("{{ env.HOME }}", "/home/me"),
        ("{{ env['HOME'] }}", "/home/me"),
        ("{{ env.get('NONE', 'else') }}", "else"),
        ("{{ env.NONE | default('else') }}", "else"),
        ("{{ platform }}", sys.platform),
        ("{{ vars.port }}", "8000"),
        ("{{ 'yes' if vars.debug is defined else 'no' }}", "no"),
    ],
)
def test_what_a_template_knows(tmp_path: Path, expression: str, value: str) -> None:
    task = the_task(seen(tmp_path, args(expression), variables={"port": "8000"}))
    assert task.args == (value.format(folder=tmp_path),)


def test_a_byte_that_is_no_text_is_told(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, args("'{{ env.ODD }}'"))
    # the two parsers of PyYAML have their own words for it
    assert "half of a surrogate pair" in problem or "U+DCE9 is not allowed" in problem
    assert problem.startswith("p.yaml.j2 (rendered):1:")


def test_a_file_is_a_template_by_its_name_or_by_being_called_one(tmp_path: Path) -> None:
    text = args("'{{ 1 + 1 }}'")
    assert the_task(seen(tmp_path, text, "a.j2")).args == ("2",)
    assert the_task(seen(tmp_path, text, "a.yaml", template=True)).args == ("2",)
    assert the_task(seen(tmp_path, text, "a.yaml")).args == ("{{ 1 + 1 }}",)


def test_a_line_with_just_a_tag_leaves_none(tmp_path: Path) -> None:
    text = "tasks:\n  {% for n in ['x', 'y'] %}\n  {{ n }}: {program: sh}\n  {% endfor %}\n"
    found = seen(tmp_path, text)
    assert found.decoded is not None
    assert found.decoded.report.source.text == "tasks:\n  x: {program: sh}\n  y: {program: sh}\n"


def test_includes_are_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "web.j2").write_text("web: {program: {{ shell }}}")
    (tmp_path / "macros.j2").write_text("{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}")
    text = (
        "{% from 'macros.j2' import twice %}{% set shell = 'sh' %}"
        "tasks: { {% include 'parts/web.j2' %} }\nname: {{ twice('ab') }}\n"
    )
    found = seen(tmp_path, text, "p.j2", base="parts")
    assert the_task(found).name == "web"
    assert found.decoded is not None
    assert found.decoded.project.name == "abab"


@pytest.mark.parametrize("name", ["../outside.j2", "/etc/hostname"])
def test_nothing_is_included_from_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.j2").write_text("secret")
    (tmp_path / "in").mkdir()
    (problem,) = told(tmp_path / "in", f"{{% include '{name}' %}}")
    assert f"there is no file `{name}` to include" in problem


def test_problems_of_what_was_rendered_say_so(tmp_path: Path) -> None:
    text = "{% for n in ['x', 'y'] %}\n# {{ n }}\n{% endfor %}\n"
    text += "tasks:\n  a:\n    program: sh\n    cdw: .\n"
    found = seen(tmp_path, text)
    (problem,) = found.problems
    assert str(problem).startswith("p.yaml.j2 (rendered):6:5: tasks.a.cdw: unknown key `cdw`")
    assert problem.source_line == "    cdw: ."


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: {{ nix }}\n", "p.yaml.j2:2:7: `nix` is not defined; expected `configdir`"),
        ("{{ plaform }}", "did you mean `platform`?"),
        ("\n x {{ vars.prt }}", "p.yaml.j2:2:12: the variable `prt` has no value; expected `--var"),
        ("{{ vars.prt }}", "did you mean `port`?"),
        ("{{ env.HOM }}", ":1:8: the environment variable `HOM` is not set; expected one that is"),
        ("{{ vars.port.nix }}", ":1:14: 'str object' has no attribute 'nix'"),
        ("a\n{% if %}\n", "p.yaml.j2:2:1: template syntax: expected an expression"),
        ("a\n{% for x in y %}\n", "p.yaml.j2:2:1: template syntax: unexpected end of template"),
        ("\n{{ 1 | nix }}", "p.yaml.j2:2:1: template syntax: no filter named 'nix'"),
        ("\n\n{{ 1 / 0 }}", "p.yaml.j2:3:1: cannot be rendered: division by zero"),
        ("\n{% include 'nix.j2' %}", "p.yaml.j2:2:1: there is no file `nix.j2` to include"),
        ("\n{% include 'bda.j2' %}", "did you mean `bad.j2`?"),
        ("{% include 'bad.j2' %}", "bad.j2:2:4: `nix` is not defined"),
        ("{% include 'worse.j2' %}", "worse.j2:3:1: template syntax"),
        ("{% include 'odd.j2' %}", "cannot be rendered: 'utf-8' codec"),
        ("\n{{ ''.__class__ }}", "p.yaml.j2:2:1: cannot be rendered: access to attribute"),
        ("{{ raise('x') }}", "`raise` is not defined"),
        ("a: \0", "a NUL byte"),
        ('a: {{ "\\x00" }}', "the rendered text has a NUL character"),
    ],
)
def test_mistakes_of_a_template_are_told_at_their_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "bad.j2").write_text("\n{{ nix }}\n")
    (tmp_path / "worse.j2").write_text("\n\n{% else %}\n")
    (tmp_path / "odd.j2").write_bytes(b"\xff")
    (found,) = told(tmp_path, text, variables={"port": "1"})
    assert problem in found


def test_the_line_of_the_template_is_shown(tmp_path: Path) -> None:
    (problem,) = seen(tmp_path, "a: 1\nb: {{ nix }}\n").problems
    assert problem.pointed() == "b: {{ nix }}\n      ^"


def test_an_included_file_is_named_as_the_user_would(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bad.j2").write_text("{{ nix }}")
    (problem,) = told(tmp_path, "{% include 'bad.j2' %}", "deep/p.j2")
    assert problem.startswith("deep/bad.j2:1:4: ")


# --- bounds

# Bit by bit, but in few steps: to fill 512 MiB takes processor time, too, and that has a bound.
GROWS = """\
{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x * 99 %}{% endfor %}"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "time"),
        ("{% set n = 7 %}{{ n ** (n ** 17) }}", "time"),
        ("{{ 'x' * 10 ** 12 }}", f"more than {MEMORY // 2**20} MiB of memory"),
        (GROWS, f"more than {MEMORY // 2**20} MiB of memory"),
        ("{% for a in range(99999) %}{{ configdir * 9 }}{% endfor %}", "is larger than 1 MiB"),
        ("{% include 'large.j2' %}", "`large.j2` is larger than 1 MiB"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "without an end"),
        ("{% include 'again.j2' %}", "without an end"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
    ],
)
def test_a_template_that_does_not_end_is_ended(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "large.j2").write_text("x" * (MAX_BYTES + 1))
    (tmp_path / "again.j2").write_text("{% include 'again.j2' %}")
    (problem,) = told(tmp_path, f"a\n{text}\n")
    assert words in problem
    assert "Traceback" not in problem
    if "too much" not in problem and "again" not in text:  # what was killed could not say where
        assert problem.startswith("p.yaml.j2:2:")


def test_a_patient_include_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from procession.config import rendering

    monkeypatch.setattr(rendering, "DEADLINE", 0.5)
    os.mkfifo(tmp_path / "pipe.j2")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe.j2").st_mode)
    (problem,) = told(tmp_path, "{% include 'pipe.j2' %}")
    assert "rendering takes more than 0.5 s" in problem


# --- `template: true`


@pytest.mark.quick
def test_each_text_is_rendered_where_it_stands(tmp_path: Path) -> None:
    text = """\
template: true
name: "{{ vars.name }}"
tasks:
  "{{ 'web' }}":
    program: &shell "{{ 's' }}h"
    args: ["{{ vars.port }}", "{# nothing #}", "{% if 1 %}yes{% endif %}", plain]
    start-delay: "{{ 1 / 2 }}"
    quit-on-terminate: "{{ vars.port == '8000' }}"
    environment: {HOME: "{{ env.HOME }}", EMPTY: "{{ '' }}", SHELL: *shell}
"""
    found = seen(tmp_path, text, "p.yaml", variables={"port": "8000", "name": "shop"})
    task = the_task(found)
    assert found.decoded is not None
    assert found.decoded.project.name == "shop"
    assert (task.name, task.program, task.args) == ("web", "sh", ("8000", "", "yes", "plain"))
    assert (task.start_delay, task.quit_on_terminate) == (0.5, True)
    assert task.environment == (("HOME", "/home/me"), ("EMPTY", ""), ("SHELL", "sh"))


@pytest.mark.parametrize("word", ["false", '"true"', "yes"])
def test_it_has_to_be_asked_for_by_true(tmp_path: Path, word: str) -> None:
    found = seen(tmp_path, f"template: {word}\n" + args("'{{ 1 }}'"), "p.yaml")
    assert found.decoded is not None
    assert found.decoded.project.tasks[0].args == ("{{ 1 }}",)
    assert bool(found.problems) is (word != "false")


def test_positions_stay_true_and_what_is_not_rendered_is_told_once(tmp_path: Path) -> None:
    text = """\
tasks:
  - name: web
    program: "{{ vars.nix }}"
    cwd: "{{ 1 +
      1 }}"
    args:
      - |
        one
        {{ nix }}
    restart: "{{ 'alwyas' }}"
template: true
"""
    lines = told(tmp_path, text, "p.yaml")
    assert [line.split(": ")[0] for line in lines] == ["p.yaml:3:14", "p.yaml:7:9", "p.yaml:10:14"]
    assert "tasks[0].program: the variable `nix` has no value" in lines[0]
    assert "tasks[0].args[0]: `nix` is not defined" in lines[1]
    assert "did you mean `always`?" in lines[2]


def test_a_large_file_of_templates_is_rendered(tmp_path: Path) -> None:
    tasks = "".join(f'  t{i}: {{program: sh, args: ["{{{{ {i} }}}}"]}}\n' for i in range(1000))
    found = seen(tmp_path, "template: true\ntasks:\n" + tasks, "p.yaml")
    assert found.problems == ()
    assert found.decoded is not None
    assert found.decoded.project.tasks[999].args == ("999",)


# --- what it costs who does not use it


def test_a_plain_file_imports_nothing_of_it(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "p.yaml").write_text("template: false\n" + args("'{{ 1 }}'"))
    program = (
        "import sys; from procession.config.load import load; "
        "load('p.yaml', cwd=sys.argv[1], environ={'PATH': '/usr/bin:/bin'}); "
        "print(*[m for m in ('json', 'jinja2', 'subprocess', 'procession.config.rendering') "
        "if m in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"\n"


def test_the_reader_itself_never_loads_jinja2(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "p.j2").write_text(args("'{{ 1 }}'"))
    program = (
        "import sys; from procession.config.load import load; "
        "p = load('p.j2', cwd=sys.argv[1], environ={'PATH': '/usr/bin:/bin'}).project; "
        "print(p.tasks[0].args[0], 'jinja2' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"1 False\n"


def test_load_hands_templates_through(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(args("'{{ vars.x }}'"))
    loaded = load("p.yaml", cwd=str(tmp_path), environ=ENVIRON, template=True, variables={"x": "y"})
    assert loaded.project.tasks[0].args == ("y",)
    assert loaded.file == "p.yaml"
