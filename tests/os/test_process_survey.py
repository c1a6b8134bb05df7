"""What `procession doctor` tells of Linux hosts that give less: each lack is played."""

from __future__ import annotations

import os
import resource

import pytest

from procession.process import _spawn_posix, _survey_linux, host, survey
from procession.process.survey import LIMITED, MISSING, OK, Fact

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
    for words in ("same instant", "setuid", "of which task", "procession.executor", "docker"):
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
