"""Did you mean ...?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession import keys, spec
from procession.config.names import fit_name, is_name
from procession.config.suggest import closest

pytestmark = pytest.mark.quick

KEYS = tuple(field.key for field in keys.TASK_FIELDS)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("restrat", "restart"),
        ("Restart", "restart"),
        ("restart_backof", "restart-backoff"),
        ("restart backoff", "restart-backoff"),
        ("backoff", ""),
        ("arg", "args"),
        ("ags", "args"),
        ("progam", "program"),
        ("pogram", "program"),
        ("prorgam", "program"),
        ("prog", "program"),
        ("quit", "quit-on-terminate"),
        ("environ", "environment"),
        ("enviroment", "environment"),
        ("env-flie", "env-file"),
        ("naem", "name"),
        ("success-exit-code", "success-exit-codes"),
        ("re", ""),
        ("x", ""),
        ("", ""),
        ("kubernetes", ""),
        ("a" * 5000, ""),
    ],
)
def test_the_nearest_key(word: str, meant: str) -> None:
    assert closest(word, KEYS) == meant


def test_words_of_other_tools_win() -> None:
    assert closest("Working_Dir", KEYS, {"working-dir": "cwd"}) == "cwd"
    assert closest("tag", KEYS, {"tag": "stop"}) == "stop"
    assert closest("version", KEYS, {"version": ""}) == ""


def test_the_beginning_of_two_words_is_neither() -> None:
    assert closest("start", ("starting", "started-up")) == ""
    assert closest("starting", ("starting", "started-up")) == "starting"


@given(st.text(max_size=50), st.lists(st.text(max_size=20), max_size=6))
def test_a_suggestion_is_a_known_word_or_nothing(word: str, known: list[str]) -> None:
    assert closest(word, known) in ["", *known]


@given(st.sampled_from(KEYS), st.data())
def test_one_slip_of_the_finger_is_forgiven(key: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(key) - 1))
    slip = data.draw(
        st.sampled_from(
            [key[:at] + key[at + 1 :], key[:at] + "x" + key[at:], key[:at] + "x" + key[at + 1 :]]
        )
    )
    assert closest(slip, KEYS) != ""
    assert closest(slip, [key]) == key


@given(st.text(max_size=120))
def test_names_are_what_the_models_pattern_says(text: str) -> None:
    import re

    matches = re.fullmatch(spec.TASK_NAME_PATTERN, text) is not None
    assert is_name(text) == (matches and len(text) <= spec.MAX_NAME)
    fit = fit_name(text)
    assert fit == "" or is_name(fit)


@given(st.from_regex(spec.TASK_NAME_PATTERN, fullmatch=True).filter(lambda n: len(n) <= 100))
def test_every_name_of_the_pattern_is_a_name(name: str) -> None:
    assert is_name(name)
