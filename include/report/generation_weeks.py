"""The generations in the vault, by VM and week: the report's table of generations.

Weeks are those of ISO 8601, from Monday to Sunday, in the institute's time zone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from include.report import GenerationNote, GenerationWeeks
from include.results.states import WeekState
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.record import VmRecord

WEEKS = 8


@dataclass(frozen=True)
class HeldGeneration:
    """One generation in the vault, with its record.

    Args:
        generation: the generation.
        record: its record; None: it can't be read, so the generation doesn't count as verified.
        damage: what is wrong with it, in a sentence: a scrub's finding, or a date in the future.
    """

    generation: PublishedVm
    record: VmRecord | None
    damage: str | None = None

    @property
    def is_intact(self) -> bool:
        """Whether it has no known damage."""
        return bool(self.record) and not self.damage


@dataclass(frozen=True)
class Holdings:
    """All generations of a vault.

    Args:
        of: by VM, oldest first.
    """

    of: Mapping[str, Sequence[HeldGeneration]]

    @classmethod
    def read(cls, vault: Vault) -> "Holdings":
        """Read all records."""
        archive = VmArchive(vault)
        return cls({name: [_held(generation) for generation in archive.of(name)] for name in archive.vms()})

    def records(self, vm: str) -> list[VmRecord]:
        """Return the readable records of a VM, oldest first, without those dated in the future."""
        return [held.record for held in self.of.get(vm, ()) if held.record and not held.generation.is_ahead]

    @property
    def ahead(self) -> list[PublishedVm]:
        """The generations that are dated in the future."""
        held = (one.generation for generations in self.of.values() for one in generations)
        return [generation for generation in held if generation.is_ahead]

    @property
    def protected(self) -> list[GenerationNote]:
        """The generations that people protect from removal, and why."""
        held = (one.generation for generations in self.of.values() for one in generations)
        return [
            GenerationNote(name=f"{one.vm} {one.name}", reason=f"Kept: {protection.reason}.")
            for one in held
            if (protection := one.protection)
        ]

    @property
    def damaged(self) -> list[PublishedVm]:
        """The generations whose records can't be read."""
        return [
            held.generation for generations in self.of.values() for held in generations if not held.record
        ]


@dataclass(frozen=True)
class WeekTable:
    """The weeks of a table.

    Args:
        own: the run's day, in the newest week.
        zone: the time zone of the weeks.
        weekly: how many weekly generations retention keeps; older weeks can't be missing.
    """

    own: date
    zone: ZoneInfo
    weekly: int

    @property
    def mondays(self) -> tuple[date, ...]:
        """The weeks' first days, oldest first."""
        return tuple(_monday(self.own) - timedelta(weeks=back) for back in reversed(range(WEEKS)))

    def row(self, vm: str, generations: Sequence[HeldGeneration], now: WeekState) -> GenerationWeeks:
        """Return the table's row of one VM.

        Args:
            vm: the VM's name.
            generations: its generations.
            now: its state of the newest week without a generation; ``NOTHING``: it isn't backed up any more.
        """
        kept = self._weeks(held for held in generations if held.is_intact)
        damaged = self._weeks(held for held in generations if not held.is_intact)
        backed_up = now is not WeekState.NOTHING
        gaps = {week: _gap(week, kept, self.weekly, backed_up=backed_up) for week in self.mondays}
        known = dict.fromkeys(damaged, WeekState.FAILED) | dict.fromkeys(kept, WeekState.KEPT)
        states = {**gaps, self.mondays[-1]: now, **known}
        return GenerationWeeks(
            name=vm,
            states=tuple(states[week] for week in self.mondays),
            count=sum(held.record is not None for held in generations),
        )

    def _weeks(self, generations: Iterable[HeldGeneration]) -> set[date]:
        # A run may last past midnight into the next week; its images belong to its own week.
        # What is dated in the future has no week: it would hide that a week has no image.
        dated = [held.generation for held in generations if not held.generation.is_ahead]
        return {min(self._week(generation.instant), self.mondays[-1]) for generation in dated}

    def _week(self, instant: datetime) -> date:
        return _monday(instant.astimezone(self.zone).date())


def _gap(week: date, kept: set[date], weekly: int, *, backed_up: bool) -> WeekState:
    """Return whether a week without a generation should have one."""
    newest_first = sorted(kept, reverse=True)
    oldest_expected = newest_first[: max(weekly, 1)][-1:]  # retention may have removed what is older
    began = any(week > first for first in oldest_expected)
    continues = backed_up or any(week < later for later in kept)
    return WeekState.MISSING if began and continues else WeekState.NOTHING


def _held(generation: PublishedVm) -> HeldGeneration:
    record = generation.readable_record
    return HeldGeneration(generation, record, generation.suspect if record else None)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
