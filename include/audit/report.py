"""What an audit tells: of each batch, and first of each backup that is damaged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from include.audit.due import REST, Batch
from include.audit.reading import Reading
from include.facts import Facts
from include.listing import named
from include.ordinal_day import OrdinalDay
from include.record import Record
from include.report import Item, Outcome, State
from include.wording import counted

_MOST_WARNINGS = 3
_MACHINE = "What is there of it stays until a newer one is whole. Have the machine imaged: trigger vm_weekly."
_DAY = "It wasn't come to be fetched again. See the run; then clear what failed."


class Audited(Facts):
    """What came of one batch.

    Args:
        name: the batch's.
        due: how many of its backups were to be read.
        passed: how many are whole.
        files: how many files were read of these.
        bytes: what these hold; of a dry run, what would be read.
        seconds: what reading them took.
        bad: those that are damaged, or couldn't be read.
        warnings: what should be mended, a few of many.
        rest: of what isn't due: why, as a sentence.
        dry_run: whether nothing was read.
    """

    name: str
    due: int = 0
    passed: int = 0
    files: int = 0
    bytes: int = 0
    seconds: float = 0
    bad: tuple[Reading, ...] = ()
    warnings: tuple[str, ...] = ()
    rest: str = ""
    dry_run: bool = False

    @classmethod
    def of(cls, batch: Batch, readings: Sequence[Reading]) -> Self:
        """Add up what was read."""
        passed = [one for one in readings if one.result == "passed"]
        warnings = [warning for one in readings for warning in one.warnings]
        more = len(warnings) - _MOST_WARNINGS
        return cls(
            name=batch.name,
            due=len(batch.backups),
            passed=len(passed),
            files=sum(one.files for one in passed),
            bytes=sum(one.bytes for one in passed),
            seconds=round(sum(one.seconds for one in readings), 3),
            bad=tuple(one for one in readings if one.result != "passed"),
            warnings=(*warnings[:_MOST_WARNINGS], *([f"And {more} more like these."] if more > 0 else [])),
            rest=batch.reason,
        )

    @classmethod
    def rehearsed(cls, batch: Batch) -> Self:
        """Say what would be read."""
        return cls(
            name=batch.name, due=len(batch.backups), bytes=batch.bytes, rest=batch.reason, dry_run=True
        )

    @property
    def damaged(self) -> list[Reading]:
        """Those that aren't as they were published."""
        return [one for one in self.bad if one.result == "failed"]


class Again(Facts):
    """What became of a damaged day that was to be fetched again.

    Args:
        record: of the revision that is whole now; None where there is none.
        why: why there is none, as sentences.
    """

    record: Record | None = None
    why: str = _DAY


NOT_TRIED = Again()


def items(
    audited: Sequence[Audited], again: Mapping[OrdinalDay, Again], otherwise: Again = NOT_TRIED
) -> list[Item]:
    """Tell of all batches, damaged backups first.

    Args:
        audited: what came of each batch.
        again: of the damaged days, what became of fetching them.
        otherwise: what became of those that it doesn't tell of.
    """
    bad = [
        _of_bad(one, again.get(one.day, otherwise) if one.day else None)
        for batch in audited
        for one in batch.bad
    ]
    return [*bad, *(item for batch in audited for item in _of_batch(batch))]


def needs_person(audited: Sequence[Audited], planned: Sequence[Batch] = ()) -> list[str]:
    """Say what only a person can find out, or change."""
    damaged = [one.name for batch in audited for one in batch.damaged]
    told = f"What the vault gives back of {named(damaged)} isn't what was published."
    why = "A disk that decays, or a slip of a hand: find out which (dmesg, smartctl) before more is lost."
    found = [f"{told} {why}"] if damaged else []
    return found + [batch.needs_person for batch in planned if batch.needs_person]


def _of_batch(batch: Audited) -> Iterator[Item]:
    if batch.name == REST and not batch.due:
        yield _item(batch.name, Outcome.ALREADY_SAFE, batch.rest)
    elif batch.dry_run:
        due = f"{counted(batch.due, 'backup')} of it would be read."
        yield _item(batch.name, Outcome.WOULD_READ, due, size_bytes=batch.bytes)
    elif batch.passed:
        yield _item(
            batch.name,
            Outcome.PROVEN_AGAIN,
            f"{counted(batch.passed, 'backup')} read from the disk, every byte, as published.",
            files=batch.files,
            size_bytes=batch.bytes,
            seconds=batch.seconds,
            warnings=batch.warnings,
        )
    elif not batch.bad:
        yield _item(batch.name, Outcome.EXCLUDED, "What was due of it was removed meanwhile.")


def _of_bad(one: Reading, fetched: Again | None) -> Item:
    if one.result == "not checked":
        return _item(one.name, Outcome.NOT_CHECKED, one.how)
    if not fetched or not fetched.record:
        return _item(one.name, Outcome.DAMAGED, f"{one.how} {fetched.why if fetched else _MACHINE}")
    newer = fetched.record
    return _item(
        one.name,
        Outcome.FETCHED_AGAIN,
        f"It is damaged: {one.how} It was fetched again from the source, as revision {newer.revision}.",
        revision=newer.revision,
        files=newer.files,
        size_bytes=newer.bytes,
        seconds=newer.copy_seconds,
        proof=newer.proofs[-1].how,
    )


def _item(name: str, outcome: Outcome, reason: str, **facts: object) -> Item:
    state = State.PASSED if outcome.proven else _STATES.get(outcome, State.NOT_CHECKED)
    said = {"name": name, "own": True, "state": state, "outcome": outcome, "reason": reason}
    return Item.model_validate({**said, **facts})


_STATES = {Outcome.DAMAGED: State.FAILED}
