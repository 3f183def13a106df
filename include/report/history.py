"""What a report shows of the time before its run: whole years of days, and downtimes."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import AwareDatetime, NonNegativeFloat, model_validator

from include.models import Model
from include.ordinal_day import days_in
from include.results.states import Coverage, Text


class CoveredYear(Model):
    """The coverage of a whole year, small enough for XCom.

    Args:
        year: the year.
        states: a letter for each of its days, see ``LETTERS``; a dot for a day before the archive begins.
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
        """Return a year, given the state of each day by its number."""
        letters = (cls.LETTERS[states[number]] if number in states else "." for number in _numbers(year))
        return cls(year=year, states="".join(letters))

    @property
    def by_number(self) -> dict[int, Coverage]:
        """The state of each day since the archive begins, by the day's number."""
        known = {letter: state for state, letter in self.LETTERS.items()}
        numbered = zip(_numbers(self.year), self.states, strict=True)
        return {number: known[letter] for number, letter in numbered if letter in known}


def _numbers(year: int) -> range:
    return range(1, days_in(year) + 1)


class DowntimeHistory(Model):
    """How long one VM was down for each of its last images.

    Args:
        name: the VM's name.
        budget_s: the downtime that the site file allows, in seconds.
        instants: of the images, oldest first.
        seconds: the downtime for each image, in seconds.
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
