"""Turn the results of a scrub into report items: one for each damaged backup, then one for each batch."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Self

from pydantic import Field

from include.days.record import DayRecord, RevisionCause
from include.models import Model
from include.names import named
from include.ordinal_day import OrdinalDay
from include.results.item import Item
from include.results.states import Outcome, State
from include.scrub.plan import NotRead, ScrubBatch
from include.scrub.scrubber import ScrubResult
from include.text import counted, zoned

_MOST_WARNINGS = 3
_VM = "It is kept until a newer generation is intact. Trigger vm_weekly to back up the VM."
_INTACT = "{} is newer and intact."
_DAY = "It wasn't fetched again. See the run, and clear the failed task."


class ScrubbedBatch(Model):
    """The results of one batch.

    Args:
        name: the batch's name.
        due: the number of backups to read.
        passed: the number of intact backups.
        files: the number of files in intact backups.
        bytes: their size; in a dry run, the size of what would be read.
        seconds: the duration.
        bad: the results of backups that are damaged or couldn't be read.
        replaced: the newer, intact version of each of those whose damage was reported before.
        warnings: what should be fixed, as sentences; only the first few.
        found: in a dry run, what the quick check found, as sentences; only the first few.
        not_read: the backups of the batch ``not due``.
        dry_run: whether nothing was read.
    """

    name: str
    due: int = 0
    passed: int = 0
    files: int = 0
    bytes: int = 0
    seconds: float = 0
    bad: tuple[ScrubResult, ...] = ()
    replaced: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    not_read: NotRead | None = None
    dry_run: bool = False

    @classmethod
    def of(cls, batch: ScrubBatch, results: Sequence[ScrubResult]) -> Self:
        """Sum up the results of a batch."""
        passed = [result for result in results if result.result == "passed"]
        warnings = [warning for result in results for warning in result.warnings]
        more = len(warnings) - _MOST_WARNINGS
        failed = {result.name for result in results if result.result == "failed"}
        replaced = {name: newer for name, newer in batch.replaced.items() if name in failed}
        return cls(
            name=batch.name,
            due=len(batch.backups),
            passed=len(passed),
            files=sum(result.files for result in passed),
            bytes=sum(result.bytes for result in passed),
            seconds=round(sum(result.seconds for result in results), 3),
            bad=tuple(result for result in results if result.result != "passed"),
            replaced={name: newer for name, newer in replaced.items() if newer not in failed},
            warnings=(*warnings[:_MOST_WARNINGS], *([f"{more} more warnings."] if more > 0 else [])),
            not_read=batch.not_read,
        )

    @classmethod
    def dry_run_only(cls, batch: ScrubBatch) -> Self:
        """Return what a dry run reports of a batch."""
        return cls(
            name=batch.name,
            due=len(batch.backups),
            bytes=batch.bytes,
            found=batch.found,
            not_read=batch.not_read,
            dry_run=True,
        )

    @property
    def damaged(self) -> list[ScrubResult]:
        """The results of damaged backups, without those that were known to be and are replaced."""
        bad = (result for result in self.bad if result.result == "failed")
        return [result for result in bad if result.name not in self.replaced]


class Refetched(Model):
    """What became of a damaged day that should be fetched again from its source.

    Args:
        record: the record of the new, intact revision; None if there is none.
        reason: why there is none, as sentences.
    """

    record: DayRecord | None = None
    reason: str = _DAY


NOT_TRIED = Refetched()


def items(
    scrubbed: Sequence[ScrubbedBatch],
    again: Mapping[OrdinalDay, Refetched],
    otherwise: Refetched = NOT_TRIED,
    zone: tzinfo = UTC,
    newer: Mapping[str, str] = MappingProxyType({}),
) -> list[Item]:
    """Return the report items of all batches, damaged backups first.

    Args:
        scrubbed: the results of each batch.
        again: what became of fetching each damaged day again.
        otherwise: what became of the damaged days that ``again`` lacks.
        zone: the time zone of times in sentences.
        newer: the newer, intact version of each damaged backup that has one, by its name.
    """
    bad = [
        _replaced(result, batch.replaced[result.name])
        if result.name in batch.replaced
        else _of_bad(result, _refetched(result, again, otherwise, newer))
        for batch in scrubbed
        for result in batch.bad
    ]
    return [*bad, *(item for batch in scrubbed for item in _of_batch(batch, zone))]


def needs_action(scrubbed: Sequence[ScrubbedBatch], planned: Sequence[ScrubBatch] = ()) -> list[str]:
    """Return what needs a person, as sentences."""
    damaged = [result.name for batch in scrubbed for result in batch.damaged]
    by_size = [sentence for batch in scrubbed for sentence in batch.found]
    cause = "Find out whether a disk is failing (dmesg, smartctl) or files were changed by hand."
    match = "no longer match their checksums" if len(damaged) > 1 else "no longer matches its checksums"
    found = [f"{named(damaged)} {match}. {cause}"] if damaged else []
    return found + by_size + [batch.needs_action for batch in planned if batch.needs_action]


def _of_batch(batch: ScrubbedBatch, zone: tzinfo) -> Iterator[Item]:
    if batch.not_read:
        rest = batch.not_read
        reason = " ".join(_reasons_not_read(rest, zone))
        yield _item(batch.name, Outcome.NOT_READ, reason, backups=rest.backups, verified=rest.oldest)
    elif batch.dry_run:
        due = f"{counted(batch.due, 'backup')} would be read."
        yield _item(batch.name, Outcome.WOULD_READ, due, size_bytes=batch.bytes, backups=batch.due)
    elif batch.passed:
        yield _item(
            batch.name,
            Outcome.VERIFIED_AGAIN,
            f"Every byte of {counted(batch.passed, 'backup')} read from the disk and verified.",
            backups=batch.passed,
            files=batch.files,
            size_bytes=batch.bytes,
            seconds=batch.seconds,
            warnings=batch.warnings,
        )
    elif not batch.bad:
        yield _item(batch.name, Outcome.EXCLUDED, "The backups that were due have been removed.")


def _reasons_not_read(rest: NotRead, zone: tzinfo) -> Iterator[str]:
    """Yield why backups weren't read, as sentences."""
    backups = counted(rest.backups - rest.damaged, "backup")
    yield f"Names, kinds and sizes of all files of {backups} are as published; none was read."
    if rest.oldest:
        yield f"The oldest verification is of {zoned(rest.oldest.astimezone(zone))}."
    if rest.due:
        yield f"{rest.due:,} of them are due, but others were requested; the next scrub reads them."
    if others := rest.damaged - rest.replaced:
        yield f"{counted(others, 'damaged backup')} not read: others were requested."
    if rest.replaced:
        yield f"{counted(rest.replaced, 'damaged backup')} not read: a newer version is intact."


def _replaced(result: ScrubResult, newer: str) -> Item:
    return _item(
        result.name, Outcome.REPLACED, f"It is damaged, as was known: {result.how} {_INTACT.format(newer)}"
    )


def _refetched(
    result: ScrubResult,
    again: Mapping[OrdinalDay, Refetched],
    otherwise: Refetched,
    newer: Mapping[str, str],
) -> Refetched:
    """Return what became of a damaged backup: fetched again or not, or a newer version is intact anyway."""
    tried = again.get(result.day) if result.day else None
    if not tried and result.name in newer:
        return Refetched(reason=_INTACT.format(newer[result.name]))
    return tried or (otherwise if result.day else Refetched(reason=_VM))


def _of_bad(result: ScrubResult, fetched: Refetched) -> Item:
    if result.result == "not checked":
        return _item(result.name, Outcome.NOT_CHECKED, result.how)
    if not fetched.record:
        return _item(result.name, Outcome.DAMAGED, f"{result.how} {fetched.reason}")
    newer = fetched.record
    return _item(
        result.name,
        Outcome.FETCHED_AGAIN,
        f"It was damaged: {result.how} {_fetched(newer)}",
        revision=newer.revision,
        revision_cause=newer.cause,
        files=newer.files,
        size_bytes=newer.bytes,
        seconds=newer.copy_seconds,
        verification=newer.verifications[-1].how,
    )


def _fetched(newer: DayRecord) -> str:
    changed = " Its data had changed there." if newer.cause is RevisionCause.DAMAGED_AND_CHANGED else ""
    return f"It was fetched again from the source, as revision {newer.revision}.{changed}"


def _item(name: str, outcome: Outcome, reason: str, **fields: object) -> Item:
    state = State.PASSED if outcome.verified else _STATES.get(outcome, State.NOT_CHECKED)
    required = {"name": name, "own": True, "state": state, "outcome": outcome, "reason": reason}
    return Item.model_validate({**required, **fields})


_STATES = {Outcome.DAMAGED: State.FAILED}
