import pytest

from procession._record import Record

pytestmark = pytest.mark.quick


class Point(Record):
    x: int
    y: int = 2


class Named(Point):
    label: str = "p"
    _hidden = frozenset({"label"})


def test_positional_keyword_and_default_values() -> None:
    assert (Point(1).x, Point(1).y) == (1, 2)
    assert Point(x=3, y=4) == Point(3, 4)
    assert Named(1, 2, "q").label == "q"


def test_values_of_different_classes_are_never_equal() -> None:
    assert Point(1, 2) != Named(1, 2)
    assert len({Point(1), Point(1), Point(2)}) == 2


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "lacks x"),
        ((1, 2, 3), {}, "takes 2 values, 3 given"),
        ((1,), {"z": 1}, "no field 'z'"),
        ((1,), {"x": 1}, "given twice"),
    ],
)
def test_wrong_arguments_are_told(
    args: tuple[int, ...], kwargs: dict[str, int], words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        Point(*args, **kwargs)


def test_a_value_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="cannot be changed"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be changed"):
        del point.x


def test_replace_copies_and_knows_its_fields() -> None:
    point = Point(1)
    assert point.replace(y=9) == Point(1, 9)
    assert point == Point(1, 2)
    with pytest.raises(TypeError, match="no field 'q'"):
        point.replace(q=1)


def test_hidden_fields_stay_out_of_repr() -> None:
    assert repr(Named(1, 2, "secret")) == "Named(x=1, y=2, label=...)"


def test_shared_mutable_defaults_are_refused() -> None:
    with pytest.raises(TypeError, match="mutable default"):

        class Bad(Record):
            values: list[int] = []  # noqa: RUF012 - the mistake under test
