"""The state of each day at an instant, the reason, and the next step. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from include.days.first_day import first_day
from include.days.record import RevisionCause
from include.days.source import SourceState
from include.ordinal_day import OrdinalDay, days_in
from include.status.parts import DayStatus
from include.status.view import SourceSurvey, VaultView
from include.text import counted
from include.vault.clock import is_ahead

RECENT_DAYS = 30
"""Days within which runs check again for a day that the source did not have."""


class DayState(StrEnum):
    """The state of a day."""

    VERIFIED = "verified"
    DUE = "due for scrub"
    REVISED = "revised"
    NOT_DUE = "not yet due"
    DAMAGED = "damaged"
    FAILED = "failed"
    AT_SOURCE = "still at the source"
    LOST = "not at the source"
    UNKNOWN = "never checked"

    @property
    def safe(self) -> bool:
        """Whether the vault has the day, with no known damage."""
        return self in (DayState.VERIFIED, DayState.DUE, DayState.REVISED)

    @property
    def needs_backup(self) -> bool:
        """Whether backing up the day may help."""
        return self in (DayState.DAMAGED, DayState.FAILED, DayState.AT_SOURCE, DayState.UNKNOWN)


class NextStep(StrEnum):
    """What to do next about a day."""

    BACK_UP = "Back it up"
    RESTORE = "Restore it"
    SCRUB = "Scrub it"
    CHECK_SOURCE = "Check the source again"
    WAIT = "Nothing yet"


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One day of the calendar.

    Args:
        day: which day.
        state: its state.
        sentence: the reason.
        step: what to do next.
        days_left: days until the source deletes it; None: unknown, or past.
    """

    day: OrdinalDay
    state: DayState
    sentence: str
    step: NextStep
    days_left: int | None = None


@dataclass(frozen=True)
class Year:
    """One year of the calendar, from its first known day to its end."""

    number: int
    days: tuple[CalendarDay, ...]

    @property
    def first(self) -> int:
        """The number of its first day in the calendar."""
        return self.days[0].day.number

    def count(self, *states: DayState) -> int:
        """Return how many of its days are in any of some states."""
        return sum(day.state in states for day in self.days)

    @property
    def sentence(self) -> str:
        """How many days are safe, and how many are not, by state: ``364 of 365 days safe, 1 damaged``."""
        due = len(self.days) - self.count(DayState.NOT_DUE)
        safe = self.count(*(state for state in DayState if state.safe))
        unsafe = [state for state in DayState if not state.safe and state is not DayState.NOT_DUE]
        counts = [f"{number} {state}" for state in unsafe if (number := self.count(state))]
        return ", ".join([f"{safe} of {counted(due, 'day')} safe", *counts])


def years(view: VaultView, now: datetime) -> list[Year]:
    """Return the calendar, newest year first: from the first known day to the end of this year."""
    first = _first(view)
    if first is None:
        return []
    judge = _CalendarDays(view, now)
    last = max(view.newest_due(now), max(view.days, default=first)).year
    return [
        Year(year, tuple(judge.year(year, first.number if year == first.year else 1)))
        for year in range(last, first.year - 1, -1)
    ]


def _first(view: VaultView) -> OrdinalDay | None:
    at_source = (day for day, survey in view.surveyed.items() if survey.state is not SourceState.MISSING)
    return first_day([*view.days, *at_source], view.surveyed)


def calendar_day(view: VaultView, day: OrdinalDay, now: datetime) -> CalendarDay:
    """Return the state of one day."""
    return _CalendarDays(view, now).day(day)


_BECAUSE = {
    RevisionCause.CHANGED: "It changed at the source. ",
    RevisionCause.DAMAGED: "The copy before was damaged, so it was fetched again. ",
    RevisionCause.DAMAGED_AND_CHANGED: "The copy before was damaged, and the source had changed. ",
    RevisionCause.LOST: "The copy before was lost, so it was fetched again. ",
}


class _CalendarDays:
    def __init__(self, view: VaultView, now: datetime) -> None:
        self._view = view
        self._now = now
        self._today = view.today(now)
        self._due = view.newest_due(now)
        self._scrub_before = now - timedelta(days=view.rules.max_age_days)

    def year(self, year: int, first: int) -> Iterator[CalendarDay]:
        return (self.day(OrdinalDay(year, number)) for number in range(first, days_in(year) + 1))

    def day(self, day: OrdinalDay) -> CalendarDay:
        status = self._view.days.get(day)
        return self._in_vault(day, status) if status else self._not_in_vault(day)

    def _in_vault(self, day: OrdinalDay, status: DayStatus) -> CalendarDay:
        if status.damage:
            sentence = f"The copy in the vault is damaged. {status.damage}"
            return CalendarDay(day, DayState.DAMAGED, sentence, NextStep.BACK_UP, _not_past(self._left(day)))
        if is_ahead(status.verified, self._now):
            sentence = (
                f"Its last verification, {status.verified.astimezone(self._view.zone):%Y-%m-%d}, is in the "
                "future: a clock was wrong."
            )
            return CalendarDay(day, DayState.DUE, sentence, NextStep.SCRUB)
        if status.verified < self._scrub_before:
            ago = _days((self._now - status.verified).days)
            every = _days(self._view.rules.max_age_days)
            never = "" if self._view.scrubbed else " None has run yet: see vault_scrub."
            sentence = f"Last verified {ago} ago; a scrub is due every {every}.{never}"
            return CalendarDay(day, DayState.DUE, sentence, NextStep.SCRUB)
        if status.revision > 1:
            why = _BECAUSE.get(status.cause or RevisionCause.FIRST, "")
            sentence = f"{why}Revision {status.revision} is verified; older ones are kept."
            return CalendarDay(day, DayState.REVISED, sentence, NextStep.RESTORE)
        return CalendarDay(day, DayState.VERIFIED, "Every byte was verified.", NextStep.RESTORE)

    def _not_in_vault(self, day: OrdinalDay) -> CalendarDay:
        survey, failure = self._view.surveyed.get(day), self._view.failures.get(day)
        if failure and (survey is None or failure.when >= survey.when):
            left = _not_past(self._left(day))
            return CalendarDay(day, DayState.FAILED, failure.reason, NextStep.BACK_UP, left)
        if day > self._due or (day == self._due and survey is None):
            return CalendarDay(day, DayState.NOT_DUE, self._when_due(day), NextStep.WAIT)
        return self._as_surveyed(day, survey) if survey else self._not_surveyed(day)

    def _as_surveyed(self, day: OrdinalDay, survey: SourceSurvey) -> CalendarDay:
        on = f"on {survey.when.astimezone(self._view.zone):%Y-%m-%d}"
        left = self._left(day)
        if survey.state is SourceState.MISSING:
            return CalendarDay(day, DayState.LOST, self._of_lost(day, on), NextStep.CHECK_SOURCE)
        if survey.state is SourceState.UNUSABLE:
            return CalendarDay(day, DayState.FAILED, survey.reason, NextStep.BACK_UP, _not_past(left))
        if left is not None and left < 0:
            sentence = f"The source had it {on}, but may have deleted it since. Back it up to find out."
            return CalendarDay(day, DayState.UNKNOWN, sentence, NextStep.BACK_UP)
        sentence = f"{survey.reason} Checked {on}." if survey.reason else f"The source had it {on}."
        until = "" if left is None else f" The source deletes it in {_days(left)}."
        return CalendarDay(day, DayState.AT_SOURCE, f"{sentence}{until}", NextStep.BACK_UP, left)

    def _of_lost(self, day: OrdinalDay, on: str) -> str:
        recent = (self._today.date - day.date).days <= RECENT_DAYS
        hope = "Later runs check again." if recent else "It stays missing unless the simulation is run again."
        return f"The source did not have it {on}. {hope}"

    def _not_surveyed(self, day: OrdinalDay) -> CalendarDay:
        left = self._left(day)
        gone = " The source no longer keeps days this old." if left is not None and left < 0 else ""
        sentence = f"It is not in the vault, and was never checked at the source.{gone}"
        return CalendarDay(day, DayState.UNKNOWN, sentence, NextStep.BACK_UP, _not_past(left))

    def _when_due(self, day: OrdinalDay) -> str:
        due = (day + self._view.rules.lag_days).date
        return f"Its backup is due on {due:%A}, {due.day} {due:%B %Y}."

    def _left(self, day: OrdinalDay) -> int | None:
        keeps = self._view.rules.keep_days_at_source
        return None if keeps is None else keeps - (self._today.date - day.date).days


def _not_past(left: int | None) -> int | None:
    return None if left is None or left < 0 else left


def _days(number: float) -> str:
    return counted(round(number), "day")


def gaps(calendar: list[Year], *states: DayState) -> list[tuple[CalendarDay, CalendarDay, int]]:
    """Return ranges of consecutive days in some states, newest first: first day, last day, count."""
    found: list[tuple[CalendarDay, CalendarDay, int]] = []
    for day in (day for year in reversed(calendar) for day in year.days):
        if day.state not in states:
            continue
        if found and found[-1][1].day + 1 == day.day:
            found[-1] = (found[-1][0], day, found[-1][2] + 1)
        else:
            found.append((day, day, 1))
    return found[::-1]
