"""In which of its states each day stands at an instant, why, and what the next step is. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from include.ordinal_day import OrdinalDay, days_in
from include.source import State as SourceState
from include.standing.facts import DayFacts
from include.standing.view import Seen, VaultView
from include.wording import counted

RECENT_DAYS = 30
"""Days within which runs look again for a day that the source didn't have."""


class DayState(StrEnum):
    """How a day stands; those from ``DAMAGED`` on aren't safe."""

    PROVEN = "proven"
    DUE = "due for audit"
    REVISED = "revised"
    NOT_DUE = "not yet due"
    DAMAGED = "damaged"
    FAILED = "failed"
    AT_SOURCE = "still at the source"
    LOST = "lost"
    UNKNOWN = "not looked for"

    @property
    def safe(self) -> bool:
        """Whether the vault holds it, and nothing is known against it."""
        return self in (DayState.PROVEN, DayState.DUE, DayState.REVISED)

    @property
    def mendable(self) -> bool:
        """Whether a backup of the day may help."""
        return self in (DayState.DAMAGED, DayState.FAILED, DayState.AT_SOURCE, DayState.UNKNOWN)


class Step(StrEnum):
    """What to do next about a day."""

    BACK_UP = "Back it up"
    RESTORE = "Restore it"
    AUDIT = "Read it again"
    LOOK = "Look for it again"
    WAIT = "Nothing yet"


@dataclass(frozen=True, slots=True)
class DayStanding:
    """One day of the calendar.

    Args:
        day: which.
        state: how it stands.
        sentence: why.
        step: what to do next.
        days_left: until the source drops it, where that is known.
    """

    day: OrdinalDay
    state: DayState
    sentence: str
    step: Step
    days_left: int | None = None


@dataclass(frozen=True)
class Year:
    """One year of the calendar, from its first day known on, to its end."""

    number: int
    days: tuple[DayStanding, ...]

    @property
    def first(self) -> int:
        """The number of its first day in the calendar."""
        return self.days[0].day.number

    def count(self, *states: DayState) -> int:
        """Give how many of its days are in some states."""
        return sum(day.state in states for day in self.days)

    @property
    def sentence(self) -> str:
        """Say it in words: ``365 of 365 days safe``, and what isn't."""
        due = len(self.days) - self.count(DayState.NOT_DUE)
        bad = [
            f"{number} {state}" for state in DayState if not _quiet(state) and (number := self.count(state))
        ]
        safe = self.count(*(state for state in DayState if state.safe))
        return ", ".join([f"{safe} of {counted(due, 'day')} safe", *bad])


def _quiet(state: DayState) -> bool:
    return state.safe or state is DayState.NOT_DUE


def years(view: VaultView, now: datetime) -> list[Year]:
    """Give the calendar, newest year first: from the first day known to the end of this year."""
    known = min((*view.days, *view.seen), default=None)
    if known is None:
        return []
    judge = _Judge(view, now)
    last = max(view.newest_due(now), max(view.days, default=known)).year
    return [
        Year(year, tuple(judge.year(year, known.number if year == known.year else 1)))
        for year in range(last, known.year - 1, -1)
    ]


def standing(view: VaultView, day: OrdinalDay, now: datetime) -> DayStanding:
    """Give how one day stands."""
    return _Judge(view, now).day(day)


class _Judge:
    def __init__(self, view: VaultView, now: datetime) -> None:
        self._view = view
        self._now = now
        self._today = view.today(now)
        self._due = view.newest_due(now)
        self._old = now - timedelta(days=view.rules.proof_age_days)

    def year(self, year: int, first: int) -> Iterator[DayStanding]:
        return (self.day(OrdinalDay(year, number)) for number in range(first, days_in(year) + 1))

    def day(self, day: OrdinalDay) -> DayStanding:
        held = self._view.days.get(day)
        return self._held(day, held) if held else self._not_held(day)

    def _held(self, day: OrdinalDay, held: DayFacts) -> DayStanding:
        if held.damage:
            told = f"The copy in the vault isn't whole. {held.damage}"
            return DayStanding(day, DayState.DAMAGED, told, Step.BACK_UP, _yet(self._left(day)))
        if held.proven < self._old:
            ago, every = _days((self._now - held.proven).days), _days(self._view.rules.proof_age_days)
            told = f"Safe when it was last read, {ago} ago; it's to be read again every {every}."
            return DayStanding(day, DayState.DUE, told, Step.AUDIT)
        if held.revision > 1:
            told = (
                f"It changed at the source; revision {held.revision} is proven, and the older ones are kept."
            )
            return DayStanding(day, DayState.REVISED, told, Step.RESTORE)
        return DayStanding(day, DayState.PROVEN, "Every byte was compared and found equal.", Step.RESTORE)

    def _not_held(self, day: OrdinalDay) -> DayStanding:
        seen, failure = self._view.seen.get(day), self._view.failures.get(day)
        if failure and (seen is None or failure.when >= seen.when):
            return DayStanding(day, DayState.FAILED, failure.reason, Step.BACK_UP, _yet(self._left(day)))
        if day > self._due or (day == self._due and seen is None):
            return DayStanding(day, DayState.NOT_DUE, self._when_due(day), Step.WAIT)
        return self._as_seen(day, seen) if seen else self._unasked(day)

    def _as_seen(self, day: OrdinalDay, seen: Seen) -> DayStanding:
        asked = f"on {seen.when.astimezone(self._view.zone):%Y-%m-%d}"
        left = self._left(day)
        if seen.state is SourceState.MISSING:
            return DayStanding(day, DayState.LOST, self._of_lost(day, asked), Step.LOOK)
        if seen.state is SourceState.UNUSABLE:
            return DayStanding(day, DayState.FAILED, seen.reason, Step.BACK_UP, _yet(left))
        if left is not None and left < 0:
            told = f"The source had it {asked}, but drops days by now. Look whether it's still there."
            return DayStanding(day, DayState.UNKNOWN, told, Step.BACK_UP)
        told = f"The source had it {asked}." if not seen.reason else f"{seen.reason} Seen {asked}."
        until = "" if left is None else f" It drops it in {_days(left)}."
        return DayStanding(day, DayState.AT_SOURCE, f"{told}{until}", Step.BACK_UP, left)

    def _of_lost(self, day: OrdinalDay, asked: str) -> str:
        recent = (self._today.date - day.date).days <= RECENT_DAYS
        hope = "Later runs look again." if recent else "Unless the simulation is run again, it's lost."
        return f"The source didn't have it {asked}. {hope}"

    def _unasked(self, day: OrdinalDay) -> DayStanding:
        left = self._left(day)
        gone = " The source keeps days for less time than that." if left is not None and left < 0 else ""
        told = f"The vault doesn't hold it, and no run that is remembered asked the source for it.{gone}"
        return DayStanding(day, DayState.UNKNOWN, told, Step.BACK_UP, _yet(left))

    def _when_due(self, day: OrdinalDay) -> str:
        due = (day + self._view.rules.lag_days).date
        return f"Its run is due on {due:%A}, {due.day} {due:%B %Y}."

    def _left(self, day: OrdinalDay) -> int | None:
        keeps = self._view.rules.keeps_days
        return None if keeps is None else keeps - (self._today.date - day.date).days


def _yet(left: int | None) -> int | None:
    return None if left is None or left < 0 else left


def _days(number: float) -> str:
    return counted(round(number), "day")


def gaps(calendar: list[Year], *states: DayState) -> list[tuple[DayStanding, DayStanding, int]]:
    """Give the runs of days in some states, newest first: first day, last day, how many."""
    found: list[tuple[DayStanding, DayStanding, int]] = []
    for day in (day for year in reversed(calendar) for day in year.days):
        if day.state not in states:
            continue
        if found and found[-1][1].day + 1 == day.day:
            found[-1] = (found[-1][0], day, found[-1][2] + 1)
        else:
            found.append((day, day, 1))
    return found[::-1]
