"""Fields of JSON from outside have the type that they should, or are named in an error."""

import pytest
from pydantic import ValidationError

from include.models import Model
from include.shapes import ShapeError, brief, field_of, mismatch


def test_a_field_of_its_type_is_returned() -> None:
    """Zero is a number, and an empty text one, too."""
    answer = {"a": "", "b": 0, "c": [], "d": {}, "e": False}
    kinds = {"a": str, "b": int, "c": list, "d": dict, "e": bool}
    assert {key: field_of(answer, key, kind) for key, kind in kinds.items()} == answer


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (7, str, "'a' is 7, and not a text"),
        (True, int, "'a' is True, and not a whole number, 0 or more"),
        (1, bool, "'a' is 1, and not true or false"),
        (-1, int, "'a' is -1, and not a whole number, 0 or more"),
        (1.0, int, "'a' is 1.0, and not a whole number, 0 or more"),
        (None, dict, "'a' is None, and not an object"),
        ({}, list, "'a' is {}, and not a list"),
    ],
)
def test_a_field_of_another_type_is_an_error(value: object, kind: type[object], message: str) -> None:
    """That says what came, and what should."""
    with pytest.raises(ShapeError) as refused:
        field_of({"a": value}, "a", kind)
    assert str(refused.value) == message


def test_a_long_or_unprintable_value_is_short_and_printable() -> None:
    """A message is one line."""
    assert brief("\n\x1b[2J") == r"'\n\x1b[2J'"
    assert len(brief("x" * 1000)) == 61


def test_what_doesnt_fit_a_model_is_one_line() -> None:
    """Where, why, what; and how many more."""

    class Answer(Model):
        name: str
        size: int

    with pytest.raises(ValidationError) as wrong:
        Answer.model_validate_json('{"name": 7, "size": "x\\ny"}')
    assert mismatch(wrong.value) == "name: Input should be a valid string, not 7 (1 more)"
