"""The times of a GrADS descriptor, and the file names that a template gives them.

Source: the GrADS documentation, "Elements of a GrADS Data Descriptor File" (TDEF) and "Using Templates".
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.errors import BackupError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_START = re.compile(
    r"(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?z)?(?P<day>\d{1,2})?(?P<month>[a-z]{3})(?P<year>\d{4}|\d{2})",
    re.ASCII,
)
_STEP = re.compile(r"(?P<number>[1-9]\d{0,4})(?P<unit>mn|hr|dy|mo|yr)", re.ASCII)
_MINUTES = {"mn": 1, "hr": 60, "dy": 24 * 60}
_CENTURY_TURNS = 50  # a two-digit year from 50 on is of the 20th century
_FIELD = re.compile(r"%(fdhn|fhn|tm[1-6]|i?[xymdhn][1-4c]|[efjstc][0-9hn]{0,2})")

Substitutes = Sequence[tuple[int, int, str]]


class TimesError(BackupError):
    """The times, or a template, are wrong or of a form that isn't checked."""


@dataclass(frozen=True)
class Times:
    """The times of a descriptor.

    Args:
        count: how many there are.
        start: the first, as written; it is only read for a template.
        step: the step between two, as written; it is only read if there are several.
    """

    count: int
    start: str
    step: str

    @classmethod
    def parse(cls, count: int, words: Sequence[str]) -> "Times":
        """Parse what follows the count: ``linear``, the first time, the step.

        Raises:
            TimesError: something else follows.
        """
        if len(words) < 3 or words[0].lower() != "linear":  # noqa: PLR2004 - the three
            raise TimesError("its tdef line isn't 'linear' with a first time and a step")
        times = cls(count, words[1].lower(), words[2].lower())
        if count > 1:
            times.step_minutes  # noqa: B018 - raises
        return times

    @property
    def step_minutes(self) -> int:
        """The step in minutes.

        Raises:
            TimesError: it is none, or of months or years, which aren't checked.
        """
        step = _STEP.fullmatch(self.step)
        if not step or step["unit"] not in _MINUTES:
            raise TimesError(f"its tdef line has the step {self.step[:20]!r}, which isn't checked")
        return int(step["number"]) * _MINUTES[step["unit"]]

    def minutes(self, first: int, before: int) -> set[int]:
        """Return the minutes of all times before an end.

        Args:
            first: the minute of the first one.
            before: the end, in minutes.
        """
        if self.count == 1:
            return {first} if first < before else set()
        step = self.step_minutes
        return set(range(first, min(first + self.count * step, before), step))

    @property
    def first(self) -> datetime:
        """The first time, without a zone.

        Raises:
            TimesError: it isn't one.
        """
        found = _START.fullmatch(self.start)
        try:
            if found:
                year = int(found["year"])
                century = 0 if len(found["year"]) > 2 else 1900 if year >= _CENTURY_TURNS else 2000  # noqa: PLR2004
                month = _MONTHS.index(found["month"]) + 1
                day, hour, minute = (int(found[key] or least) for key, least in _LEAST)
                return datetime(century + year, month, day, hour, minute)  # noqa: DTZ001 - UTC, as all of SUPIM
        except ValueError:
            pass
        raise TimesError(f"its tdef line begins at {self.start[:20]!r}, which is no time")


_LEAST = (("day", 1), ("hour", 0), ("minute", 0))


def file_names(template: str, times: Times, substitutes: Substitutes) -> Iterator[str]:
    """Yield the name of the file that has each time.

    Args:
        template: the data set's path with fields such as ``%y4``.
        times: the times.
        substitutes: the strings for ``%ch``.

    Raises:
        TimesError: a field, the first time or the step has a form that isn't checked.
    """
    first = times.first
    step = timedelta(minutes=times.step_minutes if times.count > 1 else 0)
    if "%" in _FIELD.sub("", template):
        raise TimesError("its template has a field that isn't checked")
    for index in range(times.count):
        try:
            moment = _Moment(first, first + index * step, index, substitutes)
        except OverflowError as beyond:
            raise TimesError("its times go beyond the year 9999") from beyond
        yield _FIELD.sub(moment.field, template)


@dataclass(frozen=True)
class _Moment:
    """One time of a template."""

    first: datetime
    now: datetime
    index: int
    substitutes: Substitutes

    def field(self, match: re.Match[str]) -> str:
        name = match[1]
        if write := _DATE_FIELDS.get(name):
            return write(self.now)
        if name.startswith("i") and (write := _DATE_FIELDS.get(name[1:])):
            return write(self.first)
        if name == "ch":
            return self._substitute()
        if write_index := _INDEX_FIELDS.get(name[:-1]):
            return write_index(self, int(name[-1]))
        raise TimesError(f"its template has the field %{name}, which isn't checked")

    def _substitute(self) -> str:
        for first, last, string in self.substitutes:
            if first <= self.index + 1 <= last:
                return string
        raise TimesError(f"its template has no chsub for time {self.index + 1}")

    def hours(self, digits: int) -> str:
        """Return the hours since the first time."""
        return f"{(self.now - self.first) // timedelta(hours=1):0{digits}d}"

    def number(self, first: int, digits: int) -> str:
        """Return the time's number, counted from ``first``."""
        return f"{self.index + first:0{digits}d}"


_DATE_FIELDS: dict[str, Callable[[datetime], str]] = {
    "x1": lambda moment: str(moment.year // 10 % 10),
    "x3": lambda moment: f"{moment.year // 10:03d}",
    "y2": lambda moment: f"{moment.year % 100:02d}",
    "y4": lambda moment: f"{moment.year:04d}",
    "m1": lambda moment: str(moment.month),
    "m2": lambda moment: f"{moment.month:02d}",
    "mc": lambda moment: _MONTHS[moment.month - 1],
    "d1": lambda moment: str(moment.day),
    "d2": lambda moment: f"{moment.day:02d}",
    "h1": lambda moment: str(moment.hour),
    "h2": lambda moment: f"{moment.hour:02d}",
    "h3": lambda moment: f"{moment.hour:03d}",
    "n2": lambda moment: f"{moment.minute:02d}",
    "j3": lambda moment: f"{moment.timetuple().tm_yday:03d}",
}
_INDEX_FIELDS: dict[str, Callable[[_Moment, int], str]] = {
    "f": lambda moment, digits: moment.hours(digits),
    "t": lambda moment, digits: moment.number(1, digits),
    "tm": lambda moment, digits: moment.number(0, digits),
}
