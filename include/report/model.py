"""The facts that a report is made from.

Frozen, and plain JSON when they travel (``model_dump(mode="json")`` and ``Report.model_validate``). Text
from outside becomes visible here, at the door: whatever is inside a report is one printable line. Its words
are in ``states.py``; what is known of the time before the run, in ``history.py``.
"""

from datetime import date
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    model_validator,
)

from include.facts import Day, Facts, ZoneName
from include.report.history import CopiedBytes, CoveredYear, Downtimes
from include.report.states import Coverage, Kind, Outcome, State, Text, WeekState


class Standstill(Facts):
    """How long a machine stands still for its image, measured or expected.

    Args:
        method: ``cold``, ``live``, ``copy`` or ``offline``.
        was: ``running`` or ``off``, before and after.
        downtime_s: from the shutdown request to the proof of life; None where it isn't known.
        budget_s: what it should not go beyond.
        expected: whether it's the last time's, and nothing was stopped now.
    """

    method: Text
    was: Literal["running", "off"]
    downtime_s: NonNegativeFloat | None = None
    budget_s: NonNegativeFloat | None = None
    expected: bool = False

    @property
    def stops(self) -> bool:
        """Whether the machine is down for it at all: it runs, and its method stops it."""
        return self.was == "running" and self.method not in ("live", "offline")

    @property
    def over_s(self) -> float:
        """How far the downtime is beyond the budget; 0 when it isn't, or isn't known."""
        if self.downtime_s is None or self.budget_s is None:
            return 0
        return max(self.downtime_s - self.budget_s, 0)


class Item(Facts):
    """One thing that the run had to secure, and what became of it.

    Raises:
        ValidationError: passed and not proven, or proven and not passed; published means proven.
    """

    name: Text = Field(description="the item, as people call it: 2026-268, or maq1")
    state: State
    outcome: Outcome
    reason: Text = Field(description="what was done and why, a sentence")
    own: bool = Field(default=False, description="whether the run was started for this item")
    size_bytes: NonNegativeInt | None = None
    files: NonNegativeInt | None = None
    seconds: NonNegativeFloat | None = Field(default=None, description="the time that this run spent on it")
    proof: Text | None = Field(default=None, description="what was compared with what, a sentence")
    revision: Annotated[int, Field(ge=1)] = Field(default=1, description="2 and up: a later version")
    standstill: Standstill | None = Field(default=None, description="of a machine")
    sent_bytes: NonNegativeInt | None = Field(default=None, description="what came over the wire for it")
    evidence: Text | None = Field(default=None, description="how consistent a machine's image is, a sentence")
    picture: Text | None = Field(default=None, description="the path of a PNG in the archive")
    picture_says: Text | None = Field(default=None, description="what it shows, a sentence; None: a screen")
    warnings: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _green_means_proven(self) -> Self:
        if (self.state is State.PASSED) != self.outcome.proven:
            raise ValueError(f"{self.name}: {self.outcome!s} can't be {self.state!s}")
        return self


class CoveredDay(Facts):
    """One cell of the coverage calendar."""

    day: Day
    state: Coverage


class KeptWeeks(Facts):
    """What the vault holds of one machine: a row of the table of generations."""

    name: Text
    states: tuple[WeekState, ...] = Field(description="one for each of the report's weeks")
    count: NonNegativeInt = Field(description="generations in all, older ones too")


class Space(Facts):
    """The room in the vault now, and where it is going. All in bytes."""

    path: Text = Field(description="the vault's folder")
    total_bytes: NonNegativeInt
    used_bytes: NonNegativeInt
    free_bytes: NonNegativeInt = Field(description="what this user may still write")
    reserve_bytes: NonNegativeInt = Field(description="what the backup leaves free for good")
    growth_bytes_per_day: int | None = Field(default=None, description="over the last 30 days; None: unknown")
    added_bytes: NonNegativeInt | None = Field(default=None, description="by this run; None: not told")
    gone_bytes: NonNegativeInt = Field(default=0, description="what this run's removals gave back")
    copied: tuple[CopiedBytes, ...] = Field(default=(), description="by date, of the last 30 days")

    @property
    def usable_bytes(self) -> int:
        """What is left before the reserve is touched."""
        return max(self.free_bytes - self.reserve_bytes, 0)

    @property
    def days_until_full(self) -> int | None:
        """Whole days until the reserve is touched at this pace; None when it's unknown or never."""
        if not self.usable_bytes:
            return 0
        if self.growth_bytes_per_day is None or self.growth_bytes_per_day <= 0:
            return None
        return self.usable_bytes // self.growth_bytes_per_day


class Removed(Facts):
    """One thing that was removed from the vault."""

    name: Text
    reason: Text


class Report(Facts):
    """Everything that a run says to the people it works for."""

    kind: Kind
    title: Text = Field(description="what is backed up: SUPIM")
    institute: Text
    timezone: ZoneName = Field(description="in which times are told")
    day: Day | None = Field(default=None, description="the run's own day, of a run that is about days")
    dry_run: bool = False
    started: AwareDatetime
    finished: AwareDatetime
    items: tuple[Item, ...] = ()
    coverage: tuple[CoveredDay, ...] = Field(default=(), description="the last weeks, in any order")
    years: tuple[CoveredYear, ...] = Field(default=(), description="those of the last weeks, whole")
    mondays: tuple[date, ...] = Field(default=(), description="of the weeks in the table of generations")
    generations: tuple[KeptWeeks, ...] = Field(default=(), description="that table's rows, one a machine")
    downtimes: tuple[Downtimes, ...] = Field(default=(), description="those nearest to their budgets first")
    space: Space | None = Field(default=None, description="None: it was not measured")
    removed: tuple[Removed, ...] = ()
    needs_person: tuple[Text, ...] = Field(default=(), description="sentences; the report leads with them")
    archive: Text = Field(description="the folder that holds the backups")
    proof_command: Text | None = Field(
        default=None, description="a shell line that proves one of the backups by hand"
    )
    run_url: Text | None = None
    log_url: Text | None = None

    @model_validator(mode="after")
    def _rows_fit_the_weeks(self) -> Self:
        weeks = len(self.mondays)
        if odd := [row.name for row in self.generations if not weeks or len(row.states) != weeks]:
            raise ValueError(f"{', '.join(odd)}: not one state for each of {weeks} weeks")
        return self

    @property
    def name(self) -> str:
        """What the report is about: ``SUPIM 2026-268``, or ``VM``."""
        return f"{self.title} {self.day}" if self.day else self.title

    @property
    def own_date(self) -> date:
        """The day that it's about; for machines, that on which the run began."""
        return self.day.date if self.day else self.started.astimezone(self.zone).date()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are told."""
        return ZoneInfo(self.timezone)

    @property
    def seconds(self) -> float:
        """How long the run took; 0 when a clock was set back in between."""
        return max((self.finished - self.started).total_seconds(), 0)
