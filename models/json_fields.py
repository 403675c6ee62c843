"""Readers of single JSON fields: each returns the value, or raises ValueError with what is wrong with it."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

Reader = Callable[[Any], Any]
Made = TypeVar("Made")


def text(value: Any) -> str:
    """Read a non-empty string."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a non-empty string")
    return value


def short_text(most: int) -> Callable[[Any], str]:
    """Return a reader of a non-empty string of at most some characters."""

    def read(value: Any) -> str:
        found = text(value)
        if len(found) > most:
            raise ValueError(f"{found[:20]!r}... has {len(found):,} characters, more than {most}")
        return found

    return read


def any_text(value: Any) -> str:
    """Read a string that may be empty."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    return value


def one_of(*allowed: str) -> Callable[[Any], str]:
    """Return a reader of one of some strings."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")
        return str(value)

    return read


def integer(low: int, high: int) -> Callable[[Any], int]:
    """Return a reader of a whole number in low..high."""

    def read(value: Any) -> int:
        # bool is a subclass of int: isinstance would let `true` pass as 1.
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{value!r} is not an integer in {low}..{high}")
        return value

    return read


def number(low: float, high: float, *, open_low: bool = False) -> Callable[[Any], float]:
    """Return a reader of a finite number in low..high, without `low` itself if `open_low`."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is not a finite number")
        if not low <= value <= high or (open_low and value == low):
            raise ValueError(f"{value} is not in {low}..{high}")
        return float(value)

    return read


def list_of(read: Reader, low: int, high: int) -> Callable[[Any], tuple[Any, ...]]:
    """Return a reader of a list with low..high items, each read by `read`."""

    def read_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise ValueError(f"expected a list of {low} to {high} items")
        return tuple(read(item) for item in value)

    return read_list


def mapping(value: Any) -> dict[str, Any]:
    """Read an object with any keys."""
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


def exactly(names: Collection[str], read: Reader) -> Callable[[Any], dict[str, Any]]:
    """Return a reader of an object with exactly some keys, whose values are read by `read`."""

    def read_object(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != set(names):
            raise ValueError(f"expected exactly {', '.join(names)}")
        return {name: read(value[name]) for name in names}

    return read_object


def record(name: str, made: Callable[..., Made], fields: Mapping[str, Reader]) -> Callable[[Any], Made]:
    """Return a reader of an object with exactly some fields, each with its reader.

    The result of `made` holds them; `name` is what the object is called if a field is missing or unknown.
    """

    def read(value: Any) -> Made:
        if not isinstance(value, dict) or value.keys() != fields.keys():
            *most, last = fields
            raise ValueError(f"{name} has {', '.join(most)} and {last}")
        return made(**{field: one(value[field]) for field, one in fields.items()})

    return read


def sha256(value: Any) -> str:
    """Read a sha256 in hexadecimal."""
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError(f"{value!r} is not a sha256 in hexadecimal")
    return value
