"""The status of a VM in the vault: its generations, its last boot test, and its next removal."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from include.boot_test.boot_test import picture_of
from include.config.section import next_run
from include.config.site_file import Site
from include.errors import VaultError
from include.results.states import State
from include.status.parts import BootTestStatus, GenerationStatus, NextRemoval, ScreenPart, VmPart
from include.status.screenshot import small_png
from include.vault.clock import trusted_first
from include.vault.verification_log import LogEntry
from include.vms.archive import PublishedVm
from include.vms.description import how_imaged, how_read
from include.vms.record import VmRecord
from include.vms.removal import Retained, has_booted


@dataclass(frozen=True)
class PastBootTest:
    """A boot test in the past, and the generation that was booted."""

    generation: PublishedVm
    result: LogEntry


@dataclass(frozen=True)
class VmInVault:
    """A VM in the vault.

    Args:
        name: its name.
        generations: all that the vault has of it, in its order, including those that lost their record.
        site: the site file.
        now: the instant, in the institute's zone.
    """

    name: str
    generations: Sequence[PublishedVm]
    site: Site
    now: datetime

    @property
    def part(self) -> VmPart:
        """All of it but the screenshot."""
        records = [record for each in self.generations if (record := each.readable_record)]
        return VmPart(
            name=self.name,
            host=records[-1].host if records else "",
            budget_s=self.site.vms.settings(self.name).downtime_budget_s,
            generations=tuple(map(generation_status, self.generations)),
            boot_test=self._boot_test,
            next_removal=self._next_removal,
            how_imaged=self._how_imaged,
        )

    @property
    def screen(self) -> ScreenPart | None:
        """The screenshot of its last boot test; None if there is none."""
        if not self.last_boot_test:
            return None
        try:
            png = small_png(picture_of(self.last_boot_test.generation).read_bytes())
        except OSError:
            return None
        text = base64.b64encode(png).decode() if png else None
        return ScreenPart(name=self.name, when=self.last_boot_test.result.when, png=text) if text else None

    @cached_property
    def last_boot_test(self) -> PastBootTest | None:
        """Its last boot test; one that came to no result only counts if none did."""
        tests = sorted(self._boot_tests(), key=lambda test: trusted_first(test.result.when, self.now))
        checked = [test for test in tests if test.result.result != "not checked"]
        return next(reversed(checked or tests), None)

    def _boot_tests(self) -> Iterator[PastBootTest]:
        for generation in self.generations:
            for entry in _log(generation):
                if entry.what == "boot_test":
                    yield PastBootTest(generation, entry)

    @property
    def _how_imaged(self) -> str:
        newest = self.generations[-1].readable_record if self.generations else None
        return " ".join(filter(None, [how_imaged(newest), how_read(newest)])) if newest else ""

    @property
    def _boot_test(self) -> BootTestStatus | None:
        if not self.last_boot_test:
            return None
        entry = self.last_boot_test.result
        return BootTestStatus(
            when=entry.when,
            result=State(entry.result),
            how=entry.how,
            seconds=entry.seconds,
            image=self.last_boot_test.generation.instant,
        )

    @property
    def _next_removal(self) -> NextRemoval | None:
        """What retention removes after the next weekly run, of generations with a readable record."""
        found = Retained.of(self.generations, boot_tests=self.site.boot_test_required(self.name))
        coming = next_run(self.site.vms.schedule, self.now).astimezone(UTC)
        removal = next(iter(found.next_to_remove(self.site.vms.keep, coming)), None)
        if not removal:
            return None
        reason = f"Removed once the next image is verified. {removal.reason}"
        return NextRemoval(instant=removal.instant, reason=reason)


def generation_status(generation: PublishedVm) -> GenerationStatus:
    """Return the status of a generation; an unreadable record is its damage."""
    try:
        return _readable(generation, generation.record)
    except (VaultError, OSError, ValueError) as error:
        return _unreadable(generation, error)


def _readable(generation: PublishedVm, record: VmRecord) -> GenerationStatus:
    scrub = generation.verification_log.passed("scrub")
    return GenerationStatus(
        instant=generation.instant,
        bytes=record.bytes,
        sent_bytes=sum(disk.sent_bytes for disk in record.disks),
        method=record.method,
        downtime_s=record.downtime_s if record.stopped in ("by itself", "destroyed", "suspended") else None,
        verified=scrub.when if scrub else record.verifications[-1].when,
        booted=has_booted(generation),
        protection=generation.protection,
        damage=generation.suspect,
    )


def _unreadable(generation: PublishedVm, error: Exception) -> GenerationStatus:
    missing = not generation.record_file.exists()
    damage = f"{generation.record_file} is missing." if missing else f"It can't be read. {error}"
    return GenerationStatus(
        instant=generation.instant,
        bytes=0,
        sent_bytes=0,
        method="unknown",
        downtime_s=None,
        verified=generation.instant,
        protection=generation.protection,
        damage=damage,
    )


def _log(generation: PublishedVm) -> list[LogEntry]:
    try:
        return generation.verification_log.read()
    except OSError:  # reported as the generation's damage
        return []
