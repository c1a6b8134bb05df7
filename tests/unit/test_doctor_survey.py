"""What is read out of the kernel's texts for `procession doctor`, and how it is told."""

from __future__ import annotations

import json

import pytest

from procession.cli.doctor import WIDTH, as_json, lines
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
