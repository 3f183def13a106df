"""Which backups an audit reads: a pure function that gives reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.audit.backups import Standing
from include.facts import Facts
from include.wording import counted

EVERY = timedelta(weeks=1)
"""From one audit to the next."""
LONGEST_RUN = timedelta(days=1)
"""What an audit may take until the proofs that it gives are there."""

REST = "not due"
"""What stands for all that isn't read in a run."""


@dataclass(frozen=True)
class Decided:
    """What was decided about one backup.

    Args:
        standing: which, and how it stands with it.
        due: whether it's read in this run.
        reason: why, as a sentence.
    """

    standing: Standing
    due: bool
    reason: str


class Batch(Facts):
    """Backups that are read one after the other, and told together.

    Args:
        name: as people call them: ``SUPIM 2026``, a machine's name, or ``not due``.
        backups: their names, in the order in which they are read; none of what isn't due.
        bytes: what they hold, as their records say.
        reason: what isn't due, as a sentence; empty for what is read.
        needs_person: what a person must change; said once, with the first batch.
    """

    name: str
    backups: tuple[str, ...] = ()
    bytes: int = 0
    reason: str = ""
    needs_person: str = ""


def decide(standings: Iterable[Standing], now: datetime, proof_age: timedelta) -> list[Decided]:
    """Decide about each backup; the one with the oldest proof comes first, of equals by name.

    Args:
        standings: all there are.
        now: the time of the run.
        proof_age: how old a proof may grow.
    """
    ordered = sorted(standings, key=lambda one: (one.proven or _NEVER, one.backup.name))
    return [_decided(one, now, proof_age) for one in ordered]


def batches(decided: Sequence[Decided], needs_person: str = "") -> list[Batch]:
    """Put what is due into batches, that with the oldest proof first; the rest is one that isn't read.

    Args:
        decided: about all backups.
        needs_person: what a person must change, as sentences.
    """
    due = [one.standing for one in decided if one.due]
    groups: dict[str, list[Standing]] = {}
    for standing in due:
        groups.setdefault(standing.backup.group, []).append(standing)
    read = [_batch(name, group) for name, group in groups.items()]
    rest = [one for one in decided if not one.due]
    every = read + ([Batch(name=REST, reason=_of_rest(rest))] if rest else [])
    return [one.model_copy(update={"needs_person": needs_person}) for one in every[:1]] + every[1:]


_NEVER = datetime.min.replace(tzinfo=UTC)


def _decided(standing: Standing, now: datetime, proof_age: timedelta) -> Decided:
    proven, days = standing.proven, counted(proof_age.days, "day")
    if standing.replaced_by and not standing.untold:
        why = f"It is damaged, and {standing.replaced_by} is newer and whole: it isn't read any more."
        return Decided(standing, due=False, reason=why)
    if standing.replaced_by:
        why = f"It is damaged, and nobody has been told so. {standing.damage}"
        return Decided(standing, due=True, reason=why)
    if standing.damage or not proven:
        why = f"It is damaged, and no newer version is whole. {standing.damage}"
        return Decided(standing, due=True, reason=why)
    if proven > now:
        why = f"Its last proof is of a time to come, {proven:%Y-%m-%d %H:%M} UTC: clocks differ."
        return Decided(standing, due=True, reason=why)
    due = proven + proof_age < now + EVERY + LONGEST_RUN
    told = "before the next audit is done" if due else "only after the next audit"
    why = f"Its last proof, of {proven:%Y-%m-%d %H:%M} UTC, is older than {days} {told}."
    return Decided(standing, due=due, reason=why)


def _batch(name: str, group: Sequence[Standing]) -> Batch:
    names = tuple(one.backup.name for one in group)
    return Batch(name=name, backups=names, bytes=sum(one.bytes for one in group))


def _of_rest(rest: Sequence[Decided]) -> str:
    proven = [one.standing.proven for one in rest if one.standing.proven and not one.standing.damage]
    replaced = len([one for one in rest if one.standing.damage])
    told = []
    if proven:
        oldest = f"the oldest proof is of {min(proven):%Y-%m-%d %H:%M} UTC"
        told.append(f"{counted(len(proven), 'backup')} proven within the time set: {oldest}.")
    if replaced:
        told.append(f"{counted(replaced, 'damaged backup')} not read: a newer version is whole.")
    return " ".join(told)
