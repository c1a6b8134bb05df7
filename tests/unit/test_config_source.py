"""Text with a name, places in it, and how a problem is shown."""

from __future__ import annotations

import pytest

from procession.config.source import (
    MAX_BYTES,
    Mark,
    Problem,
    Source,
    decode_bytes,
)
from procession.errors import one_line, quoted

pytestmark = pytest.mark.quick


def source_of(data: bytes) -> Source:
    source = decode_bytes("f", data)
    assert isinstance(source, Source), source
    return source


def problem_of(data: bytes) -> Problem:
    problem = decode_bytes("f", data)
    assert isinstance(problem, Problem), problem
    return problem


def test_utf8_with_and_without_a_byte_order_mark() -> None:
    assert source_of("größe: 1".encode()).text == "größe: 1"
    assert source_of("größe: 1".encode("utf-8-sig")).text == "größe: 1"
    assert source_of(b"").text == ""


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("a: b".encode("utf-16"), "f:1:1: the file is UTF-16 text; expected UTF-8"),
        ("a: b".encode("utf-32"), "f:1:1: the file is UTF-32 text; expected UTF-8"),
        (b"\xfe\xff\0a", "f:1:1: the file is UTF-16 text; expected UTF-8"),
        ("a: b".encode("utf-16-le"), "f:1:2: a NUL byte"),
        (b"a: 1\nb: \0", "f:2:4: a NUL byte; expected text in UTF-8"),
        ("a: 1\nb: größe\n".encode("latin-1"), "f:2:6: byte 0xf6 is not UTF-8"),
        ("größe: ".encode() + b"\xff", "f:1:8: byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfab\xff", "f:1:3: byte 0xff is not UTF-8"),
        (b"ab\xe2\x82", "f:1:3: byte 0xe2 is not UTF-8"),
        (b"\x7fELF\x02\x01\x01\0", "f:1:8: a NUL byte"),
        (b"x" * (MAX_BYTES + 1), "f:1:1: the file is larger than 1 MiB"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(data: bytes, told: str) -> None:
    assert str(problem_of(data)).startswith(told)


def test_a_file_of_the_largest_size_is_read() -> None:
    assert len(source_of(b"x" * MAX_BYTES).text) == MAX_BYTES


def test_the_line_with_a_wrong_byte_is_shown_with_a_caret() -> None:
    pointed = problem_of("a: 1\nname: größe # x\n".encode("latin-1")).pointed()
    assert pointed == "name: größe # x\n        ^"


@pytest.mark.parametrize(
    ("text", "index", "place"),
    [
        ("abc", 0, (1, 1)),
        ("abc", 3, (1, 4)),
        ("a\nb", 2, (2, 1)),
        ("a\r\nb", 3, (2, 1)),
        ("a\rb", 2, (2, 1)),
        ("ä€😀x", 3, (1, 4)),
        ("", 0, (1, 1)),
        ("a\n", 2, (2, 1)),
    ],
)
def test_places_count_from_one_in_characters(text: str, index: int, place: tuple[int, int]) -> None:
    assert Source("f", text).mark(index) == Mark(*place)


def test_lines_by_number() -> None:
    source = Source("f", "one\r\ntwo\n\nfour")
    assert [source.line(n) for n in range(6)] == ["", "one", "two", "", "four", ""]
    assert source.text_at(Mark(2, 2)) == "wo"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ((), "f:2:3: p: w"),
        (("x",), "f:2:3: p: w; expected x"),
        (("x", "y"), "f:2:3: p: w; expected x; did you mean `y`?"),
        (("", "y"), "f:2:3: p: w; did you mean `y`?"),
        (("", "a`b"), "f:2:3: p: w; did you mean 'a`b'?"),
    ],
)
def test_a_problem_in_one_line(fields: tuple[str, ...], line: str) -> None:
    assert str(Problem("f", 2, 3, "p", "w", *fields)) == line


def test_a_problem_without_a_path() -> None:
    assert str(Problem("f", 1, 1, "", "w")) == "f:1:1: w"


def test_a_files_name_does_not_break_the_line() -> None:
    assert str(Problem("a\nb\udcff", 1, 1, "x\ty", "w")) == "a\\nb\\udcff:1:1: x\\ty: w"


def test_no_caret_without_a_line() -> None:
    assert Problem("f", 1, 1, "", "w").pointed() == ""


@pytest.mark.parametrize(
    ("line", "column", "shown"),
    [
        ("a: b", 4, "a: b\n   ^"),
        ("a: b", 5, "a: b\n    ^"),
        ("\ta:\tb", 5, "\ta:\tb\n\t  \t^"),
        ("日本: x", 5, "日本: x\n      ^"),
        ("e\u0301a: x", 3, "e\u0301a: x\n ^"),
        ("a\x1b[31mb", 7, "a\\x1b[31mb\n" + " " * 9 + "^"),
    ],
)
def test_the_caret_stands_under_the_place(line: str, column: int, shown: str) -> None:
    assert Source("f", line).problem(Mark(1, column), "w").pointed() == shown


@pytest.mark.parametrize("column", [1, 100, 121, 5000, 99_999, 100_000])
def test_of_a_long_line_the_part_around_the_caret_is_shown(column: int) -> None:
    line = "".join(chr(ord("a") + i % 26) for i in range(100_000))
    shown, caret = Source("f", line).problem(Mark(1, column), "w").pointed().split("\n")
    assert len(shown) < 130
    assert shown[len(caret) - 1] == line[column - 1]
    assert shown.startswith("...") == (column > 120)
    assert shown.endswith("...") == (column < 99_900)


def test_text_for_messages() -> None:
    assert one_line("größe €") == "größe €"
    assert one_line("a\nb\x00\u202e") == "a\\nb\\x00\\u202e"
    assert quoted("a b") == "`a b`"
    assert quoted("a`b") == "'a`b'"
    assert quoted("x" * 80) == "`" + "x" * 80 + "`"
    assert quoted("a" * 50 + "b" * 50) == "`" + "a" * 40 + "..." + "b" * 40 + "`"
