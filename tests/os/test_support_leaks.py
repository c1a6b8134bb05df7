"""The fixture that fails a leaking test, tried on tests that leak one thing each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import Program

pytestmark = pytest.mark.quick

_SETTINGS = {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "COLUMNS": "500",
}

# name of a leaking test -> (its body, what the failure must say)
_LEAKS = {
    "descriptor": ("os.open(os.devnull, os.O_RDONLY)", "descriptor .*: /dev/null"),
    "descriptor_replaced": (
        "os.dup2(os.open('/etc/passwd', os.O_RDONLY), GIVEN)",
        "descriptor .*: /etc/passwd",
    ),
    "socket": ("os.dup(socket.socketpair()[0].detach())", r"descriptor .*: socket:\["),
    "child": ("KEPT.append(subprocess.Popen(SLEEPER))", r"child process \d+ sleep 600"),
    "zombie": (
        "os.waitid(os.P_PID, os.posix_spawn('/bin/true', ['true'], {}), ENDED)",
        r"child process \d+ \(ended, not reaped\)",
    ),
    "stray": (
        "subprocess.run(['sh', '-c', 'sleep 600 & exit 0'], check=True)",
        r"process let go \d+ sleep 600",
    ),
    "thread": (
        "threading.Thread(target=NEVER.wait, name='lingerer', daemon=True).start()",
        r"thread lingerer \(daemon\)",
    ),
    "raw_thread": ("_thread.start_new_thread(linger, ()); BEGUN.wait()", "thread raw thread"),
    "handler": ("signal.signal(signal.SIGTERM, print)", "handler of SIGTERM: .*print.*SIG_DFL"),
    "handler_of_c": (
        "ctypes.CDLL(None).signal(signal.SIGUSR2, ctypes.c_void_p(1))",
        "signal dispositions: SigIgn became",
    ),
    "mask": (
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])",
        "signal mask became .*SIGUSR1",
    ),
    "wakeup": ("signal.set_wakeup_fd(GIVEN_WRITE)", r"wakeup descriptor became \d+, was -1"),
    "cwd": ("os.chdir('/')", "working directory became '/'"),
    "umask": ("os.umask(0o031)", "umask became 25"),
    "limit": ("resource.setrlimit(resource.RLIMIT_NOFILE, LOWER)", "limits became"),
    "subreaper": ("ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)", "subreaper flag became True"),
    "variable": ("os.environ['LEFT'] = 'over'", "variable LEFT='over' was set"),
    "variable_changed": ("os.environ['GIVEN'] = 'b'", "variable GIVEN became 'b', was 'a'"),
    "variable_removed": ("del os.environ['GIVEN']", "variable GIVEN was removed"),
    "temporary": ("tempfile.mkdtemp(prefix='left')", "temporary file .*/left"),
}

_CLEAN = {
    "closed": "os.close(os.open(os.devnull, os.O_RDONLY))",
    "reaped": "subprocess.run(['true'], check=True)",
    "cycle": "Cycle()",
    "ending": "threading.Thread(target=NEVER.wait, args=(0.05,), daemon=True).start()",
    "stray_ending": "subprocess.run(['sh', '-c', 'sleep 0.1 & exit 0'], check=True)",
    "restored": "signal.signal(signal.SIGTERM, signal.signal(signal.SIGTERM, print))",
    "removed": "os.rmdir(tempfile.mkdtemp())",
}

_HEAD = """
import _thread, ctypes, os, resource, signal, socket, subprocess, tempfile, threading
KEPT = []
NEVER, BEGUN = threading.Event(), threading.Event()
def linger():
    BEGUN.set()
    NEVER.wait()
SLEEPER = ["sleep", "600"]
GIVEN, GIVEN_WRITE = os.pipe()
ENDED = os.WEXITED | os.WNOWAIT
SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
LOWER = (SOFT - 1, HARD)
class Cycle:
    def __init__(self):
        self.fd, self.myself = os.open(os.devnull, os.O_RDONLY), self
    def __del__(self):
        os.close(self.fd)
os.environ["GIVEN"] = "a"
os.set_blocking(GIVEN_WRITE, False)
"""


def _run(folder: Path, text: str, *options: str) -> tuple[int, dict[str, str], str]:
    """Run pytest on a file of tests; its exit status, and what it says of each failing test."""
    (folder / "test_inner.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.leaks", "-p"]
    command += ["tests.support.session", "-p", "no:cacheprovider", "-v", *options, str(folder)]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **_SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = ended.stdout.partition("\nfiles of this session: ")[0]  # what follows says it again
    parts = re.split(r"^_+ ERROR at teardown of test_(\w+) _+$", errors, flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert not ended.stderr
    return ended.returncode, told, ended.stdout


def _tests(bodies: dict[str, str]) -> str:
    return _HEAD + "".join(f"def test_{name}():\n    {body}\n" for name, body in bodies.items())


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one session says of a test for each kind of leak."""
    bodies = {name: body for name, (body, _) in _LEAKS.items()}
    # Each leak is mended, so the tests after it, in this order or another, see none of it.
    status, told, output = _run(tmp_path_factory.mktemp("leaking"), _tests(bodies))
    assert status == 1, output
    return told


@pytest.mark.parametrize("kind", _LEAKS)
def test_a_leak_is_named(failures: dict[str, str], kind: str) -> None:
    assert re.search(_LEAKS[kind][1], failures[kind])


def test_only_the_leaking_test_is_blamed(failures: dict[str, str]) -> None:
    assert set(failures) == set(_LEAKS)
    for kind in ("child", "stray", "handler", "mask", "cwd", "variable", "temporary"):
        told = failures[kind].partition("the test left behind:\n")[2]
        assert len(re.findall(r"^  \w", told, flags=re.MULTILINE)) == 1, told


def test_what_is_cleared_up_is_no_leak(tmp_path: Path) -> None:
    status, told, output = _run(tmp_path, _tests(_CLEAN))
    assert (status, told) == (0, {}), output


def test_a_test_cut_short_by_hand_is_not_blamed(tmp_path: Path) -> None:
    body = "os.open(os.devnull, os.O_RDONLY); raise KeyboardInterrupt"
    status, _, output = _run(tmp_path, _tests({"cut": body}))
    assert status == pytest.ExitCode.INTERRUPTED
    assert "left behind" not in output


def test_the_folder_of_a_green_session_goes_and_of_a_red_one_stays(tmp_path: Path) -> None:
    where = "import os, tempfile\ndef test_one(tmp_path):\n    print(tempfile.gettempdir())\n"
    where += "    assert tempfile.gettempdir().startswith(os.path.dirname(os.environ['HOME']))\n"
    green = tmp_path / "green"
    red = tmp_path / "red"
    green.mkdir()
    red.mkdir()
    before = set(os.listdir(os.environ["TMPDIR"]))
    assert _run(green, where)[0] == 0
    assert set(os.listdir(os.environ["TMPDIR"])) == before
    status, _, output = _run(red, where + "    raise AssertionError\n")
    assert status == 1
    (kept,) = set(os.listdir(os.environ["TMPDIR"])) - before
    assert f"files of this session: {os.environ['TMPDIR']}/{kept}\n" in output
    subprocess.run(["rm", "-r", os.path.join(os.environ["TMPDIR"], kept)], check=True)


def test_who_share_the_tests_have_folders_of_their_own_in_one(tmp_path: Path) -> None:
    where = "import os, pathlib, pytest\n@pytest.mark.parametrize('one', range(40))\n"
    where += "def test_one(one):\n    home = os.environ['HOME']\n"
    where += "    with pathlib.Path('..', 'seen').open('a') as file: print(home, file=file)\n"
    before = set(os.listdir(os.environ["TMPDIR"]))
    (tmp_path / "run").mkdir()
    status, _, output = _run(tmp_path / "run", where, "-p", "xdist", "-n", "2")
    assert status == 0, output
    assert set(os.listdir(os.environ["TMPDIR"])) == before
    homes = {Path(line) for line in (tmp_path / "seen").read_text().split("\n") if line}
    assert {home.parent.name for home in homes} == {"gw0", "gw1"}
    assert len({home.parent.parent for home in homes}) == 1


def test_of_the_folders_that_stay_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Program("true") as ended:
        ended.wait()
    names = [f"procession-{ended.pid}-{age}" for age in range(5)]
    ours = f"procession-{os.getpid()}-running"
    other = "procession-of-somebody"
    for age, name in enumerate([*names, ours, other]):
        (tmp_path / "tmp" / name).mkdir(parents=True)
        os.utime(tmp_path / "tmp" / name, (age, age))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    assert _run(tmp_path, "def test_green(): pass\n")[0] == 0
    assert set(os.listdir(tmp_path / "tmp")) == {ours, other, *names[2:]}
