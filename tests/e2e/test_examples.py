"""The examples do what their first lines say, as a reader would run them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.programs import Program

_EXAMPLES = Path(__file__).parents[2] / "examples"
_README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A copy: a run of its own beside whatever runs in the checkout."""
    return shutil.copytree(_EXAMPLES / "web", tmp_path / "web", ignore=lambda *_: {"run"})


def _up(folder: Path, *options: str) -> Program:
    python = os.path.dirname(sys.executable)  # the `python3` that has the package
    return Program.python(
        *("-m", "procession", "-f", folder / "procession.yaml"),
        *("--log-dir", folder.parent / "logs", *options),
        env={"PATH": f"{python}:{os.environ['PATH']}"},
    )


def _lines(program: Program, task: str) -> list[str]:
    text = program.output.decode()
    return re.findall(rf"^{task} *\| (.*)$", text, flags=re.MULTILINE)


@pytest.mark.quick
def test_web_is_up_asked_and_gracefully_down(web: Path) -> None:
    with _up(web) as program:
        assert program.wait(timeout=30) == 0, program.errors
        up = [program.errors.index(f"{name} ready".encode()) for name in ("alpha", "beta")]
        assert max(up) < program.errors.index(b"client running")
        assert _lines(program, "client") == ["alpha greets /client", "beta greets /client"]
        for server in ("alpha", "beta"):
            listening, *rest = _lines(program, server)
            assert re.fullmatch(r"listening on port \d+", listening)
            assert rest == ["asked to stop", "every request is answered, goodbye"]
    assert not list((web / "run").iterdir())


def _sample(language: str, begins: str) -> str:
    """A block of the README."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", _README.read_text("utf-8"), re.M | re.S)
    (found,) = (block for block in blocks if block.startswith(begins))
    return str(found)


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """The README's file in a folder of its own, at a port that is free."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    text = _sample("yaml", "# procession.yaml")
    assert text.count("8000") == 2
    folder = tmp_path / "readme"
    folder.mkdir()
    (folder / "procession.yaml").write_text(text.replace("8000", str(port)))
    return folder


@pytest.mark.quick
def test_the_file_of_the_readme_runs_as_it_stands(readme: Path) -> None:
    with _up(readme) as program:
        program.expect(b"| working on fast jobs")
        assert _lines(program, "migrate") == ["all tables are there"]
        program.signal(signal.SIGTERM)
        assert program.wait(timeout=30) == 0, program.errors


def test_the_program_of_the_readme_changes_what_the_file_says(readme: Path) -> None:
    (readme / "app.py").write_text(_sample("python", "from procession import Task, up"))
    with Program.python(readme / "app.py", cwd=readme) as program:
        assert program.wait(timeout=30) == 0, program.errors
        assert program.output == b"working on slow jobs\n\n"


@pytest.mark.quick
def test_the_program_with_a_project_in_it(tmp_path: Path) -> None:
    with Program.python(_EXAMPLES / "python" / "greet.py", cwd=tmp_path) as program:
        assert program.wait(timeout=30) == 0, program.errors
        assert program.output.decode().splitlines() == [
            "alpha greets /hello",
            "beta greets /hello",
            "run 2: beta greets /hello",
            "all are down, status 0",
        ]


def test_web_ends_with_the_clients_status_when_a_server_never_comes(web: Path) -> None:
    file = web / "procession.yaml"
    file.write_text(file.read_text().replace("client.py alpha beta", "client.py alpha gamma"))
    client = web / "client.py"
    client.write_text(client.read_text().replace("PATIENCE = 20.0", "PATIENCE = 0.3"))
    with _up(web) as program:
        assert program.wait(timeout=30) == 1
        assert b"gamma does not answer" in program.errors
        assert "every request is answered, goodbye" in _lines(program, "alpha")


def test_web_goes_down_gracefully_on_request(web: Path) -> None:
    file = web / "procession.yaml"
    file.write_text(file.read_text().replace("client.py alpha beta", "client.py alpha gamma"))
    with _up(web) as program:
        program.expect(b"alpha greets /client")
        program.signal(signal.SIGTERM)
        assert program.wait(timeout=30) == 0, program.errors
        for server in ("alpha", "beta"):
            assert _lines(program, server)[1:] in (
                ["asked to stop", "every request is answered, goodbye"],
                [],  # asked before it had begun to listen
            )
