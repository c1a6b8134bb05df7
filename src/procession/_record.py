"""Small frozen values, declared like dataclasses, at a tenth of their import price.

`dataclasses` pulls `inspect` and its kin: 19 ms of a 13 ms interpreter start, on the path
between the command line and the first task. This has the part of it that we use: fields from
annotations, defaults, positional or keyword arguments, equality, hash, repr, `replace`.
Mutable defaults are refused; a class that holds values nobody may see names them in `_hidden`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_: object) -> Callable[[T], T]:
        return lambda cls: cls


_MISSING = object()


@dataclass_transform(frozen_default=True, eq_default=True)
class Record:
    """Base of all values. Subclasses annotate fields; instances cannot be changed.

    Raises TypeError for missing, unknown or doubled arguments, AttributeError on assignment.
    Instances are hashable as far as their fields are, and safe to share between threads.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _names: ClassVar[frozenset[str]] = frozenset()  # the same, to look into
    _defaults: ClassVar[dict[str, object]] = {}
    _hidden: ClassVar[frozenset[str]] = frozenset()  # fields that repr shows as "..."

    def __init_subclass__(cls) -> None:
        own = [n for n in cls.__annotations__ if not n.startswith("_")]
        defaults = dict(cls._defaults)
        for name in own:
            value = cls.__dict__.get(name, _MISSING)
            if value is _MISSING:
                if defaults:
                    raise TypeError(
                        f"{cls.__name__}.{name}: a field without default after one with"
                    )
                continue
            if isinstance(value, list | dict | set):
                raise TypeError(f"{cls.__name__}.{name}: a mutable default would be shared")
            defaults[name] = value
        cls._fields = cls._fields + tuple(n for n in own if n not in cls._fields)
        cls._names = frozenset(cls._fields)
        cls._defaults = defaults

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields, values = self._fields, self.__dict__
        if len(args) < len(fields):
            values.update(self._defaults)
        for name, value in zip(fields, args):  # noqa: B905 - `strict` is a third of what this costs
            values[name] = value
        if kwargs:
            values.update(kwargs)
            known = kwargs.keys() <= self._names
            if not known or not kwargs.keys().isdisjoint(fields[: len(args)]):
                self._refuse(args, kwargs)
        if len(values) != len(fields) or len(args) > len(fields):
            self._refuse(args, kwargs)

    @classmethod
    def _refuse(cls, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Say what is wrong with these; apart from `__init__`, where nearly nothing ever is."""
        fields = cls._fields
        if len(args) > len(fields):
            raise TypeError(f"{cls.__name__} takes {len(fields)} values, {len(args)} given")
        for name in kwargs:
            if name not in fields:
                raise TypeError(f"{cls.__name__} has no field {name!r}")
            if name in fields[: len(args)]:
                raise TypeError(f"{cls.__name__}: {name!r} is given twice")
        missing = [n for n in fields[len(args) :] if n not in cls._defaults and n not in kwargs]
        raise TypeError(f"{cls.__name__} lacks {', '.join(missing)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed: it is a value")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed: it is a value")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *(self.__dict__[n] for n in self._fields)))

    def __repr__(self) -> str:
        shown = (
            f"{n}=..." if n in self._hidden else f"{n}={self.__dict__[n]!r}" for n in self._fields
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed. TypeError for a name that is no field."""
        cls = type(self)
        values = {**self.__dict__, **changes}
        if len(values) != len(cls._fields):
            name = next(n for n in changes if n not in cls._names)
            raise TypeError(f"{cls.__name__} has no field {name!r}")
        new = object.__new__(cls)
        object.__setattr__(new, "__dict__", values)
        return new
