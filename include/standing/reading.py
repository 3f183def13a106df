"""A vault, read into the parts that are published of it: only looked at, and each part by its key.

``vault``, ``days/2026``, ``machines``, ``screens/maq1``; beside them stand ``source`` and ``runs``, which
aren't read from a vault (``runs.py``). In keys, machines are percent-encoded: names may hold anything.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from include.daily_report import space_now
from include.machines.generation import Generations
from include.names import encoded
from include.ordinal_day import OrdinalDay
from include.site_file import Site
from include.standing import days
from include.standing.facts import DaysPart, MachinesPart, Part, ScreenPart, VaultPart
from include.standing.machine import MachineStanding
from include.vault import PublishedDay, Vault

VAULT, MACHINES = "vault", "machines"
"""Keys of the parts of which a vault has one each."""

MOST_SCREENS = 100
"""Airflow takes 10 ms and more for each event of a task, and gives it 5 s for all of them."""

About = Literal["vault", "days", "machines", "screens"]
Keyed = tuple[str, Part]


@dataclass(frozen=True)
class Reading:
    """One look at a vault.

    Args:
        vault: which.
        site: the site file.
        taken: when it's read.
    """

    vault: Vault
    site: Site
    taken: datetime

    def parts(self, about: Collection[About], years: Collection[int] | None = None) -> Iterator[Keyed]:
        """Give some parts, each with its key.

        Args:
            about: of what.
            years: of which years' days; None: of all.
        """
        if "vault" in about:
            yield VAULT, self.whole
        if "days" in about:
            yield from ((f"days/{year:04d}", self.days(year)) for year in sorted(years or self.years))
        if "machines" in about:
            yield MACHINES, self.machines
        if "screens" in about:
            yield from self._screens()

    @property
    def whole(self) -> VaultPart:
        """The vault itself, and the rules."""
        return VaultPart(
            zone=self.site.institute.timezone,
            lag_days=self.site.supim.lag_days,
            proof_age_days=self.site.audit.proof_age_days,
            keeps_days=self.site.supim.source.keeps_days,
            machines_schedule=self.site.machines.schedule,
            space=space_now(self.vault, self._published, self.site.vault.reserve),
        )

    @property
    def years(self) -> list[int]:
        """The years of which it holds a day."""
        return sorted({day.year for day in self._newest})

    def days(self, year: int) -> DaysPart:
        """Give the days of a year; it need not hold one."""
        return days.of_year(year, self._newest.values())

    @property
    def machines(self) -> MachinesPart:
        """The machines of which it holds anything."""
        return MachinesPart(machines=tuple(one.part for one in self._standings))

    def screen(self, name: str) -> ScreenPart | None:
        """Give the screen of a machine's last drill; None where there is none to be seen."""
        return next((one.screen for one in self._standings if one.name == name), None)

    def _screens(self) -> Iterator[Keyed]:
        """Give those of the last drills; the others are as they were."""
        drilled = [(one.last_drill.found.when, one) for one in self._standings if one.last_drill]
        drilled.sort(key=lambda drill: drill[0], reverse=True)
        for _, one in drilled[:MOST_SCREENS]:
            if screen := one.screen:
                yield f"screens/{encoded(one.name)}", screen

    @cached_property
    def _standings(self) -> list[MachineStanding]:
        generations, section = Generations(self.vault), self.site.machines
        now = self.taken.astimezone(self.site.institute.zone)
        held = ((name, generations.every(name)) for name in generations.names())
        return [MachineStanding(name, found, section, now) for name, found in held if found]

    @cached_property
    def _published(self) -> list[PublishedDay]:
        return self.vault.published()

    @cached_property
    def _newest(self) -> dict[OrdinalDay, PublishedDay]:
        return days.newest(self._published, self.vault.lost())
