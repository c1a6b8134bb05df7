"""Where a running project is found, who may run it, and what a crash leaves."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.control.address import (
    About,
    claim,
    claimed,
    is_alive,
    key_of,
    running,
    runtime_folder,
)
from procession.errors import AlreadyRunningError, HostError

ABOUT = About("shop", "/srv/shop.yaml", 12, 1.5, "/var/log/shop")


@pytest.mark.quick
def test_a_project_is_claimed_once_found_and_gone_afterwards(tmp_path: Path) -> None:
    runtime = str(tmp_path / "run")
    os.mkdir(runtime, 0o700)
    held = claim(runtime, "/srv/shop.yaml", "shop")
    held.tell(ABOUT)
    assert stat.S_IMODE(os.stat(held.folder).st_mode) == 0o700
    assert running(runtime) == [(held.folder, ABOUT)]
    with pytest.raises(AlreadyRunningError, match=rf"shop.*supervisor {os.getpid()}"):
        claim(runtime, "/srv/shop.yaml", "shop")
    other = claim(runtime, "/srv/shop.yaml", "other")  # the same file under another name
    assert running(runtime) == [(held.folder, ABOUT)]
    other.release()
    held.release()
    held.release()
    assert os.listdir(runtime) == []  # which may be the user's own, or another's in a moment


def test_a_runtime_folder_that_somebody_tidied_away_is_made_anew(tmp_path: Path) -> None:
    runtime = str(tmp_path / "run")
    held = claim(runtime, "/f", "shop")
    assert stat.S_IMODE(os.stat(runtime).st_mode) == 0o700
    assert is_alive(held.folder)
    held.release()
    with pytest.raises(FileNotFoundError):
        claim(str(tmp_path / "no" / "run"), "/f", "shop")


@pytest.mark.quick
def test_what_a_killed_supervisor_left_is_taken_over(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from procession.control.address import About, claim\n"
        "held = claim(sys.argv[1], '/srv/shop.yaml', 'shop')\n"
        "held.tell(About('shop', '/srv/shop.yaml', os.getpid(), 0.0))\n"
        "open(held.socket_path, 'w').close()\n"
        "print('claimed', flush=True)\n"
        "sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"claimed\n"
        folder = str(tmp_path / key_of("/srv/shop.yaml", "shop"))
        assert is_alive(folder)
        assert [about.pid for _, about in running(str(tmp_path))] == [process.pid]
        with pytest.raises(AlreadyRunningError, match=str(process.pid)):
            claim(str(tmp_path), "/srv/shop.yaml", "shop")
        process.kill()
        process.wait(10)
    assert not is_alive(folder)
    assert running(str(tmp_path)) == []
    held = claim(str(tmp_path), "/srv/shop.yaml", "shop")
    assert not os.path.exists(held.socket_path)
    held.release()


def test_a_lock_that_was_taken_away_in_between_is_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs it ends between our open and our lock: the lock we get is one nobody else finds."""
    import fcntl

    first = claim(str(tmp_path), "/f", "shop")
    real, calls = fcntl.flock, []

    def late(fd: int, operation: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            first.release()
            os.mkdir(tmp_path / key_of("/f", "shop"), 0o700)
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    held = claim(str(tmp_path), "/f", "shop")
    assert len(calls) == 2
    assert is_alive(held.folder)
    held.release()


@pytest.mark.quick
@pytest.mark.parametrize(
    "wrong",
    [
        *({"project": 1}, {"file": None}, {"logs": 7}, {"left_out": [3]}, {"left_out": 3}),
        *({"pid": "12"}, {"pid": True}, {"pid": -1}, {"pid": 1 << 70}),
        *({"since": "z"}, {"since": float("nan")}, {"since": float("inf")}, {"since": None}),
        *({"read": [["a", "b"]]}, {"read": [[1, 2]]}, {"read": [1]}, {"more": 1}),
    ],
)
def test_what_is_none_of_ours_is_no_project(tmp_path: Path, wrong: dict[str, object]) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    held = claim(str(runtime), "/srv/shop.yaml", "shop")
    held.tell(ABOUT)
    assert running(str(runtime)) == [(held.folder, ABOUT)]
    path = os.path.join(held.folder, "about.json")
    with open(path, "w") as file:
        json.dump({**ABOUT.__dict__, **wrong}, file)
    assert running(str(runtime)) == []
    held.release()


@pytest.mark.quick
def test_a_deleted_lock_is_no_end_while_somebody_listens(short: str) -> None:
    held = claim(short, "/f", "shop")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(held.socket_path)
        listening.listen()
        held.tell(ABOUT)
        os.unlink(os.path.join(held.folder, "lock"))
        assert is_alive(held.folder)
        assert running(short) == [(held.folder, ABOUT)]
        with pytest.raises(AlreadyRunningError, match=rf"shop.*supervisor {os.getpid()}"):
            claim(short, "/f", "shop")
        assert is_alive(held.folder)
        assert sorted(os.listdir(held.folder)) == ["about.json", "control.sock"]
    assert not is_alive(held.folder)  # the file is there, and nobody behind it
    held.release()
    assert os.listdir(short) == []


def test_who_lost_its_folder_takes_nothing_of_the_next_one(short: str) -> None:
    first = claim(short, "/f", "shop")
    shutil.rmtree(first.folder)
    second = claim(short, "/f", "shop")
    second.tell(ABOUT)
    first.release()
    assert running(short) == [(second.folder, ABOUT)]
    second.release()


@pytest.mark.quick
def test_a_project_that_begins_is_known_before_it_can_be_asked(short: str) -> None:
    assert claimed(short) == []
    held = claim(short, "/srv/\udcff\n.yaml", "shop")
    (found,) = claimed(short)
    assert found[0] == held.folder
    assert (found[1].project, found[1].file) == ("shop", "/srv/\udcff\n.yaml")
    assert found[1].pid == os.getpid()
    held.tell(ABOUT)
    assert claimed(short) == []
    assert running(short) == [(held.folder, ABOUT)]
    held.release()
    assert claimed(short) == []


@pytest.fixture
def short() -> Iterator[str]:
    """A runtime folder whose path leaves room for a socket's."""
    folder = tempfile.mkdtemp()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.quick
def test_the_runtime_folder_is_the_first_that_can_be_had(tmp_path: Path) -> None:
    xdg, tmp = tmp_path / "xdg", tmp_path / "tmp"
    xdg.mkdir()
    tmp.mkdir()
    env = {"XDG_RUNTIME_DIR": str(xdg), "TMPDIR": str(tmp)}
    with pytest.raises(HostError, match="xdg"):
        runtime_folder(env, make=False)
    assert runtime_folder(env, make=True) == str(xdg / "procession")
    assert stat.S_IMODE(os.stat(xdg / "procession").st_mode) == 0o700
    own = {**env, "PROCESSION_RUNTIME_DIR": str(tmp_path / "own")}
    assert runtime_folder(own, make=True) == str(tmp_path / "own")


def test_a_folder_that_others_could_have_made_is_not_trusted(tmp_path: Path) -> None:
    place = tmp_path / f"procession-{os.geteuid()}"
    env = {"PROCESSION_RUNTIME_DIR": str(place)}
    place.mkdir(0o755)
    with pytest.raises(HostError, match="open to others, mode 0755"):
        runtime_folder(env, make=True)
    place.rmdir()
    (tmp_path / "mine").mkdir(0o700)
    place.symlink_to(tmp_path / "mine")
    with pytest.raises(HostError, match="no folder"):
        runtime_folder(env, make=True)


@pytest.mark.root
def test_a_folder_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir(0o700)
    os.chown(place, 65534, 65534)
    with pytest.raises(HostError, match="of user 65534"):
        runtime_folder({"PROCESSION_RUNTIME_DIR": str(place)}, make=True)


def test_what_is_not_ours_there_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "about.json").write_text("[]")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "about.json").write_text('{"project": "y"}')
    (tmp_path / "file").write_text("")
    assert running(str(tmp_path)) == []
    assert running(str(tmp_path / "none")) == []


def test_keys_are_short_and_tell_projects_apart() -> None:
    keys = {key_of(file, name) for file in ("/a", "/b", "/ab") for name in ("", "b", "c")}
    assert len(keys) == 9
    assert {len(key) for key in keys} == {16}
    assert key_of("/\udcff", "a")  # a file's name need not be text
