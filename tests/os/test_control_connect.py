"""How a verb finds the project that is meant, while that begins and ends."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest

from procession.cli import running as verbs
from procession.cli import wishes
from procession.cli.running import NotRunningHereError, NotYetError, connect
from procession.control import client as clients
from procession.control.address import About, Claim, claim


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/r", 0o700)
        monkeypatch.setenv("PROCESSION_RUNTIME_DIR", f"{folder}/r")
        file = os.path.realpath(f"{folder}/shop.yaml")
        open(file, "w").close()
        held = claim(f"{folder}/r", file, "shop")
        yield held
        held.release()


def at_the_first_pause(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[float]:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            act()

    monkeypatch.setattr(time, "sleep", sleep)
    return pauses


@pytest.mark.parametrize("by_name", [True, False])
def test_a_project_that_begins_is_waited_for(
    shop: Claim, monkeypatch: pytest.MonkeyPatch, by_name: bool
) -> None:
    file = os.path.realpath(f"{shop.folder}/../../shop.yaml")
    about = About("shop", file, os.getpid(), 0.0)
    pauses = at_the_first_pause(monkeypatch, lambda: shop.tell(about))
    client = connect(None, "shop") if by_name else connect(file, None)
    assert client.about == about
    assert len(pauses) == 1
    client.close()


def test_one_that_ends_meanwhile_does_not_run(shop: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    at_the_first_pause(monkeypatch, shop.release)
    with pytest.raises(NotRunningHereError, match=r"no project called shop runs$"):
        connect(None, "shop")


def test_one_that_is_not_meant_is_not_waited_for(
    shop: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = at_the_first_pause(monkeypatch, lambda: None)
    with pytest.raises(NotRunningHereError, match=r"no project called shoe runs$"):
        connect(None, "shoe")
    assert pauses == []


def test_the_wait_for_it_is_bounded(
    shop: Claim, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verbs, "PAUSE", 0.0)
    with pytest.raises(
        NotYetError, match=f"shop: process {os.getpid()} has claimed it, and cannot"
    ):
        connect(None, "shop", 0.01)
    assert wishes.wait(["-p", "shop", "--timeout", "0.01"]) == 124
    assert "cannot be asked yet" in capsys.readouterr().err


def test_no_verb_waits_longer_than_it_was_told_for_one_that_is_deaf(
    shop: Claim, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clients, "AT_LEAST", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(shop.socket_path)
        listening.listen()
        shop.tell(About("shop", "/f", os.getpid(), 0.0))
        for verb, names in ((wishes.wait, []), (wishes.stop, ["web"]), (wishes.down, [])):
            assert verb(["-p", "shop", "--timeout", "0.1", *names]) == 124
            assert "does not answer within 0.1 s" in capsys.readouterr().err
