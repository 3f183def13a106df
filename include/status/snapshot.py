"""Read a vault, without changing it, into the parts that are published of it, each with its key.

The keys are ``vault``, ``days/2026``, ``vms`` and ``screens/maq1``. ``include/report/run_part.py`` makes the
other two parts, ``source`` and ``runs``. VM names in keys are percent-encoded: they may contain anything.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from include.config.site_file import Site
from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.names import encoded
from include.ordinal_day import OrdinalDay
from include.status import days
from include.status.parts import DaysPart, Part, ScreenPart, VaultPart, VmsPart
from include.status.space import space_now
from include.status.vms import VmInVault
from include.vault.vault import Vault
from include.vms.archive import VmArchive

VAULT, VMS = "vault", "vms"
"""Keys of the parts that a vault has one of."""

MAX_SCREENS = 100
"""Airflow takes at least 10 ms for each event of a task, and allows 5 s for all of them."""

PartName = Literal["vault", "days", "vms", "screens"]
Keyed = tuple[str, Part]


@dataclass(frozen=True)
class VaultSnapshot:
    """A vault, as it is read at one instant.

    Args:
        vault: which vault.
        site: the site file.
        taken: the instant.
    """

    vault: Vault
    site: Site
    taken: datetime

    def parts(self, about: Collection[PartName], years: Collection[int] | None = None) -> Iterator[Keyed]:
        """Return some parts, each with its key.

        Args:
            about: which kinds of parts.
            years: the years whose days to read; None: all.
        """
        if "vault" in about:
            yield VAULT, self.vault_part
        if "days" in about:
            yield from ((f"days/{year:04d}", self.days(year)) for year in sorted(years or self.years))
        if "vms" in about:
            yield VMS, self.vms
        if "screens" in about:
            yield from self._screens()

    @property
    def vault_part(self) -> VaultPart:
        """The vault itself, and its rules."""
        return VaultPart(
            zone=self.site.institute.timezone,
            lag_days=self.site.supim.lag_days,
            max_age_days=self.site.scrub.max_age_days,
            keep_days_at_source=self.site.supim.keep_days_at_source,
            vms_schedule=self.site.vms.schedule,
            space=space_now(self.vault, self._published, self.site),
        )

    @property
    def years(self) -> list[int]:
        """The years of which the vault has a day."""
        return sorted({day.year for day in self._newest})

    def days(self, year: int) -> DaysPart:
        """Return the days of a year; possibly none."""
        return days.of_year(year, self._newest.values())

    @property
    def vms(self) -> VmsPart:
        """All VMs of which the vault has anything."""
        return VmsPart(vms=tuple(vm.part for vm in self._vms))

    def screen(self, name: str) -> ScreenPart | None:
        """Return the screenshot of a VM's last boot test; None if there is none."""
        return next((vm.screen for vm in self._vms if vm.name == name), None)

    def _screens(self) -> Iterator[Keyed]:
        # The most recent boot tests; older screenshots were published before.
        tested = [(vm.last_boot_test.result.when, vm) for vm in self._vms if vm.last_boot_test]
        tested.sort(key=lambda test: test[0], reverse=True)
        for _, vm in tested[:MAX_SCREENS]:
            if screen := vm.screen:
                yield f"screens/{encoded(vm.name)}", screen

    @cached_property
    def _vms(self) -> list[VmInVault]:
        archive, now = VmArchive(self.vault), self.taken.astimezone(self.site.institute.zone)
        vms = (VmInVault(name, archive.every(name), self.site, now) for name in archive.names())
        return [vm for vm in vms if vm.generations]

    @cached_property
    def _published(self) -> list[PublishedDay]:
        return DayArchive(self.vault).published()

    @cached_property
    def _newest(self) -> dict[OrdinalDay, PublishedDay]:
        return days.newest(self._published, DayArchive(self.vault).lost())
