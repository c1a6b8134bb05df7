"""What is read out of the kernel's texts for `procession doctor`, and how it is told."""

from __future__ import annotations

import json
import os
import resource

import pytest

from procession.cli.doctor import WIDTH, as_json, lines
from procession.process import _spawn_posix, _survey_linux, host, survey
from procession.process._kernel_texts import Cgroup, cgroup, hidepid
from procession.process.survey import LIMITED, MISSING, OK, Fact, Survey

UNIFIED = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = (
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
PART = "31 24 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"


@pytest.mark.quick
@pytest.mark.parametrize(
    ("mountinfo", "own", "found"),
    [
        ("", "0::/x\n", None),
        (UNIFIED, "0::/user.slice/a.scope\n", ("/sys/fs/cgroup/user.slice/a.scope", 0)),
        (UNIFIED, "0::/\n", ("/sys/fs/cgroup", 0)),
        (HYBRID, "4:pids:/a\n1:name=systemd:/b\n0::/c\n", ("/sys/fs/cgroup/unified/c", 2)),
        (HYBRID, "4:pids:/a\n", ("", 2)),
        (PART, "0::/docker/abc/inner\n", ("/sys/fs/cgroup/inner", 0)),
        (PART, "0::/docker/abc\n", ("/sys/fs/cgroup", 0)),
        (PART, "0::/docker/abcdef\n", ("", 0)),
        (PART, "0::/elsewhere\n", ("", 0)),
        (UNIFIED, "0::/../outside\n", ("", 0)),
        (UNIFIED.replace("/sys/fs/cgroup ", "/with\\040blank "), "0::/a\n", ("/with blank/a", 0)),
    ],
)
def test_our_own_group_is_found_in_the_mounted_hierarchy(
    mountinfo: str, own: str, found: tuple[str, int] | None
) -> None:
    got = cgroup(mountinfo, own)
    if found is None:
        assert got is None
    else:
        assert isinstance(got, Cgroup)
        assert (got.folder, got.others) == found


def test_hidepid() -> None:
    plain = "23 28 0:21 / /proc rw,nosuid shared:13 - proc proc rw\n"
    assert hidepid(plain) == ""
    assert hidepid(plain.replace("proc rw\n", "proc rw,hidepid=invisible\n")) == "invisible"
    assert hidepid(plain.replace("/proc rw", "/mnt/proc rw").replace("rw\n", "hidepid=2\n")) == ""


def seen(*facts: Fact) -> Survey:
    return Survey("Linux 6.1 x86_64", "CPython 3.11.7", facts, ("one",), ("two " * 40,), ("three",))


@pytest.mark.quick
def test_the_worst_of_what_is_needed_counts() -> None:
    fine, less, none = Fact("a", OK, "x"), Fact("b", LIMITED, "x"), Fact("c", MISSING, "x")
    assert seen(fine).state == OK
    assert seen(fine, less).state == LIMITED
    assert seen(less, none, fine).state == MISSING
    assert seen(fine, none.replace(needed=False)).state == OK


def test_it_is_told_in_lines_that_fit_and_without_colour_where_none_is_wanted() -> None:
    found = seen(Fact("a", OK, "word " * 30), Fact("long key", LIMITED, "x", "it " * 40, "mend it"))
    told = list(lines(found, color=False))
    assert max(map(len, told)) <= WIDTH
    assert not any("\x1b" in line for line in told)
    assert any(line.startswith("limited  long key") for line in told)
    assert [line for line in told if line.startswith("  - ")] == [
        "  - one",
        "  - " + ("two " * 18).strip(),
        "  - three",
    ]
    assert "\x1b[33mlimited" in "".join(lines(found, color=True))


def test_json_has_all_of_it() -> None:
    found = json.loads(as_json(seen(Fact("a", OK, "x"), Fact("b", MISSING, "y", "m", "n"))))
    assert set(found) == {"state", "system", "python", "facts", "layers", "blind", "better"}
    assert found["facts"][1] == {
        "key": "b", "state": MISSING, "value": "y", "means": "m", "better": "n", "needed": True,
    }  # fmt: skip


# --- hosts that give less


Texts = dict[str, str]
HIDDEN = "23 28 0:21 / /proc rw - proc proc rw,hidepid=2\n"


@pytest.mark.parametrize(
    ("key", "lacks", "texts", "state", "value", "words"),
    [
        ("/proc", "has_proc", {}, MISSING, "not mounted", "unshare --mount-proc"),
        ("/proc", "", {"/proc/self/mountinfo": HIDDEN}, LIMITED, "hidepid=2", "by pid alone"),
        ("children files", "has_children_files", {}, LIMITED, "not there", "all of /proc"),
        ("subreaper", "has_subreaper", {}, MISSING, "refused", "PR_SET_CHILD_SUBREAPER"),
        ("pidfd", "has_pidfd", {}, LIMITED, "is refused", "Linux 5.3 or newer"),
        ("cgroup", "", {}, MISSING, "no version 2 hierarchy", "it goes without"),
        ("pids", "", {"/proc/sys/kernel/pid_max": "1000\n"}, LIMITED, "1,000", "come back soon"),
        ("pids", "", {}, OK, "cannot be read", ""),
        ("pipes", "", {"/proc/sys/fs/pipe-user-pages-soft": "256\n"}, LIMITED, "1 MiB", "sysctl"),
        ("pipes", "", {"/proc/sys/fs/pipe-user-pages-soft": "0\n"}, OK, "no limit", ""),
        ("ptrace", "", {"/proc/sys/kernel/yama/ptrace_scope": "3\n"}, OK, "nobody", ""),
    ],
)
def test_what_a_host_lacks_is_told_with_what_it_means(
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    lacks: str,
    texts: Texts,
    state: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setattr(_survey_linux, "_text", lambda path: texts.get(path, ""))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("has_proc", "has_children_files", "has_subreaper", "has_pidfd"):
        monkeypatch.setattr(host, name, lambda name=name: name != lacks)
    (fact,) = [fact for fact in _survey_linux.facts() if fact.key == key]
    assert fact.state == state
    assert value in fact.value
    assert words in f"{fact.means} {fact.better}"
    if state == MISSING and fact.needed:
        assert fact.better, "whoever cannot work at all is told what to do"


def test_slower_and_narrower_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    def facts() -> dict[str, Fact]:
        return {fact.key: fact for fact in survey.survey().facts}

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (50, 200))
    monkeypatch.setattr(_spawn_posix, "spawn", _spawn_posix.spawn_popen)
    found = facts()
    assert (found["spawn"].state, found["spawn"].value) == (LIMITED, "by subprocess.Popen")
    assert "3.11" in found["spawn"].better
    assert (found["processes"].state, found["processes"].value) == (LIMITED, "50, at most 200")
    assert found["open files"].means == "room for about 22 tasks"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert facts()["processes"].state == OK, "root is not held to it"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert facts()["open files"].value == "no limit, at most no limit"


def contained(euid: int, **changes: str) -> tuple[str, str]:
    states = {"cgroup": MISSING, "subreaper": OK, "/proc": OK, "pidfd": OK, **changes}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: euid)
        layers, blind = survey._containment(states)
    return "\n".join(layers), "\n".join(blind)


@pytest.mark.quick
def test_what_holds_a_tree_and_what_gets_past_it() -> None:
    layers, blind = contained(1000)
    for words in ("child subreaper", "session and process group", "PROCESSION_RUN", "a guardian"):
        assert words in layers
    for words in ("same instant", "setuid", "with several tasks", "procession.executor", "docker"):
        assert words in blind
    layers, blind = contained(0)
    assert "setuid" not in blind
    layers, blind = contained(1000, cgroup=OK)
    assert layers.startswith("a control group for each run")
    assert "setuid" not in blind
    assert "the next start in the same control group" in blind
    layers, blind = contained(1000, pidfd=LIMITED)
    assert "pid and start time" in layers
    for lacking in ("subreaper", "/proc"):
        layers, blind = contained(0, **{lacking: MISSING})
        assert layers == ""
        assert blind.startswith("everything")
