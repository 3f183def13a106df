"""The state of each VM, and what its last images cost. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from include.config.section import next_run
from include.results.states import State
from include.status.parts import GenerationStatus, VmPart
from include.status.view import VaultView
from include.text import counted
from include.vault.clock import is_ahead

WEEK = timedelta(weeks=1)
GRACE = timedelta(days=2)
"""How long after a due weekly run an older image counts as late; no image is late within a week."""

LAST_RUNS = 12


class VmState(StrEnum):
    """The state of a VM; only the first is safe."""

    SAFE = "safe"
    LATE = "late"
    DAMAGED = "damaged"
    EMPTY = "no image"


@dataclass(frozen=True)
class VmStatus:
    """One VM.

    Args:
        part: its published data.
        state: its state.
        sentence: the reason.
        verification_due: whether its newest image is due for scrub.
    """

    part: VmPart
    state: VmState
    sentence: str
    verification_due: bool

    @property
    def newest(self) -> GenerationStatus | None:
        """Its newest image; one that is dated in the future only if it has no other."""
        return self.part.generations[-1] if self.part.generations else None

    @property
    def downtimes(self) -> tuple[float | None, ...]:
        """Its last downtimes in seconds, oldest first; None: the VM was not stopped."""
        return tuple(generation.downtime_s for generation in self.part.generations[-LAST_RUNS:])

    @property
    def over_budget(self) -> bool:
        """Whether its last downtime exceeded its budget."""
        last = self.newest.downtime_s if self.newest else None
        return last is not None and last > self.part.budget_s

    @property
    def boot_test_failed(self) -> bool:
        """Whether its last boot test failed."""
        return self.part.boot_test is not None and self.part.boot_test.result is State.FAILED

    @property
    def weekly_bytes(self) -> int | None:
        """Bytes sent for it per week, over its last images; None: they span less than a day."""
        newest = self.newest
        last = [
            each for each in self.part.generations[-LAST_RUNS:] if newest and each.instant <= newest.instant
        ]
        span = last[-1].instant - last[0].instant if last else timedelta()
        sent = sum(generation.sent_bytes for generation in last[1:])
        return round(sent / (span / WEEK)) if span >= timedelta(days=1) else None


def vm_statuses(view: VaultView, now: datetime) -> list[VmStatus]:
    """Return the state of all VMs, by name."""
    return [_status(_ordered(part, now), view, now) for part in view.vms.values()]


def _ordered(part: VmPart, now: datetime) -> VmPart:
    """Return a VM with the images that are dated in the future before all others: they hide none."""
    ordered = sorted(part.generations, key=lambda image: not is_ahead(image.instant, now))
    return part.model_copy(update={"generations": tuple(ordered)})


def _status(part: VmPart, view: VaultView, now: datetime) -> VmStatus:
    if not part.generations:
        return VmStatus(part, VmState.EMPTY, "The vault has no image of it.", verification_due=False)
    newest = part.generations[-1]
    oldest = now - timedelta(days=view.rules.max_age_days)
    due = newest.verified < oldest or is_ahead(newest.verified, now)
    if newest.damage:
        return VmStatus(part, VmState.DAMAGED, newest.damage, verification_due=due)
    due_on = _due(newest.instant, view)
    if now > max(due_on + GRACE, newest.instant + WEEK):
        age = counted((now - newest.instant).days, "day")
        sentence = f"Its newest image is {age} old; the next one was due on {due_on:%Y-%m-%d}."
        return VmStatus(part, VmState.LATE, sentence, verification_due=due)
    return VmStatus(part, VmState.SAFE, "Its newest image is verified.", verification_due=due)


def _due(instant: datetime, view: VaultView) -> datetime:
    """Return when the weekly run after an image is due."""
    made, schedule = instant.astimezone(view.zone), view.rules.vms_schedule
    return next_run(schedule, made) if schedule else made + WEEK
