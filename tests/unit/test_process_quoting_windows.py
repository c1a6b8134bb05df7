"""A command line for Windows: what comes apart again is what was put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.process import _quoting_windows as quoting

pytestmark = pytest.mark.quick


def apart(line: str) -> list[str]:
    """As the C runtime of 2008 and later takes a command line apart, played from its rules."""
    words: list[str] = []
    at = 0
    if line[:1] == '"':  # the first word: up to the next quotation mark, no escapes
        at = line.index('"', 1) + 1
        words.append(line[1 : at - 1])
    else:
        while at < len(line) and line[at] not in " \t":
            at += 1
        words.append(line[:at])
    while at < len(line):
        while at < len(line) and line[at] in " \t":
            at += 1
        if at == len(line):
            break
        word, quoted = "", False
        while at < len(line) and (quoted or line[at] not in " \t"):
            backslashes = 0
            while at < len(line) and line[at] == "\\":
                backslashes += 1
                at += 1
            if at < len(line) and line[at] == '"':
                word += "\\" * (backslashes // 2)
                if backslashes % 2:
                    word += '"'
                elif quoted and line[at + 1 : at + 2] == '"':
                    word += '"'
                    at += 1
                else:
                    quoted = not quoted
                at += 1
            else:
                word += "\\" * backslashes
                if at < len(line) and (quoted or line[at] not in " \t"):
                    word += line[at]
                    at += 1
        words.append(word)
    return words


WORDS = st.lists(st.text(st.sampled_from(' \t"\\a%&b'), max_size=8), max_size=5)


@given(WORDS)
def test_a_program_gets_its_words_back(words: list[str]) -> None:
    argv = (r"C:\my programs\a.exe", *words)
    assert tuple(apart(quoting.for_program(argv))) == argv


def test_what_no_line_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="quotation mark"):
        quoting.for_program(('a"b', "x"))
    with pytest.raises(ValueError, match="null character"):
        quoting.for_program(("a", "x\0y"))
    with pytest.raises(ValueError, match="Windows takes 32766"):
        quoting.for_program(("a", "x" * 32766))
    assert quoting.for_program(("a", "x" * 32764))
    with pytest.raises(ValueError, match=r"cmd\.exe takes 8191"):
        quoting.for_batch("cmd.exe", "a.bat", ("x" * 8191,))
    with pytest.raises(ValueError, match="line end"):
        quoting.for_batch("cmd.exe", "a.bat", ("x\ny",))
    with pytest.raises(ValueError, match="no name of a batch file"):
        quoting.for_batch("cmd.exe", 'a".bat', ())


@pytest.mark.parametrize("name", ["a.bat", "a.CMD", "a.bat.", "a.cmd ", "a.bat. ."])
def test_a_batch_file_is_known_by_every_ending_that_means_one(name: str) -> None:
    assert quoting.is_batch(name)


@pytest.mark.parametrize("name", ["a.exe", "bat", "a.bat.exe", "a.com"])
def test_other_programs_are_none(name: str) -> None:
    assert not quoting.is_batch(name)


@given(WORDS)
def test_a_batch_file_gets_no_percent_sign_that_begins_a_name(words: list[str]) -> None:
    line = quoting.for_batch(r"C:\cmd.exe", r"C:\a b.bat", tuple(words))
    assert line.startswith(r'"C:\cmd.exe" /e:ON /v:OFF /d /c ""C:\a b.bat"')
    assert "%" not in line.replace("%%cd:~,%", "")


@given(WORDS)
def test_outside_of_quotation_marks_cmd_sees_nothing_that_it_acts_on(words: list[str]) -> None:
    line = quoting.for_batch(r"C:\cmd.exe", r"C:\a.bat", tuple(words))
    inside = line.split(" /c ", 1)[1][1:-1]
    outside = "".join(inside.split('"')[::2])
    assert not set(outside) & set("&|<>^()")
