"""Decide which backups a scrub reads, and why, without reading anything."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.models import Model
from include.scrub.backups import BackupStatus
from include.text import counted

EVERY = timedelta(weeks=1)
"""The time from one scrub to the next."""
LONGEST_RUN = timedelta(days=1)
"""The longest time that a scrub may take."""

NOT_DUE = "not due"
"""The name of the batch of all backups that a run doesn't read."""


@dataclass(frozen=True)
class ScrubDecision:
    """What to do about one backup.

    Args:
        status: the backup and its status.
        due: whether this run reads it.
        reason: why, as a sentence.
    """

    status: BackupStatus
    due: bool
    reason: str


class ScrubBatch(Model):
    """Backups that one task reads and reports together.

    Args:
        name: ``SUPIM 2026``, ``VM maq1``, or ``not due``.
        backups: their names, in the order of reading; empty for the batch ``not due``.
        bytes: their size, according to their records.
        reason: why the batch ``not due`` isn't read, as sentences; empty for the others.
        needs_action: what a person must change, as sentences; only set in the first batch.
    """

    name: str
    backups: tuple[str, ...] = ()
    bytes: int = 0
    reason: str = ""
    needs_action: str = ""


def decide(statuses: Iterable[BackupStatus], now: datetime, max_age: timedelta) -> list[ScrubDecision]:
    """Decide about each backup; return the decisions by age of verification, oldest first, then by name.

    Args:
        statuses: of all backups.
        now: the time of the run.
        max_age: how old a verification may become.
    """
    ordered = sorted(statuses, key=lambda status: (_trusted(status.verified, now), status.backup.name))
    return [_decide(status, now, max_age) for status in ordered]


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
    all_batches = read + ([ScrubBatch(name=NOT_DUE, reason=_reason_not_due(rest))] if rest else [])
    first = [batch.model_copy(update={"needs_action": needs_action}) for batch in all_batches[:1]]
    return first + all_batches[1:]


_NEVER = datetime.min.replace(tzinfo=UTC)


def _trusted(verified: datetime | None, now: datetime) -> datetime:
    return verified if verified and verified <= now else _NEVER


def _decide(status: BackupStatus, now: datetime, max_age: timedelta) -> ScrubDecision:
    verified, days = status.verified, counted(max_age.days, "day")
    if status.replaced_by and not status.unreported:
        reason = f"It is damaged, but {status.replaced_by} is newer and intact, so it isn't read again."
        return ScrubDecision(status, due=False, reason=reason)
    if status.replaced_by:
        reason = f"It is damaged, which no scrub has reported yet. {status.damage}"
        return ScrubDecision(status, due=True, reason=reason)
    if status.damage or not verified:
        reason = f"It is damaged, and no newer version is intact. {status.damage}"
        return ScrubDecision(status, due=True, reason=reason)
    if verified > now:
        reason = f"Its last verification, {verified:%Y-%m-%d %H:%M} UTC, is in the future. Check the clocks."
        return ScrubDecision(status, due=True, reason=reason)
    due = verified + max_age < now + EVERY + LONGEST_RUN
    when = "before the next scrub ends" if due else "only after the next scrub"
    reason = f"Its last verification, {verified:%Y-%m-%d %H:%M} UTC, will be older than {days} {when}."
    return ScrubDecision(status, due=due, reason=reason)


def _batch(name: str, group: Sequence[BackupStatus]) -> ScrubBatch:
    names = tuple(status.backup.name for status in group)
    return ScrubBatch(name=name, backups=names, bytes=sum(status.bytes for status in group))


def _reason_not_due(rest: Sequence[ScrubDecision]) -> str:
    intact = [decision.status for decision in rest if not decision.status.damage]
    verified = [status.verified for status in intact if status.verified]
    replaced = len(rest) - len(intact)
    sentences = []
    if verified:
        oldest = f"the oldest verification is of {min(verified):%Y-%m-%d %H:%M} UTC"
        sentences.append(f"{counted(len(verified), 'backup')} verified within the time set; {oldest}.")
    if replaced:
        sentences.append(f"{counted(replaced, 'damaged backup')} not read: a newer version is intact.")
    return " ".join(sentences)
