"""As whom a task of a file runs, and within which bounds: as its own program finds it."""

from __future__ import annotations

import os
import pwd
import resource
import sys
from pathlib import Path

import pytest

from procession.keys import LIMITS
from tests.support.programs import PROGRAMS
from tests.support.up import Project, Task, sh

AS_NOBODY = (sys.executable, "-S", str(PROGRAMS / "up_as_nobody.py"))
UNKNOWN = 1_234_567  # a number that no table of users or groups has

# Programs that every user may run, wherever the interpreter lies.
LOOKS = 'cd /proc/self && cat status limits >"$0" && cut -d" " -f19 stat >>"$0" && env >>"$0"'

ROWS = {  # by name: what proc(5) calls the limit
    "as": "Max address space",
    "core": "Max core file size",
    "cpu": "Max cpu time",
    "data": "Max data size",
    "fsize": "Max file size",
    "memlock": "Max locked memory",
    "msgqueue": "Max msgqueue size",
    "nice": "Max nice priority",
    "nofile": "Max open files",
    "nproc": "Max processes",
    "rss": "Max resident set",
    "rtprio": "Max realtime priority",
    "rttime": "Max realtime timeout",
    "sigpending": "Max pending signals",
    "stack": "Max stack size",
}
G = 1 << 30
# What is written, and the soft and the hard limit that it comes to: below what anybody has.
LOWER: dict[str, tuple[object, int, int]] = {
    "as": ("4G", 4 * G, 4 * G),
    "core": (0, 0, 0),
    "cpu": ([500, 600], 500, 600),
    "data": ("3G", 3 * G, 3 * G),
    "fsize": (["1G", "2G"], G, 2 * G),
    "memlock": ("16K", 16384, 16384),
    "msgqueue": (4096, 4096, 4096),
    "nofile": ([100, 200], 100, 200),
    "nproc": (3000, 3000, 3000),
    "rss": ("5G", 5 * G, 5 * G),
    "rttime": (900_000, 900_000, 900_000),
    "sigpending": (500, 500, 500),
    "stack": ("4M", 4 << 20, 4 << 20),
}
RAISED: dict[str, tuple[object, int, int]] = {  # for root alone: others have none of it, mostly
    "nice": (5, 5, 5),
    "rtprio": ([3, 7], 3, 7),
}


def looks(name: str, **keys: object) -> Task:
    """A task that writes what it finds into a file; see `absolute`."""
    return sh(LOOKS, f"{name}.found", **keys)


class Found:
    """What a task of `looks` found."""

    def __init__(self, project: Project, name: str) -> None:
        self.lines = (project.folder / f"{name}.found").read_text().splitlines()

    def status(self, key: str) -> str:
        (line,) = [line for line in self.lines if line.startswith(f"{key}:\t")]
        return line.split(":\t")[1].strip()

    def ids(self, key: str) -> set[int]:
        return {int(word) for word in self.status(key).split()}

    @property
    def nice(self) -> int:
        (line,) = [line for line in self.lines if line.lstrip("-").isdecimal()]
        return int(line)

    def limit(self, name: str) -> tuple[int, int]:
        (line,) = [line for line in self.lines if line.startswith(ROWS[name] + "  ")]
        soft, hard = line.removeprefix(ROWS[name]).split()[:2]
        return _number(soft), _number(hard)

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.lines if "=" in line)


def _number(text: str) -> int:
    return resource.RLIM_INFINITY if text == "unlimited" else int(text)


def ran(project: Project, tasks: dict[str, Task], **top: object) -> dict[str, Found]:
    """What each task found; all have ended well."""
    project.tasks({name: absolute(project, task) for name, task in tasks.items()}, **top)
    up = project.up()
    assert up.status() == 0, up.said()
    return {name: Found(project, name) for name in tasks}


def absolute(project: Project, task: Task) -> Task:
    """The file lies in the project, wherever the task looks."""
    *args, where = task["args"]
    return {**task, "args": [*args, str(project.folder / where)]}


# --- for everybody -----------------------------------------------------------------------------


@pytest.mark.quick
def test_umask_niceness_and_processors(project: Project) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    one = min(os.sched_getaffinity(0))
    found = ran(
        project,
        {
            "a": looks("a", umask="027", nice=own + 3, cpus=one),
            "b": looks("b", umask="0", cpus=[one]),
            "c": looks("c", cpus=str(one)),
            "plain": looks("plain"),
        },
    )
    assert [found[name].status("Umask") for name in "ab"] == ["0027", "0000"]
    assert [found[name].nice for name in "abc"] == [own + 3, own, own]
    assert {found[name].status("Cpus_allowed_list") for name in "abc"} == {str(one)}
    # and nobody else got any of it
    plain, ours = found["plain"], Path("/proc/self/status").read_text()
    assert plain.nice == own
    for key in ("Umask", "Cpus_allowed_list"):
        assert f"{key}:\t{plain.status(key)}\n" in ours
    modes = [(project.folder / f"{n}.found").stat().st_mode & 0o777 for n in "ab"]
    assert modes == [0o640, 0o666]


@pytest.mark.quick
def test_limits_by_name(project: Project) -> None:
    tasks = {name: looks(name, limits={name: written}) for name, (written, _, _) in LOWER.items()}
    found = ran(project, {**tasks, "plain": looks("plain")})
    for name, (_, soft, hard) in LOWER.items():
        assert found[name].limit(name) == (soft, hard), name
        ours = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
        assert found["plain"].limit(name) == ours, name
    assert found["nofile"].limit("core") == found["plain"].limit("core"), "each is one alone"


@pytest.mark.quick
def test_each_limit_of_this_system_is_tried_here() -> None:
    assert sorted(LOWER | RAISED) == sorted(LIMITS["linux"]) == sorted(ROWS)


def test_limits_of_all_tasks_and_of_one(project: Project) -> None:
    """Laid over each other by name."""
    limits = {"core": 0, "nofile": 300}
    found = ran(
        project,
        {"a": looks("a"), "b": looks("b", limits={"nofile": 200, "stack": "6M"})},
        defaults={"limits": limits, "umask": "077", "nice": os.getpriority(os.PRIO_PROCESS, 0) + 1},
    )
    assert [found[n].limit("nofile")[0] for n in "ab"] == [300, 200]
    assert [found[n].limit("core") for n in "ab"] == [(0, 0), (0, 0)]
    assert found["b"].limit("stack") == (6 << 20, 6 << 20)
    assert {found[n].status("Umask") for n in "ab"} == {"0077"}
    assert {found[n].nice for n in "ab"} == {os.getpriority(os.PRIO_PROCESS, 0) + 1}


def test_a_limit_ends_who_goes_beyond_it(project: Project) -> None:
    """The kernel's own end: SIGXFSZ, told as what it is."""
    script = "exec dd if=/dev/zero of=much bs=1k count=64 2>/dev/null"
    project.tasks({"a": sh(script, limits={"fsize": "16K", "core": 0})})
    up = project.up()
    assert up.status() == 128 + 25, up.said()
    assert "a failed: killed by SIGXFSZ (beyond its limit of a file's size)" in up.err, up.said()
    assert (project.folder / "much").stat().st_size == 16384


def test_it_holds_for_each_run_and_for_commands_of_the_task(project: Project) -> None:
    """A check and a stop's command run as the task does."""
    check = "echo check $(ulimit -n) $(umask) >>told; [ $(grep -c run told) = 2 ]"
    task = sh(
        "echo run $(ulimit -n) $(umask) >>told; [ $(grep -c run told) = 2 ] && exec sleep 1000",
        limits={"nofile": 123},
        umask="037",
        restart="on-failure",
        restart_backoff=0,
        ready={"exec": ["sh", "-c", check], "interval": "10ms"},
        stop={"command": ["sh", "-c", "echo stop $(ulimit -n) $(umask) >>told"]},
    )
    project.tasks({"a": task})
    up = project.up()
    project.until_logged("a ready")
    assert up.stop() == 0, up.said()
    told = (project.folder / "told").read_text().splitlines()
    assert [line.split()[1:] for line in told] == [["123", "0037"]] * len(told)
    assert {line.split()[0] for line in told} == {"run", "check", "stop"}


def test_what_this_host_does_not_have_is_told_before_anything_starts(project: Project) -> None:
    project.tasks(
        {
            "first": sh("touch started"),
            "a": sh("true", user="nobdy"),
            "b": sh("true", group="no-such-group"),
            "c": sh("true", supplementary_groups=["no-such-one"]),
            "d": sh("true", cpus=4000),
            "e": sh("true", limits={"no-file": 10}),
            "f": sh("true", umask="rwx"),
            "g": sh("true", nice=20),
        }
    )
    up = project.up()
    assert up.status() == 2, up.said()
    for words in (
        "tasks.a.user: this host has no user `nobdy`; expected a name, or a number;",
        "tasks.b.group: this host has no group `no-such-group`",
        "tasks.c.supplementary-groups[0]: this host has no group `no-such-one`",
        "tasks.d.cpus: this host has no processor 4000",
        "tasks.e.limits",
        "tasks.f.umask",
        "tasks.g.nice",
    ):
        assert words in up.err, up.said()
    assert not (project.folder / "started").exists()


# --- for root alone ----------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.quick
def test_a_task_runs_as_another_user(project: Project) -> None:
    nobody = pwd.getpwnam("nobody")
    found = ran(
        project,
        {
            "name": looks("name", user="nobody"),
            "number": looks("number", user=nobody.pw_uid),
            "grouped": looks("grouped", user="nobody", group="daemon"),
            "member": looks("member", user="nobody", supplementary_groups=["daemon", 7]),
            "alone": looks("alone", user="nobody", supplementary_groups=[]),
            "unknown": looks("unknown", user=UNKNOWN, group=UNKNOWN + 1),
            "plain": looks("plain"),
        },
    )
    own, daemon = set(os.getgrouplist("nobody", nobody.pw_gid)), 1
    for name in ("name", "number", "grouped", "member", "alone"):
        assert found[name].ids("Uid") == {nobody.pw_uid}, name
    for name, gid in (("name", nobody.pw_gid), ("number", nobody.pw_gid), ("grouped", daemon)):
        assert found[name].ids("Gid") == {gid}, name
    assert found["name"].ids("Groups") == found["number"].ids("Groups") == own
    assert found["grouped"].ids("Groups") == set(os.getgrouplist("nobody", daemon))
    assert found["member"].ids("Groups") == {daemon, 7}
    assert found["alone"].ids("Groups") == set()
    assert found["unknown"].ids("Uid") == {UNKNOWN}
    assert found["unknown"].ids("Gid") == {UNKNOWN + 1}
    assert 0 not in found["unknown"].ids("Groups"), "root's groups are not kept"
    assert found["plain"].ids("Uid") == {0}
    assert found["plain"].ids("Groups") == set(os.getgroups())
    environment = found["name"].environment
    assert environment["HOME"] == nobody.pw_dir
    assert environment["USER"] == environment["LOGNAME"] == "nobody"
    assert found["plain"].environment.get("HOME") == os.environ["HOME"]
    assert found["name"].status("CapEff") == "0" * 16


@pytest.mark.root
def test_a_program_in_a_folder_that_is_not_for_that_user_is_told(project: Project) -> None:
    program = project.folder / "closed" / "program"
    program.parent.mkdir(0o700)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    task = {"program": str(program), "user": "nobody", "cwd": "/"}
    project.tasks({"a": task})
    up = project.up()
    assert up.status() == 126, up.said()
    assert f"{program}: Permission denied; the user whom it runs as may not: " in up.err


@pytest.mark.root
def test_a_group_without_a_user(project: Project) -> None:
    found = ran(
        project,
        {
            "a": looks("a", group=UNKNOWN),
            "b": looks("b", supplementary_groups=[UNKNOWN]),
        },
    )
    assert (found["a"].ids("Uid"), found["a"].ids("Gid")) == ({0}, {UNKNOWN})
    assert (found["b"].ids("Gid"), found["b"].ids("Groups")) == ({0}, {UNKNOWN})


@pytest.mark.root
def test_what_the_file_says_of_a_home_wins(project: Project) -> None:
    found = ran(
        project,
        {"a": looks("a", user="nobody", environment={"HOME": "/elsewhere", "USER": "me"})},
    )
    environment = found["a"].environment
    assert [environment[n] for n in ("HOME", "USER", "LOGNAME")] == ["/elsewhere", "me", "nobody"]


@pytest.mark.root
@pytest.mark.parametrize("name", RAISED)
def test_a_limit_that_only_root_may_raise(project: Project, name: str) -> None:
    """And root only where it kept that right (CAP_SYS_RESOURCE), as it does not in containers."""
    written, soft, hard = RAISED[name]
    project.tasks({"a": absolute(project, looks("a", user="nobody", limits={name: written}))})
    up = project.up()
    status = up.status()
    if may_raise_limits():
        assert status == 0, up.said()
        assert Found(project, "a").limit(name) == (soft, hard)
    else:
        assert status == 126, up.said()
        assert f"a failed: could not start: limits: {name}: Operation not permitted" in up.err


def may_raise_limits() -> bool:
    (line,) = [s for s in Path("/proc/self/status").read_text().splitlines() if "CapEff" in s]
    return bool(int(line.split()[1], 16) >> 24 & 1)  # CAP_SYS_RESOURCE, capabilities(7)


@pytest.mark.root
def test_all_of_it_at_once_for_another_user(project: Project) -> None:
    """What only root may give is given before root's rights go."""
    one = min(os.sched_getaffinity(0))
    limits = {"core": 0, "nofile": [64, 128]}
    task = looks("a", user="nobody", nice=-4, umask="007", cpus=one, limits=limits)
    found = ran(project, {"a": task})["a"]
    assert found.ids("Uid") == {pwd.getpwnam("nobody").pw_uid}
    assert (found.nice, found.status("Umask")) == (-4, "0007")
    assert found.status("Cpus_allowed_list") == str(one)
    assert (found.limit("core"), found.limit("nofile")) == ((0, 0), (64, 128))


@pytest.mark.root
def test_a_task_of_another_user_is_checked_stopped_and_killed(project: Project) -> None:
    """Its commands run as that user, and root's stop reaches it."""
    task = sh(
        'exec 3>"$0"; echo a ready $$ >&3; trap "" TERM; while :; do sleep 9; done',
        project.stage.path,
        user="nobody",
        ready={"exec": ["sh", "-c", "id -un >checked"]},
        stop={"command": ["sh", "-c", "id -un >asked"], "timeout": "300ms"},
    )
    project.tasks({"a": task})
    up = project.up()
    project.stage.ready("a")
    project.until_logged("a ready")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    for name in ("checked", "asked"):
        assert (project.folder / name).read_text() == "nobody\n"


@pytest.mark.root
def test_an_ordinary_user_cannot_have_it(project: Project) -> None:
    (project.folder / "logs").mkdir(mode=0o777)
    (project.folder / "logs").chmod(0o777)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    project.tasks(
        {
            "first": sh("touch started"),
            "a": sh("true", user="root"),
            "b": sh("true", group="daemon"),
            "c": sh("true", supplementary_groups=["daemon"]),
            "d": sh("true", nice=-5),
            "e": sh("true", limits={"nofile": hard + 1}),
        }
    )
    up = project.up(wrap=AS_NOBODY)
    assert up.status() == 2, up.said()
    for words in (
        "tasks.a.user: only root may run it as `root`",
        "tasks.b.group: only root may give it the group `daemon`",
        "tasks.c.supplementary-groups[0]: only root may give it the group `daemon`",
        "tasks.d.nice: only root may give it -5",
        f"tasks.e.limits.nofile: a hard limit above {hard}, which is ours: only root may raise it",
    ):
        assert words in up.err, up.said()
    assert not (project.folder / "started").exists()
