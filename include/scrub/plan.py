"""Decide which backups a scrub reads, and why, without reading anything."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, Field

from include.models import Model
from include.scrub.backups import Backup, BackupStatus
from include.text import counted, zoned
from include.vault.clock import is_ahead

EVERY = timedelta(weeks=1)
"""The time from one scrub to the next."""
LONGEST_RUN = timedelta(days=1)
"""The longest time that a scrub may take."""

_MOST_FOUND = 3
NOT_DUE = "not due"
"""The name of the batch of all backups that a run doesn't read."""


@dataclass(frozen=True)
class ScrubDecision:
    """What to do about one backup.

    Args:
        status: the backup and its status.
        due: whether this run reads it.
        reason: why, as a sentence.
        waits: whether it is due, but only others were requested.
    """

    status: BackupStatus
    due: bool
    reason: str
    waits: bool = False


class NotRead(Model):
    """The backups that a run doesn't read; names, kinds and sizes of the undamaged ones are as published.

    Args:
        backups: how many they are.
        oldest: when the one was verified whose last verification is the oldest; None if none is intact.
        damaged: how many of them are known to be damaged.
        replaced: how many of those have a newer, intact version.
        due: how many of them are due, and wait for the next scrub, as only others were requested.
    """

    backups: int
    oldest: AwareDatetime | None
    damaged: int = 0
    replaced: int = 0
    due: int = 0


class ScrubBatch(Model):
    """Backups that one task reads and reports together.

    Args:
        name: ``SUPIM 2026``, ``VM maq1``, or ``not due``.
        backups: their names, in the order of reading; empty for the batch ``not due``.
        bytes: their size, according to their records.
        replaced: the newer, intact version of each of them whose damage was reported before.
        found: what the quick check found, a sentence for each backup; only the first few.
        not_read: the batch ``not due``; None for the others.
        needs_action: what a person must change, as sentences; only set in the first batch.
    """

    name: str
    backups: tuple[str, ...] = ()
    bytes: int = 0
    replaced: dict[str, str] = Field(default_factory=dict)
    found: tuple[str, ...] = ()
    not_read: NotRead | None = None
    needs_action: str = ""


def decide(
    statuses: Iterable[BackupStatus],
    now: datetime,
    max_age: timedelta,
    requested: Container[Backup] | None = None,
) -> list[ScrubDecision]:
    """Decide about each backup; return the decisions by age of verification, oldest first, then by name.

    Args:
        statuses: of all backups.
        now: the time of the run, in the zone of times in reasons.
        max_age: how old a verification may become.
        requested: the backups that a person wants read now; None: those that are due.
    """
    ordered = sorted(statuses, key=lambda status: (_trusted(status.verified, now), status.backup.name))
    decided = [_decide(status, now, max_age) for status in ordered]
    return decided if requested is None else [_requested(decision, requested) for decision in decided]


def batches(decided: Sequence[ScrubDecision], needs_action: str = "") -> list[ScrubBatch]:
    """Group due backups into batches, the one with the oldest verification first; add a batch for all others.

    Args:
        decided: the decisions about all backups.
        needs_action: what a person must change, as sentences.
    """
    due = [decision.status for decision in decided if decision.due]
    groups: dict[str, list[BackupStatus]] = {}
    for status in due:
        groups.setdefault(status.backup.group, []).append(status)
    read = [_batch(name, group) for name, group in groups.items()]
    rest = [decision for decision in decided if not decision.due]
    all_batches = read + ([ScrubBatch(name=NOT_DUE, not_read=_not_read(rest))] if rest else [])
    first = [batch.model_copy(update={"needs_action": needs_action}) for batch in all_batches[:1]]
    return first + all_batches[1:]


_NEVER = datetime.min.replace(tzinfo=UTC)


def _trusted(verified: datetime | None, now: datetime) -> datetime:
    return verified if verified and not is_ahead(verified, now) else _NEVER


def _requested(decision: ScrubDecision, requested: Container[Backup]) -> ScrubDecision:
    """Return the decision about a backup of a run that a person asked to read some backups."""
    if decision.status.backup in requested:
        return replace(decision, due=True, waits=False, reason="It was requested.")
    if decision.status.unreported or decision.status.unchecked:
        return decision  # what the quick check finds is always read, and so reported
    reason = f"Other backups were requested. {decision.reason}"
    return replace(decision, due=False, waits=decision.due, reason=reason)


def _decide(status: BackupStatus, now: datetime, max_age: timedelta) -> ScrubDecision:
    verified, days = status.verified, counted(max_age.days, "day")
    if status.unchecked:
        return ScrubDecision(status, due=True, reason=f"Its names and sizes aren't known. {status.unchecked}")
    if status.replaced_by and not status.unreported:
        reason = f"It is damaged, but {status.replaced_by} is newer and intact, so it isn't read again."
        return ScrubDecision(status, due=False, reason=reason)
    if status.replaced_by:
        reason = f"It is damaged, which no scrub has reported yet. {status.damage}"
        return ScrubDecision(status, due=True, reason=reason)
    if status.damage or not verified:
        reason = f"It is damaged, and no newer version is intact. {status.damage}"
        return ScrubDecision(status, due=True, reason=reason)
    when = zoned(verified.astimezone(now.tzinfo))
    if is_ahead(verified, now):
        reason = f"Its last verification, {when}, is in the future. Check the clocks."
        return ScrubDecision(status, due=True, reason=reason)
    due = verified + max_age < now + EVERY + LONGEST_RUN
    ends = "before the next scrub ends" if due else "only after the next scrub"
    reason = f"Its last verification, {when}, will be older than {days} {ends}."
    return ScrubDecision(status, due=due, reason=reason)


def _batch(name: str, group: Sequence[BackupStatus]) -> ScrubBatch:
    names = tuple(status.backup.name for status in group)
    found = [f"{one.backup.name}: {one.damage}" for one in group if one.damage and one.unreported]
    return ScrubBatch(
        name=name,
        backups=names,
        bytes=sum(status.bytes for status in group),
        replaced={
            one.backup.name: one.replaced_by for one in group if one.replaced_by and not one.unreported
        },
        found=tuple(found[:_MOST_FOUND]),
    )


def _not_read(rest: Sequence[ScrubDecision]) -> NotRead:
    verified = [one.status.verified for one in rest if one.status.verified and not one.status.damage]
    return NotRead(
        backups=len(rest),
        oldest=min(verified, default=None),
        damaged=sum(one.status.damage is not None for one in rest),
        replaced=sum(one.status.replaced_by is not None for one in rest),
        due=sum(one.waits for one in rest),
    )
