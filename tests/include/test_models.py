"""Models survive JSON unchanged, refuse wrong values, and are immutable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.models import Day, Model
from include.ordinal_day import OrdinalDay


class Sample(Model):
    """A day, and days."""

    day: Day
    others: tuple[Day, ...] = ()


@given(st.dates().map(OrdinalDay.of), st.lists(st.dates().map(OrdinalDay.of)))
def test_days_are_text_in_json(day: OrdinalDay, others: list[OrdinalDay]) -> None:
    """And days again when they are read."""
    written = json.dumps(Sample(day=day, others=tuple(others)).model_dump(mode="json"))
    assert json.loads(written) == {"day": str(day), "others": [str(other) for other in others]}
    assert Sample.model_validate_json(written) == Sample(day=day, others=tuple(others))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"day": "2026-366"}, "There is no day 366 in 2026"),
        ({"day": "yesterday"}, "'yesterday' is not a day"),
        ({"day": 268}, "instance of OrdinalDay"),
        ({"day": None}, "instance of OrdinalDay"),
        ({"day": "2026-268", "colour": "green"}, "Extra inputs are not permitted"),
        ({}, "Field required"),
    ],
)
def test_wrong_fields_are_refused_on_input(fields: dict[str, object], message: str) -> None:
    """With a reason."""
    with pytest.raises(ValidationError, match=message):
        Sample.model_validate(fields)


def test_models_are_immutable() -> None:
    """Assigning to a field is refused."""
    sample = Sample(day=OrdinalDay.parse("2026-268"))
    with pytest.raises(ValidationError, match="frozen"):
        sample.day = OrdinalDay.parse("2026-269")  # type: ignore[misc]
