"""One frozen view of each vault, folded from what DAGs published, in the order in which it was read.

Of the vault, its years and its machines the newest word counts whole. What the source held and what runs did
are histories: of each day the latest look counts, of each run the last word; the vault's room is kept by day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from include.ordinal_day import OrdinalDay
from include.report import Kind, Outcome, Space
from include.source import State as SourceState
from include.standing.facts import (
    DayFacts,
    DaysPart,
    MachinePart,
    MachinesPart,
    Published,
    RunPart,
    ScreenPart,
    SourcePart,
    VaultPart,
)

FRESH_FOR = timedelta(hours=36)
"""How long a view counts as of now: the daily run gives a new one every day."""

_FAILURES = (Outcome.FAILED, Outcome.NOT_SETTLED, Outcome.UNREADABLE)


@dataclass(frozen=True)
class Seen:
    """What the source held of a day when it was last asked."""

    state: SourceState
    reason: str
    when: datetime


@dataclass(frozen=True)
class Failure:
    """Why the last run that wanted a day did not get it."""

    reason: str
    run: str
    when: datetime


@dataclass(frozen=True)
class VaultView:
    """How one vault stood when its facts were read.

    Args:
        vault: its id, by its marker.
        path: its folder, as its worker calls it.
        taken: when its newest fact was read.
        rules: the vault's own part.
        days: those that it holds.
        seen: the last look at each day at the source, as far back as it's remembered.
        machines: by name, each with the time at which its facts were read.
        screens: names of machines whose screen is kept.
        runs: what runs did, newest first.
        room: the room on each day on which it was measured, oldest first.
    """

    vault: str
    path: str
    taken: datetime
    rules: VaultPart
    days: Mapping[OrdinalDay, DayFacts] = field(default_factory=dict)
    seen: Mapping[OrdinalDay, Seen] = field(default_factory=dict)
    machines: Mapping[str, MachinePart] = field(default_factory=dict)
    screens: frozenset[str] = frozenset()
    runs: tuple[RunPart, ...] = ()
    room: tuple[tuple[datetime, Space], ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The institute's."""
        return ZoneInfo(self.rules.zone)

    def age(self, now: datetime) -> timedelta:
        """Give how old the newest fact is; never negative, whatever clocks say."""
        return max(now - self.taken, timedelta())

    def stale(self, now: datetime) -> bool:
        """Whether so much time went by that things may stand otherwise."""
        return self.age(now) > FRESH_FOR

    def today(self, now: datetime) -> OrdinalDay:
        """Give the day on the institute's clock."""
        return OrdinalDay.of(now.astimezone(self.zone))

    def newest_due(self, now: datetime) -> OrdinalDay:
        """Give the newest day that a run is to have secured."""
        return self.today(now) - self.rules.lag_days

    @cached_property
    def failures(self) -> Mapping[OrdinalDay, Failure]:
        """Days that the last run that told of them failed to get."""
        found: dict[str, Failure | None] = {}
        for run in self.runs:
            if run.about is Kind.DAYS and not run.dry_run:
                for item in run.troubled:
                    failed = Failure(item.reason, run.run, run.finished)
                    found.setdefault(item.name, failed if item.outcome in _FAILURES else None)
        return {OrdinalDay.parse(name): failed for name, failed in found.items() if failed and _is_day(name)}


def _is_day(name: str) -> bool:
    try:
        OrdinalDay.parse(name)
    except ValueError:
        return False
    return True


@dataclass
class _Folding:
    """What is known of one vault so far."""

    path: str
    taken: datetime
    rules: VaultPart | None = None
    years: dict[int, DaysPart] = field(default_factory=dict)
    seen: dict[OrdinalDay, Seen] = field(default_factory=dict)
    machines: dict[str, MachinePart] = field(default_factory=dict)
    screens: set[str] = field(default_factory=set)
    runs: dict[tuple[str, str], RunPart] = field(default_factory=dict)
    room: dict[OrdinalDay, tuple[datetime, Space]] = field(default_factory=dict)

    def add(self, published: Published) -> None:
        part, self.path, self.taken = published.part, published.path, published.taken
        match part:
            case VaultPart():
                self.rules = part
                self.room[OrdinalDay.of(published.taken)] = (published.taken, part.space)
            case DaysPart():
                self.years[part.year] = part
            case SourcePart():
                self.seen |= {day.day: Seen(day.state, day.reason, published.taken) for day in part.days}
            case MachinePart():
                self.machines[part.name] = part
            case MachinesPart():
                self.machines = {machine.name: machine for machine in part.machines}
            case ScreenPart():
                self.screens.add(part.name)
            case RunPart():
                self.runs[part.dag, part.run] = part

    def view(self, vault: str, rules: VaultPart) -> VaultView:
        return VaultView(
            vault=vault,
            path=self.path,
            taken=self.taken,
            rules=rules,
            days={day.day: day for year in sorted(self.years) for day in self.years[year].days},
            seen=self.seen,
            machines=dict(sorted(self.machines.items())),
            screens=frozenset(self.screens),
            runs=tuple(sorted(self.runs.values(), key=lambda run: run.finished, reverse=True)),
            room=tuple(self.room[day] for day in sorted(self.room)),
        )


def fold(events: Iterable[Published], screens: Iterable[tuple[str, str]] = ()) -> tuple[VaultView, ...]:
    """Fold what was published into a view of each vault, by path.

    What was read later counts, even where a slow task published it earlier than another one what it had read
    before. A vault whose own part was never published isn't told: nothing could be judged without its rules.

    Args:
        events: what was published, oldest first.
        screens: vault and machine of pictures that weren't read.
    """
    vaults: dict[str, _Folding] = {}
    for published in sorted(events, key=lambda one: one.taken):
        vaults.setdefault(published.vault, _Folding(published.path, published.taken)).add(published)
    for vault, name in screens:
        if vault in vaults:
            vaults[vault].screens.add(name)
    views = (folding.view(vault, folding.rules) for vault, folding in vaults.items() if folding.rules)
    return tuple(sorted(views, key=lambda view: (view.path, view.vault)))
