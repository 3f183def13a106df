"""The report as a model: immutable, and plain JSON in XCom.

Text from outside is made visible on input, so each text in a report is one printable line. States and
outcomes are in ``include/results/states.py``; data from before the run is in ``history.py``.
"""

from datetime import date
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeInt,
    model_validator,
)

from include.models import Day, Model, ZoneName
from include.report.history import CoveredYear, DowntimeHistory
from include.results.item import Item
from include.results.states import Coverage, Kind, Text, WeekState
from include.status.space import Space

_NAMED = 3  # requested VMs in a subject


class CoveredDay(Model):
    """One cell of the coverage calendar."""

    day: Day
    state: Coverage


class GenerationWeeks(Model):
    """The generations of one VM in the vault: a row of the table of generations."""

    name: Text
    states: tuple[WeekState, ...] = Field(description="one per week of the report")
    count: NonNegativeInt = Field(description="all generations, including older ones")


class GenerationNote(Model):
    """A generation, and why it is removed or stays."""

    name: Text
    reason: Text


class Report(Model):
    """The report of one run."""

    kind: Kind
    title: Text = Field(description="the name of what is backed up, or of the run: SUPIM, VM, Scrub")
    institute: Text
    timezone: ZoneName = Field(description="the time zone of the times in the report")
    day: Day | None = Field(default=None, description="the day that the run backs up, if any")
    requested: tuple[Text, ...] = Field(
        default=(), description="names or patterns of the VMs that the run was asked for; empty: all"
    )
    dry_run: bool = False
    started: AwareDatetime
    finished: AwareDatetime
    items: tuple[Item, ...] = ()
    coverage: tuple[CoveredDay, ...] = Field(default=(), description="the last weeks, in any order")
    years: tuple[CoveredYear, ...] = Field(default=(), description="all days of the years of these weeks")
    mondays: tuple[date, ...] = Field(default=(), description="the first days of the table's weeks")
    generations: tuple[GenerationWeeks, ...] = Field(default=(), description="the table's rows, one per VM")
    downtimes: tuple[DowntimeHistory, ...] = Field(default=(), description="closest to their budgets first")
    space: Space | None = Field(default=None, description="None: not measured")
    removed: tuple[GenerationNote, ...] = Field(
        default=(), description="in a dry run: what a real run would remove"
    )
    protected: tuple[GenerationNote, ...] = Field(default=(), description="kept from removal by people")
    cause: Text | None = Field(
        default=None, description="why the whole run failed, as a phrase: cluster unreachable, 4 tries"
    )
    refused: bool = Field(
        default=False, description="whether nothing was done because of what somebody asked for"
    )
    needs_action: tuple[Text, ...] = Field(
        default=(), description="what somebody must do, in sentences; shown first"
    )
    beside_failures: tuple[Text, ...] = Field(
        default=(), description="those of needs_action that don't say how to try again what failed"
    )
    known_states: tuple[Text, ...] = Field(
        default=(), description="those of needs_action that only repeat the state of a backup"
    )
    archive: Text = Field(description="the folder that holds the backups")
    verification_command: Text | None = Field(
        default=None, description="a shell command that verifies one of the backups by hand"
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
        """The subject of the report: ``SUPIM 2026-268``, ``VM``, or of some VMs ``VM maq1, web*``."""
        more = len(self.requested) - _NAMED
        some = ", ".join(self.requested[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return " ".join(filter(None, [self.title, str(self.day or ""), some]))

    @property
    def page_url(self) -> str | None:
        """The page "Backups" in the web UI that has the run; None if that isn't known."""
        base, dags, _ = (self.run_url or "").rpartition("/dags/")
        return f"{base}/plugin/backups" if dags else None

    @property
    def whole_url(self) -> str | None:
        """The page that shows this report whole; None if that isn't known."""
        base, dags, run = (self.run_url or "").rpartition("/dags/")
        dag, runs, run_id = run.partition("/runs/")
        return f"{base}/backups/runs/{dag}/{run_id}" if dags and runs else None

    @property
    def own_date(self) -> date:
        """The day that the run backs up, or else the date on which it began."""
        return self.day.date if self.day else self.started.astimezone(self.zone).date()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the times in the report."""
        return ZoneInfo(self.timezone)

    @property
    def seconds(self) -> float:
        """How long the run took, in seconds; 0 if the clock was set back meanwhile."""
        return max((self.finished - self.started).total_seconds(), 0)
