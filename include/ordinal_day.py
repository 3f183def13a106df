"""Ordinal dates, which the institute calls "Julian days".

They are written ``2026-268`` (ISO 8601 ordinal date: year, day of the year from 001 to 366). The Julian Day
Number of astronomy is something else. People may also type the calendar date, ``2026-09-25``.
"""

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Self

from include.errors import InvalidDayError

_WRITTEN = re.compile(r"([0-9]{4})-([0-9]{3})")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_FIELD = re.compile(r"\{(year|day)(?:(?<=year):04d|(?<=day):0[1-3]d)?\}")  # no more digits than a day has


@dataclass(frozen=True, order=True, slots=True)
class OrdinalDay:
    """One day of the Gregorian calendar.

    Args:
        year: 1 to 9999.
        number: day of the year, 1 to 365, or 366 in a leap year.

    Raises:
        InvalidDayError: the calendar has no such day.
    """

    year: int
    number: int

    def __post_init__(self) -> None:
        if not date.min.year <= self.year <= date.max.year:
            raise InvalidDayError(f"There is no year {self.year}; years go from 1 to 9999.")
        if not 1 <= self.number <= days_in(self.year):
            raise InvalidDayError(
                f"There is no day {self.number} in {self.year}; its days go from 1 to {days_in(self.year)}."
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``2026-268``: four digits, a hyphen, three digits.

        Raises:
            InvalidDayError: the text has another form (``2026-68``, ``2026-09-25``), or the calendar has no
                such day.
        """
        written = _WRITTEN.fullmatch(text)
        if not written:
            raise InvalidDayError(
                f"{text!r} is not a day. Write year and day of the year as YYYY-DDD, for example 2026-268."
            )
        return cls(int(written[1]), int(written[2]))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what a person typed: ``2026-268``, or the date, ``2026-09-25``.

        Raises:
            InvalidDayError: the text has another form, or the calendar has no such day.
        """
        if dated := _DATE.fullmatch(text):
            return cls.of(_calendar_date(*map(int, dated.groups())))
        if _WRITTEN.fullmatch(text):
            return cls.parse(text)
        raise InvalidDayError(
            f"{text!r} is not a day. Write year and day of the year, such as 2026-268, or the date, such as "
            "2026-09-25."
        )

    @classmethod
    def of(cls, moment: date) -> Self:
        """Return the day of a date, or of an aware datetime in its own zone."""
        return cls(moment.year, moment.timetuple().tm_yday)

    @property
    def date(self) -> date:
        """The same day as a calendar date."""
        return date(self.year, 1, 1) + timedelta(days=self.number - 1)

    def __add__(self, days: int) -> "OrdinalDay":
        try:
            return OrdinalDay.of(self.date + timedelta(days=days))
        except OverflowError as beyond:
            raise InvalidDayError(f"{days:+d} days from {self} is beyond the years 1 to 9999.") from beyond

    def __sub__(self, days: int) -> "OrdinalDay":
        return self + -days

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:03d}"


def _calendar_date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as wrong:
        raise InvalidDayError(
            f"There is no {year:04d}-{month:02d}-{day:02d}: {_what_is_wrong(year, month)}"
        ) from wrong


def _what_is_wrong(year: int, month: int) -> str:
    if not date.min.year <= year <= date.max.year:
        return "years go from 1 to 9999."
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        return "months go from 01 to 12."
    return f"its month has the days 01 to {calendar.monthrange(year, month)[1]}."


def require_begun(day: OrdinalDay, today: OrdinalDay) -> None:
    """Refuse a day of the future, which nothing can have.

    Raises:
        InvalidDayError: the day is after ``today``.
    """
    if day > today:
        raise InvalidDayError(f"There is no day {day} ({day.date}) yet.")


def days_in(year: int) -> int:
    """Return the number of days in a Gregorian year, 365 or 366."""
    return 366 if calendar.isleap(year) else 365


def window(last: OrdinalDay, length: int) -> list[OrdinalDay]:
    """Return ``length`` consecutive days that end with ``last``, oldest first."""
    return [last - back for back in reversed(range(length))]


@dataclass(frozen=True)
class FolderPattern:
    """How the source names a day's folder, for example ``{year}/{day:03d}`` or ``{year}/{day}``.

    Raises:
        ValueError: the pattern isn't a relative path, or doesn't give each day a folder of its own.
    """

    text: str

    def __post_init__(self) -> None:
        parts = self.text.split("/")
        fields = sorted(re.findall(r"\{(\w+)", self.text))
        braces = re.sub(_FIELD, "", self.text)
        if (
            fields != ["day", "year"]
            or set(braces) & set("{}")
            or any(part in ("", ".", "..") for part in parts)
        ):
            raise ValueError(
                f"{self.text!r} does not give each day a folder of its own. Write a path relative to the "
                "source's root with one {year} and one {day} in it, such as {year}/{day:03d}."
            )

    def folder(self, day: OrdinalDay) -> str:
        """Return the day's folder, relative to the source's root."""
        return self.text.format(year=day.year, day=day.number)

    def candidates(self, day: OrdinalDay) -> list[str]:
        """Return the folders that may hold the day: the pattern's own first, then the other paddings.

        The scripts before this project wrote ``03`` in some branches and ``3`` in others; sources hold both.
        """
        paddings = (
            re.sub(r"\{day[^}]*\}", padding, self.text) for padding in ("{day:03d}", "{day:02d}", "{day}")
        )
        others = (padding.format(year=day.year, day=day.number) for padding in paddings)
        return list(dict.fromkeys([self.folder(day), *others]))

    def days(self, folders: Iterable[str]) -> dict[str, OrdinalDay]:
        """Map each folder that is a day's, in any padding, to its day; leave the others out."""
        return {folder: day for folder in folders if (day := self._day(folder))}

    def _day(self, folder: str) -> OrdinalDay | None:
        named = self._regex.fullmatch(folder)
        try:
            return OrdinalDay(int(named["year"]), int(named["day"])) if named else None
        except InvalidDayError:
            return None

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        digits = {"year": "(?P<year>[0-9]{4})", "day": "(?P<day>[0-9]{1,3})"}
        pieces = re.split(_FIELD, self.text)
        return re.compile(
            "".join(digits[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))
        )
