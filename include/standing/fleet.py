"""How each machine stands: its newest image, what the last ones cost, and what goes next. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from include.report import State
from include.section import next_week
from include.standing.facts import GenerationFacts, MachinePart
from include.standing.view import VaultView
from include.wording import counted

WEEK = timedelta(weeks=1)
PATIENCE = timedelta(days=2)
"""How long after the start of a weekly run an image that it was to replace is late; never within a week."""

LAST_RUNS = 12


class MachineState(StrEnum):
    """How a machine stands; only the first is safe."""

    SAFE = "safe"
    LATE = "late"
    DAMAGED = "damaged"
    EMPTY = "no image"


@dataclass(frozen=True)
class JudgedMachine:
    """One machine.

    Args:
        part: what was published of it.
        state: how it stands.
        sentence: why.
        proof_due: whether its newest image is to be read again.
    """

    part: MachinePart
    state: MachineState
    sentence: str
    proof_due: bool

    @property
    def newest(self) -> GenerationFacts | None:
        """Its newest image."""
        return self.part.generations[-1] if self.part.generations else None

    @property
    def downtimes(self) -> tuple[float | None, ...]:
        """Its last downtimes in seconds, oldest first; None: it wasn't stopped."""
        return tuple(made.downtime_s for made in self.part.generations[-LAST_RUNS:])

    @property
    def over_budget(self) -> bool:
        """Whether its last downtime was longer than it should be."""
        last = self.newest.downtime_s if self.newest else None
        return last is not None and last > self.part.budget_s

    @property
    def drill_failed(self) -> bool:
        """Whether it didn't boot when it was last tried."""
        return self.part.drill is not None and self.part.drill.result is State.FAILED

    @property
    def weekly_bytes(self) -> int | None:
        """What came over the wire for it in a week, over the last runs; None: not known yet."""
        last = self.part.generations[-LAST_RUNS:]
        weeks = (last[-1].instant - last[0].instant) / WEEK if last else 0
        return round(sum(made.sent_bytes for made in last[1:]) / weeks) if weeks > 0 else None


def fleet(view: VaultView, now: datetime) -> list[JudgedMachine]:
    """Judge all machines, by name."""
    return [_judged(part, view, now) for part in view.machines.values()]


def _judged(part: MachinePart, view: VaultView, now: datetime) -> JudgedMachine:
    if not part.generations:
        return JudgedMachine(part, MachineState.EMPTY, "The vault holds no image of it.", proof_due=False)
    newest = part.generations[-1]
    due = newest.proven < now - timedelta(days=view.rules.proof_age_days)
    if newest.damage:
        return JudgedMachine(part, MachineState.DAMAGED, newest.damage, proof_due=due)
    due_on = _due(newest.instant, view)
    if now > max(due_on + PATIENCE, newest.instant + WEEK):
        age = counted((now - newest.instant).days, "day")
        told = f"Its newest image is {age} old; the next one was due on {due_on:%Y-%m-%d}."
        return JudgedMachine(part, MachineState.LATE, told, proof_due=due)
    return JudgedMachine(part, MachineState.SAFE, "Its newest image is proven.", proof_due=due)


def _due(instant: datetime, view: VaultView) -> datetime:
    """Give when the weekly run after an image starts."""
    made, schedule = instant.astimezone(view.zone), view.rules.machines_schedule
    return next_week(schedule, made) if schedule else made + WEEK
