"""What this host grants a task beside its program: users, groups, niceness, processors, limits; and
the programs that it needs besides its own."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import sys
from pathlib import Path

import pytest

from procession import spec
from procession.lookup import Launch, Lookup, LookupProblem

PATH = "/usr/bin:/bin"


def resolve(task: spec.Task, folder: str = "/", path: str = PATH) -> Launch:
    return Lookup({"PATH": path}).resolve(task, folder)


def told(task: spec.Task, folder: str = "/") -> list[str]:
    with pytest.raises(LookupProblem) as caught:
        resolve(task, folder)
    return [str(trouble) for trouble in caught.value.troubles]


SH = spec.Task("web", "sh")
OURS = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let us look like an ordinary user without rights, whoever runs the tests."""
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(os, "getegid", lambda: 65534)
    monkeypatch.setattr(os, "getgroups", lambda: [65534])


# --- users and groups


@pytest.mark.quick
@pytest.mark.parametrize("user", [OURS, str(os.geteuid())])
def test_ourselves_we_may_always_be(user: str) -> None:
    assert resolve(SH.replace(user=user)).argv == ("sh",)


def test_who_is_not_there() -> None:
    (line,) = told(SH.replace(user="nobodyy"))
    assert line == (
        "user: this host has no user `nobodyy`; expected a name, or a number; did you mean "
        "`nobody`?"
    )
    (line,) = told(SH.replace(user="4294000001"))
    assert line == "user: no user has the number 4294000001; expected a `group` beside it"
    (line,) = told(SH.replace(group="no-such-group"))
    assert line.startswith("group: this host has no group `no-such-group`; expected a name")
    (line,) = told(SH.replace(supplementary_groups=(grp.getgrgid(0).gr_name, "no-such-group")))[-1:]
    assert line.startswith("supplementary-groups: this host has no group `no-such-group`")


@pytest.mark.root
def test_root_may_be_anybody() -> None:
    assert resolve(SH.replace(user="nobody", group="0", supplementary_groups=("0",)))
    assert resolve(SH.replace(user="4294000001", group="4294000001"))


@pytest.mark.quick
def test_others_may_be_nobody_else(nobody: None) -> None:
    (line,) = told(SH.replace(user="root"))
    assert line == "user: only root may run it as `root`; expected to be run by root"
    (line,) = told(SH.replace(group="0"))
    assert line == "group: only root may give it the group `0`; expected to be run by root"
    (line,) = told(SH.replace(supplementary_groups=("65534",)))
    assert line.startswith("supplementary-groups: only root may give it the group `65534`")
    assert resolve(SH.replace(user="65534", group="65534", supplementary_groups=()))


# --- niceness, processors, limits


def test_niceness(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpriority", lambda *_: 5)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, 0))
    assert resolve(SH.replace(nice=5))
    (line,) = told(SH.replace(nice=4))
    assert line == "nice: only root may give it 4; expected at least 5, or root"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (18, 18))  # as limits.conf may have it
    assert resolve(SH.replace(nice=2))
    assert told(SH.replace(nice=1))


def test_processors() -> None:
    there = os.sysconf("SC_NPROCESSORS_CONF")
    assert resolve(SH.replace(cpus=(0, there - 1)))
    (line,) = told(SH.replace(cpus=(0, there)))
    assert line.startswith(f"cpus: this host has no processor {there}; expected of 0")


@pytest.mark.quick
def test_limits_above_ours(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert resolve(SH.replace(limits=(("nofile", (4096, 4096)),)))
    (line,) = told(SH.replace(limits=(("nofile", (1, 4097)),)))
    assert line.startswith("limits.nofile: a hard limit above 4096, which is ours: only root may")
    (line,) = told(SH.replace(limits=(("core", (1, None)),)))
    assert line.startswith("limits.core: ")
    endless = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (endless, endless))
    assert resolve(SH.replace(limits=(("core", (None, None)),)))


@pytest.mark.skipif(sys.platform != "linux", reason="fs.nr_open is Linux's")
def test_no_limit_of_descriptors_is_above_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (endless, endless))
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    assert resolve(SH.replace(limits=(("nofile", (most, most)),)))
    for hard in (most + 1, None):
        (line,) = told(SH.replace(limits=(("nofile", (1, hard)),)))
        assert line.startswith("limits.nofile: more descriptors than this kernel gives anybody")
        assert line.endswith(f"expected at most {most}")


def test_a_limit_that_no_system_has() -> None:
    (line,) = told(SH.replace(limits=(("luck", (1, 1)),)))
    assert line == "limits.luck: no limit is called `luck` on this system; expected another"


# --- other programs


@pytest.mark.quick
def test_a_prefix_gets_the_program_by_its_path(tmp_path: Path) -> None:
    for name in ("wrap", "prog"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    prefix = ("wrap", "-x", "--args")
    task = spec.Task("web", "./prog", ("a",), launch_prefix=prefix)
    launch = resolve(task, str(tmp_path), f"{tmp_path}:{PATH}")
    assert launch.argv == (*prefix, f"{tmp_path}/./prog", "a")
    assert launch.executable == str(tmp_path / "wrap")
    (line,) = told(SH.replace(launch_prefix=("./wrop",)), str(tmp_path))
    assert line.startswith(f"launch-prefix: `./wrop` does not exist in `{tmp_path}`")


@pytest.mark.quick
def test_a_line_for_the_shell() -> None:
    task = spec.Task("web", "exec no-such-program | cat", shell=True)
    launch = resolve(task)
    assert launch.argv == ("sh", "-c", "exec no-such-program | cat")
    assert launch.executable == "/bin/sh"
    launch = resolve(task.replace(launch_prefix=("env", "A=1")))
    assert launch.argv == ("env", "A=1", "/bin/sh", "-c", "exec no-such-program | cat")


def test_the_commands_of_probes_and_stops_are_looked_up() -> None:
    gone = ("no-such-program", "-x")
    check = spec.Check((spec.TcpProbe(1), spec.ExecProbe(gone)))
    assert [line.split(":")[0] for line in told(SH.replace(ready=check, health=check))] == [
        "ready.exec",
        "health.exec",
    ]
    (line,) = told(SH.replace(stop=spec.Stop(command=gone)))
    assert line.startswith("stop.command: `no-such-program` is not on the task's PATH")
    steps = (spec.StopStep("SIGTERM"), spec.StopStep(command=gone))
    with pytest.raises(LookupProblem) as caught:
        resolve(SH.replace(stop=spec.Stop(steps=steps)))
    (trouble,) = caught.value.troubles
    assert (trouble.key, trouble.index, trouble.program) == ("stop.steps", 1, True)


def test_where_they_would_be_is_not_known_while_the_folder_is_wrong() -> None:
    check = spec.Check((spec.ExecProbe(("./probe",)),))
    (line,) = told(SH.replace(ready=check, cwd="/no-such-folder"))
    assert line.startswith("cwd: ")
