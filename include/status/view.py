"""One immutable view of each vault, folded from the parts that DAGs published.

Of the vault itself, each year and the VMs, the part that was read last counts. Surveys and runs are
histories: of each day the last survey counts, of each run the last event. Space is kept once a day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from include.days.source import SourceState
from include.ordinal_day import OrdinalDay
from include.results.states import Kind, Outcome
from include.status.alert import Acknowledgement
from include.status.parts import (
    AcknowledgedPart,
    DaysPart,
    DayStatus,
    PublishedPart,
    RunPart,
    ScreenPart,
    SourcePart,
    VaultPart,
    VmPart,
    VmsPart,
)
from include.status.space import Space
from include.vault.clock import is_ahead, trusted_first

FRESH_FOR = timedelta(hours=36)
"""How long a view is current; the daily run publishes every day."""

_FAILURES = (Outcome.FAILED, Outcome.NOT_SETTLED, Outcome.UNREADABLE)


@dataclass(frozen=True)
class SourceSurvey:
    """What the last survey of a day found at the source."""

    state: SourceState
    reason: str
    when: datetime


@dataclass(frozen=True)
class DayFailure:
    """Why the last run that tried to back a day up failed."""

    reason: str
    run: str
    when: datetime


@dataclass(frozen=True)
class VaultView:
    """The published data of one vault.

    Args:
        vault: its id, from its marker.
        path: its folder on the worker.
        taken: when its newest part was read.
        rules: the vault's own part.
        days: the days in the vault.
        surveyed: the last survey of each day, as far back as surveys are remembered.
        vms: its VMs, by name.
        screens: the names of the VMs that have a screenshot.
        runs: newest first.
        space_history: when the space was measured, and the space; once a day, oldest first.
        acknowledged: who acknowledged an alert last, by the alert's key.
        gone: the run after which the vault couldn't be opened, if nothing was read of it since; else None.
    """

    vault: str
    path: str
    taken: datetime
    rules: VaultPart
    days: Mapping[OrdinalDay, DayStatus] = field(default_factory=dict)
    surveyed: Mapping[OrdinalDay, SourceSurvey] = field(default_factory=dict)
    vms: Mapping[str, VmPart] = field(default_factory=dict)
    screens: frozenset[str] = frozenset()
    runs: tuple[RunPart, ...] = ()
    space_history: tuple[tuple[datetime, Space], ...] = ()
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=dict)
    gone: RunPart | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The institute's time zone."""
        return ZoneInfo(self.rules.zone)

    def age(self, now: datetime) -> timedelta:
        """Return the age of the newest part; never negative, even if clocks differ."""
        return max(now - self.taken, timedelta())

    def stale(self, now: datetime) -> bool:
        """Whether the view is out of date, or of a date that can't be."""
        return self.age(now) > FRESH_FOR or is_ahead(self.taken, now)

    def today(self, now: datetime) -> OrdinalDay:
        """Return the current day in the institute's time zone."""
        return OrdinalDay.of(now.astimezone(self.zone))

    def newest_due(self, now: datetime) -> OrdinalDay:
        """Return the newest day that should be in the vault."""
        return self.today(now) - self.rules.lag_days

    @cached_property
    def scrubbed(self) -> bool:
        """Whether any scrub has run, as far as runs are remembered, or has verified a day."""
        ran = any(run.about is Kind.SCRUB and not run.dry_run for run in self.runs)
        return ran or any(day.scrubbed for day in self.days.values())

    @property
    def oldest_verification(self) -> datetime | None:
        """When the day was verified whose verification is the oldest; None if there is no day."""
        return min((day.verified for day in self.days.values()), default=None)

    @cached_property
    def failures(self) -> Mapping[OrdinalDay, DayFailure]:
        """The days whose last run failed to back them up."""
        found: dict[str, DayFailure | None] = {}
        for run in self.runs:
            if run.about is Kind.DAYS and not run.dry_run:
                for item in run.troubled:
                    failure = DayFailure(item.reason, run.run, run.finished)
                    found.setdefault(item.name, failure if item.outcome in _FAILURES else None)
        return {
            OrdinalDay.parse(name): failure for name, failure in found.items() if failure and _is_day(name)
        }


def _is_day(name: str) -> bool:
    try:
        OrdinalDay.parse(name)
    except ValueError:
        return False
    return True


@dataclass
class _Folding:
    path: str
    taken: datetime
    rules: VaultPart | None = None
    years: dict[int, DaysPart] = field(default_factory=dict)
    surveyed: dict[OrdinalDay, SourceSurvey] = field(default_factory=dict)
    vms: dict[str, VmPart] = field(default_factory=dict)
    screens: set[str] = field(default_factory=set)
    runs: dict[tuple[str, str], RunPart] = field(default_factory=dict)
    space: dict[OrdinalDay, tuple[datetime, Space]] = field(default_factory=dict)
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)
    gone: RunPart | None = None

    def add(self, published: PublishedPart) -> None:
        part = published.part
        if isinstance(part, AcknowledgedPart):  # by a person at the page: nothing was read of the vault
            self.acknowledged[part.key] = Acknowledgement(part.by, published.taken, part.until)
            return
        self.path, self.taken = published.path, published.taken
        if not isinstance(part, SourcePart):  # of which nothing was read of the vault
            self.gone = part if isinstance(part, RunPart) and part.vault_gone else None
        match part:
            case VaultPart():
                self.rules = part
                self.space[OrdinalDay.of(published.taken)] = (published.taken, part.space)
            case DaysPart():
                self.years[part.year] = part
            case SourcePart():
                self.surveyed |= {
                    day.day: SourceSurvey(day.state, day.reason, published.taken) for day in part.days
                }
            case VmPart():
                self.vms[part.name] = part
            case VmsPart():
                self.vms = {vm.name: vm for vm in part.vms}
            case ScreenPart():
                self.screens.add(part.name)
            case RunPart():
                self.runs[part.dag, part.run] = part

    def view(self, vault: str, rules: VaultPart, now: datetime | None) -> VaultView:
        return VaultView(
            vault=vault,
            path=self.path,
            taken=self.taken,
            rules=rules,
            days={day.day: day for year in sorted(self.years) for day in self.years[year].days},
            surveyed=self.surveyed,
            vms=dict(sorted(self.vms.items())),
            screens=frozenset(self.screens),
            runs=tuple(
                sorted(self.runs.values(), key=lambda run: trusted_first(run.finished, now), reverse=True)
            ),
            space_history=tuple(
                self.space[day] for day in sorted(self.space) if not is_ahead(self.space[day][0], now)
            ),
            acknowledged=self.acknowledged,
            gone=self.gone,
        )


def fold(
    events: Iterable[PublishedPart],
    screens: Iterable[tuple[str, str]] = (),
    now: datetime | None = None,
) -> tuple[VaultView, ...]:
    """Fold published parts into a view of each vault, sorted by path.

    The part that was read last counts, even if a slow task published an older one after it; one that was read
    in the future, as a clock was wrong, only counts where there is no other. A vault whose own part was never
    published is left out: without its rules, no state can be decided.

    Args:
        events: the published parts, oldest first.
        screens: vault and VM of screenshots that weren't read.
        now: the time; None: this machine's.
    """
    vaults: dict[str, _Folding] = {}
    for published in sorted(events, key=lambda event: trusted_first(event.taken, now)):
        vaults.setdefault(published.vault, _Folding(published.path, published.taken)).add(published)
    for vault, name in screens:
        if vault in vaults:
            vaults[vault].screens.add(name)
    views = (folding.view(vault, folding.rules, now) for vault, folding in vaults.items() if folding.rules)
    return tuple(sorted(views, key=lambda view: (view.path, view.vault)))
