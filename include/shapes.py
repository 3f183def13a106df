"""The shape of JSON from outside, checked before anything is made of it."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from include.text import visible

_Kind = TypeVar("_Kind")
_SHOWN = 60  # characters of a wrong value
_NAMES = {
    bool: "true or false",
    dict: "an object",
    int: "a whole number, 0 or more",
    list: "a list",
    str: "a text",
}


class ShapeError(ValueError):
    """JSON from outside has another shape than agreed; the message is what is wrong, without a full stop."""


def field_of(answer: Mapping[str, Any], key: str, kind: type[_Kind]) -> _Kind:
    """Return a field of a JSON object.

    Args:
        answer: the object.
        key: the field's name.
        kind: its type; a whole number is 0 or more.

    Raises:
        ShapeError: it is missing, or isn't of that type.
    """
    if key not in answer:
        raise ShapeError(f"{key!r} is missing")
    value = answer[key]
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise ShapeError(f"{key!r} is {brief(value)}, and not {_NAMES[kind]}")
    return value


def brief(value: object) -> str:
    """Return a wrong value for a message, in one short line."""
    text = visible(repr(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def mismatch(wrong: ValidationError) -> str:
    """Return what is wrong with an answer that doesn't fit its model, in one line."""
    first, *others = wrong.errors(include_url=False, include_context=False)
    where = ".".join(map(str, first["loc"])) or "it"
    more = f" ({len(others)} more)" if others else ""
    return f"{visible(where)}: {first['msg']}, not {brief(first['input'])}{more}"
