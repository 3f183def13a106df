"""Facts travel as plain JSON and can't be changed on the way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.facts import Day, Facts
from include.ordinal_day import OrdinalDay


class Seen(Facts):
    """A day, and days."""

    day: Day
    others: tuple[Day, ...] = ()


@given(st.dates().map(OrdinalDay.of), st.lists(st.dates().map(OrdinalDay.of)))
def test_days_travel_as_text(day: OrdinalDay, others: list[OrdinalDay]) -> None:
    """And are days again on the other side."""
    travelled = json.dumps(Seen(day=day, others=tuple(others)).model_dump(mode="json"))
    assert json.loads(travelled) == {"day": str(day), "others": [str(other) for other in others]}
    assert Seen.model_validate_json(travelled) == Seen(day=day, others=tuple(others))


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"day": "2026-366"}, "There is no day 366 in 2026"),
        ({"day": "yesterday"}, "'yesterday' is not a day"),
        ({"day": 268}, "instance of OrdinalDay"),
        ({"day": None}, "instance of OrdinalDay"),
        ({"day": "2026-268", "colour": "green"}, "Extra inputs are not permitted"),
        ({}, "Field required"),
    ],
)
def test_wrong_facts_are_refused(facts: dict[str, object], complaint: str) -> None:
    """At the door, with a reason."""
    with pytest.raises(ValidationError, match=complaint):
        Seen.model_validate(facts)


def test_facts_are_frozen() -> None:
    """What was seen was seen."""
    seen = Seen(day=OrdinalDay.parse("2026-268"))
    with pytest.raises(ValidationError, match="frozen"):
        seen.day = OrdinalDay.parse("2026-269")  # type: ignore[misc]
