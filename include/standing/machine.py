"""A machine of a vault as facts: its generations, its last drill, and what would be removed of it next."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from include.errors import VaultError
from include.machines.drill import picture_of
from include.machines.generation import PublishedGeneration
from include.machines.machine_record import MachineRecord
from include.machines.removal import has_booted
from include.machines.retention import next_to_go
from include.machines.section import MachinesSection
from include.proofs import Found
from include.report import State
from include.section import next_week
from include.standing.facts import DrillFacts, GenerationFacts, LeavingFacts, MachinePart, ScreenPart
from include.standing.screen import small_png


@dataclass(frozen=True)
class Drilled:
    """One time that a machine was booted, and from what."""

    generation: PublishedGeneration
    found: Found


@dataclass(frozen=True)
class MachineStanding:
    """How it stands with one machine.

    Args:
        name: its name, as it is.
        generations: what the vault has of it, oldest first; what lost its record, too.
        section: the site file's.
        now: when that is asked, in the institute's zone.
    """

    name: str
    generations: Sequence[PublishedGeneration]
    section: MachinesSection
    now: datetime

    @property
    def part(self) -> MachinePart:
        """All of it but the screen."""
        records = [record for one in self.generations if (record := one.readable_record)]
        return MachinePart(
            name=self.name,
            host=records[-1].host if records else "",
            budget_s=self.section.treatment(self.name).downtime_budget_s,
            generations=tuple(generation_facts(one) for one in self.generations),
            drill=self._drill,
            leaving=self._leaving,
        )

    @property
    def screen(self) -> ScreenPart | None:
        """What the last drill left to see; None where that is nothing."""
        if not self.last_drill:
            return None
        try:
            png = small_png(picture_of(self.last_drill.generation).read_bytes())
        except OSError:
            return None
        text = base64.b64encode(png).decode() if png else None
        return ScreenPart(name=self.name, when=self.last_drill.found.when, png=text) if text else None

    @cached_property
    def last_drill(self) -> Drilled | None:
        """The last time that it was booted; of what could never be tried, the last try."""
        drills = sorted(self._drills(), key=lambda one: one.found.when)
        tried = [one for one in drills if one.found.result != "not checked"]
        return next(reversed(tried or drills), None)

    def _drills(self) -> Iterator[Drilled]:
        for generation in self.generations:
            for found in _log(generation):
                if found.what == "drill":
                    yield Drilled(generation, found)

    @property
    def _drill(self) -> DrillFacts | None:
        if not self.last_drill:
            return None
        found = self.last_drill.found
        return DrillFacts(
            when=found.when,
            result=State(found.result),
            how=found.how,
            seconds=found.seconds,
            image=self.last_drill.generation.instant,
        )

    @property
    def _leaving(self) -> LeavingFacts | None:
        """Ask retention, as it will be asked after the next weekly run: only about what can be read."""
        readable = [one for one in self.generations if one.readable_record]
        drills = self.section.drill.required
        gone = next_to_go(
            {one.instant for one in readable},
            self.section.keep,
            next_week(self.section.schedule, self.now).astimezone(UTC),
            damaged={one.instant for one in readable if one.damage},
            drilled={one.instant for one in readable if has_booted(one)} if drills else None,
        )
        return LeavingFacts(instant=gone.instant, reason=gone.reason) if gone else None


def generation_facts(generation: PublishedGeneration) -> GenerationFacts:
    """Say how it stands with a generation; what can't be read of it is told as its damage."""
    try:
        return _whole(generation, generation.record)
    except (VaultError, OSError, ValueError) as unreadable:
        return _unreadable(generation, unreadable)


def _whole(generation: PublishedGeneration, record: MachineRecord) -> GenerationFacts:
    audit = generation.proofs.passed("audit")
    return GenerationFacts(
        instant=generation.instant,
        bytes=record.bytes,
        sent_bytes=sum(disk.sent_bytes for disk in record.disks),
        method=record.method,
        downtime_s=record.downtime_s if record.stopped != "not stopped" else None,
        proven=audit.when if audit else record.proofs[-1].when,
        booted=has_booted(generation),
        damage=generation.proofs.damage,
    )


def _unreadable(generation: PublishedGeneration, why: Exception) -> GenerationFacts:
    missing = not generation.record_file.exists()
    damage = f"{generation.record_file} is missing." if missing else f"It can't be read. {why}"
    return GenerationFacts(
        instant=generation.instant,
        bytes=0,
        sent_bytes=0,
        method="unknown",
        downtime_s=None,
        proven=generation.instant,
        damage=damage,
    )


def _log(generation: PublishedGeneration) -> list[Found]:
    try:
        return generation.proofs.read()
    except OSError:  # told as the generation's damage
        return []
