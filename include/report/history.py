"""What a report knows of the time before its run: whole years, downtimes, and what was copied when."""

from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Self

from pydantic import AwareDatetime, NonNegativeFloat, NonNegativeInt, model_validator

from include.facts import Facts
from include.ordinal_day import days_in
from include.report.states import Coverage, Text


class CoveredYear(Facts):
    """A whole year of the calendar, small enough to travel.

    Args:
        year: which.
        states: a letter for each of its days: see ``LETTERS``; a dot where nothing is expected, as the
            archive begins later.
    """

    year: int
    states: str

    LETTERS: ClassVar[dict[Coverage, str]] = {
        Coverage.SAFE: "s",
        Coverage.REVISED: "r",
        Coverage.MISSING: "m",
        Coverage.FAILED: "f",
        Coverage.NOT_DUE: "n",
        Coverage.WOULD_COPY: "w",
    }

    @model_validator(mode="after")
    def _a_letter_for_each_day(self) -> Self:
        if len(self.states) != days_in(self.year) or set(self.states) - {*self.LETTERS.values(), "."}:
            raise ValueError(f"{self.year}: not one known letter for each of its {days_in(self.year)} days")
        return self

    @classmethod
    def of(cls, year: int, states: Mapping[int, Coverage]) -> Self:
        """Write a year down, given by its days' numbers."""
        letters = (cls.LETTERS[states[number]] if number in states else "." for number in _numbers(year))
        return cls(year=year, states="".join(letters))

    @property
    def by_number(self) -> dict[int, Coverage]:
        """The state of each day of which something is expected."""
        known = {letter: state for state, letter in self.LETTERS.items()}
        numbered = zip(_numbers(self.year), self.states, strict=True)
        return {number: known[letter] for number, letter in numbered if letter in known}


def _numbers(year: int) -> range:
    return range(1, days_in(year) + 1)


class Downtimes(Facts):
    """How long one machine was down for each of its last images.

    Args:
        name: the machine.
        budget_s: what a downtime should not go beyond.
        instants: of the images, oldest first.
        seconds: the downtime of each.
    """

    name: Text
    budget_s: NonNegativeFloat
    instants: tuple[AwareDatetime, ...]
    seconds: tuple[NonNegativeFloat, ...]

    @model_validator(mode="after")
    def _a_downtime_for_each_image(self) -> Self:
        if len(self.instants) != len(self.seconds):
            raise ValueError(f"{self.name}: {len(self.instants)} images, {len(self.seconds)} downtimes")
        return self


class CopiedBytes(Facts):
    """What one date (UTC) brought into the vault."""

    on: date
    bytes: NonNegativeInt
