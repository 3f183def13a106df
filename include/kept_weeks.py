"""What the vault holds of machines, week by week: the report's table of generations.

Weeks are those of ISO 8601, from Monday to Sunday, in the institute's time zone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from include.machines.generation import Generations, PublishedGeneration
from include.machines.machine_record import MachineRecord
from include.report import KeptWeeks, WeekState
from include.vault import Vault

WEEKS = 8


@dataclass(frozen=True)
class Held:
    """One generation in the vault, its record read once.

    Args:
        generation: which.
        record: None where it can't be read; then the generation is proven to nobody.
        damage: what an audit found wrong with it, as a sentence.
    """

    generation: PublishedGeneration
    record: MachineRecord | None
    damage: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        return bool(self.record) and not self.damage


@dataclass(frozen=True)
class Holdings:
    """All generations of a vault.

    Args:
        of: by machine, oldest first.
    """

    of: Mapping[str, Sequence[Held]]

    @classmethod
    def read(cls, vault: Vault) -> "Holdings":
        """Read all records."""
        generations = Generations(vault)
        return cls({name: [_held(one) for one in generations.of(name)] for name in generations.machines()})

    def records(self, machine: str) -> list[MachineRecord]:
        """Give the records of a machine that can be read, oldest first."""
        return [held.record for held in self.of.get(machine, ()) if held.record]

    @property
    def damaged(self) -> list[PublishedGeneration]:
        """Give the generations whose records can't be read."""
        return [one.generation for held in self.of.values() for one in held if not one.record]


@dataclass(frozen=True)
class Calendar:
    """The weeks of a table.

    Args:
        own: a day of the newest one: that of the run.
        zone: in which instants are put into weeks.
        weekly: how many weeks retention keeps; what is older isn't missed.
    """

    own: date
    zone: ZoneInfo
    weekly: int

    @property
    def mondays(self) -> tuple[date, ...]:
        """Give the weeks' first days, oldest first."""
        return tuple(_monday(self.own) - timedelta(weeks=back) for back in reversed(range(WEEKS)))

    def row(self, machine: str, held: Sequence[Held], now: WeekState) -> KeptWeeks:
        """Lay out what is held of one machine.

        Args:
            machine: which.
            held: its generations.
            now: how its newest week stands if none is of it; ``NOTHING``: nobody asked for it any more.
        """
        kept = self._weeks(one for one in held if one.is_whole)
        damaged = self._weeks(one for one in held if not one.is_whole)
        wanted = now is not WeekState.NOTHING
        gaps = {week: _gap(week, kept, self.weekly, wanted=wanted) for week in self.mondays}
        known = dict.fromkeys(damaged, WeekState.FAILED) | dict.fromkeys(kept, WeekState.KEPT)
        states = {**gaps, self.mondays[-1]: now, **known}
        return KeptWeeks(
            name=machine,
            states=tuple(states[week] for week in self.mondays),
            count=sum(one.record is not None for one in held),
        )

    def _weeks(self, held: Iterable[Held]) -> set[date]:
        # A run may go on over midnight into the next week; its images are still those of its own week.
        return {min(self._week(one.generation.instant), self.mondays[-1]) for one in held}

    def _week(self, instant: datetime) -> date:
        return _monday(instant.astimezone(self.zone).date())


def _gap(week: date, kept: set[date], weekly: int, *, wanted: bool) -> WeekState:
    """Tell a week that has no generation but should from one of which none is expected."""
    newest_first = sorted(kept, reverse=True)
    oldest_expected = newest_first[: max(weekly, 1)][-1:]  # retention may have removed what is older
    began = any(week > first for first in oldest_expected)
    goes_on = wanted or any(week < later for later in kept)
    return WeekState.MISSING if began and goes_on else WeekState.NOTHING


def _held(generation: PublishedGeneration) -> Held:
    record = generation.readable_record
    return Held(generation, record, generation.proofs.damage if record else None)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
