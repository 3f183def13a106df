"""The phrases of each kind of run: how items are counted, and the sentences of the headline."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from include.report.model import Report
from include.results.item import Item
from include.results.states import Coverage, Kind, Outcome, State
from include.text import counted

# In the order of the subject: what is wrong, what was done, what needed nothing.
_COUNTED = {
    Outcome.NOT_BACK: "not back",
    Outcome.FROZEN: "frozen",
    Outcome.DAMAGED: "damaged",
    Outcome.NOT_RESTORED: "not restored",
    Outcome.NOT_BOOTED: "did not boot",
    Outcome.NOT_LISTED: "host not listed",
    Outcome.FAILED: "not copied",
    Outcome.MISSING: "missing",
    Outcome.UNREADABLE: "unreadable",
    Outcome.INCOMPLETE: "incomplete",
    Outcome.NOT_SETTLED: "not settled",
    Outcome.NOT_STOPPED: "not stopped",
    Outcome.NOT_IMAGED: "not imaged",
    Outcome.NOT_POSSIBLE: "can't be backed up",
    Outcome.NOT_ATTEMPTED: "not attempted",
    Outcome.TOO_LATE: "too late",
    Outcome.NOT_CHECKED: "not checked",
    Outcome.COPIED: "copied",
    Outcome.NEW_REVISION: "new revision",
    Outcome.IMAGED: "imaged",
    Outcome.FETCHED_AGAIN: "fetched again",
    Outcome.VERIFIED_AGAIN: "verified again",
    Outcome.RESTORED: "restored",
    Outcome.BOOTED: "booted",
    Outcome.WOULD_READ: "would be read",
    Outcome.WOULD_RESTORE: "would be restored",
    Outcome.WOULD_BOOT: "would be booted",
    Outcome.WOULD_COPY: "would be copied",
    Outcome.WOULD_IMAGE: "would be imaged",
    Outcome.ALREADY_SAFE: "already safe",
    Outcome.REPLACED: "damaged and replaced",
    Outcome.NOT_READ: "not read",
    Outcome.EXCLUDED: "excluded",
}

_MOST_NAMES = 10  # in a sentence

_PLURALS = {Outcome.NEW_REVISION: "new revisions", Outcome.NOT_LISTED: "hosts not listed"}

_OWN_DAY = {
    Outcome.COPIED: "was copied and verified",
    Outcome.NEW_REVISION: "changed at the source; the new version was copied and verified as a new revision",
    Outcome.FETCHED_AGAIN: "was damaged or lost in the vault; it was fetched again as a new revision",
    Outcome.ALREADY_SAFE: "was already safe",
    Outcome.MISSING: "is missing at the source",
    Outcome.INCOMPLETE: "is not complete at the source, so it was not copied",
    Outcome.UNREADABLE: "can't be read at the source, so it was not copied",
    Outcome.NOT_SETTLED: "was still changing at the source, so it was not published",
    Outcome.FAILED: "was not backed up",
    Outcome.WOULD_COPY: "would be copied",
    Outcome.NOT_CHECKED: "could not be checked at the source; the vault has it",
}

_IN_VAULT = (Coverage.SAFE, Coverage.REVISED)
_FAILED_AGAIN = "was not backed up again; the vault keeps the version that it has"

_DRY = {
    Kind.DAYS: "This was a dry run: nothing was copied and nothing was changed.",
    Kind.VMS: "This was a dry run: no VM was stopped and nothing was changed.",
    Kind.SCRUB: "This was a dry run: nothing was read and nothing was changed.",
    Kind.RESTORE: "This was a dry run: nothing was restored and nothing was changed.",
    Kind.BOOT_TEST: "This was a dry run: nothing was booted and nothing was changed.",
    Kind.BACKFILL: "This was a dry run: nothing was copied and nothing was changed.",
}

_NOUNS = {
    Kind.DAYS: "day",
    Kind.VMS: "VM",
    Kind.SCRUB: "backup",
    Kind.RESTORE: "backup",
    Kind.BOOT_TEST: "VM",
    Kind.BACKFILL: "day",
}

_NOTHING = {
    Kind.VMS: "No VM was imaged.",
    Kind.SCRUB: "No backup was read.",
    Kind.RESTORE: "Nothing was restored.",
    Kind.BOOT_TEST: "No VM was booted.",
}

_DONE = {
    Outcome.COPIED: "copied and verified",
    Outcome.IMAGED: "imaged and verified",
    Outcome.VERIFIED_AGAIN: "read and verified again",
    Outcome.RESTORED: "restored and verified",
    Outcome.BOOTED: "booted from the vault",
}


def noun(report: Report) -> str:
    """Return what the run's items are called: ``day``, ``VM`` or ``backup``."""
    return _NOUNS[report.kind]


def nothing(report: Report) -> str:
    """Return that a run without items did nothing."""
    return _NOTHING.get(report.kind, "No day was checked.")


def headline(report: Report) -> list[str]:
    """Return what happened, in sentences: the worst or the run's own item first, then the rest."""
    dry = [_DRY[report.kind]] if report.dry_run else []
    sentences = {Kind.DAYS: _of_days, Kind.VMS: _of_vms}.get(report.kind, _of_backups)
    return [*dry, *sentences(report)]


def counts(items: Iterable[Item]) -> list[str]:
    """Return how many items have each outcome: ``["1 missing", "2 already safe"]``."""
    items = list(items)
    numbers = Counter[Outcome]()
    causes: dict[Outcome, set[str | None]] = {}
    for item in items:
        numbers[item.outcome] += item.backups
        causes.setdefault(item.outcome, set()).add(item.cause)
    return [_count(outcome, numbers[outcome], causes[outcome]) for outcome in _COUNTED if numbers[outcome]]


def in_subject(report: Report) -> list[str]:
    """Return what the subject counts: all but items that failed only because the whole run did."""
    if not (rest := nothing_due(report)):
        return counts(item for item in report.items if not _explained(item, report))
    backups = counted(rest.backups, "backup")
    oldest = f", oldest verification {_day_of(rest.verified, report)}" if rest.verified else ""
    return ["nothing due, nothing read", f"{backups}{oldest}"]


def _explained(item: Item, report: Report) -> bool:
    """Return whether an item failed because the whole run did."""
    return bool(report.cause) and not item.cause and item.state is State.FAILED


def nothing_due(report: Report) -> Item | None:
    """Return the item of all backups if a scrub read none of them; else None."""
    only = report.items[0] if len(report.items) == 1 else None
    return only if only and only.outcome is Outcome.NOT_READ else None


def _day_of(when: datetime, report: Report) -> str:
    """Return a date in the report's zone, with its year only if that isn't the run's."""
    local, finished = when.astimezone(report.zone), report.finished.astimezone(report.zone)
    year = "" if local.year == finished.year else f" {local.year}"
    return f"{local.day} {local:%b}{year}"


def _count(outcome: Outcome, number: int, causes: set[str | None]) -> str:
    """Return a count; if all have the same cause, with that: ``2 not copied: cluster unreachable``."""
    phrase = _COUNTED[outcome] if number == 1 else _PLURALS.get(outcome, _COUNTED[outcome])
    common = next(iter(causes)) if len(causes) == 1 else None
    if not common:
        return f"{number} {phrase}"
    return f"{phrase}: {common}" if number == 1 else f"{number} {phrase}: {common}"


def _of_days(report: Report) -> list[str]:
    """Return what became of the run's own day, then of the others."""
    if not report.day:
        return [nothing(report)]
    own = [f"Day {item.name} {_own_day(item, report)}." for item in report.items if item.own]
    others = counts([item for item in report.items if not item.own])
    return [
        *(own or [f"Day {report.day} was not checked; its state is unknown."]),
        *([f"Other days: {', '.join(others)}."] if others else []),
    ]


def _own_day(item: Item, report: Report) -> str:
    """Return what became of the run's own day; that it failed isn't all if the vault has it."""
    safe = {str(covered.day) for covered in report.coverage if covered.state in _IN_VAULT}
    failed_again = item.outcome is Outcome.FAILED and item.name in safe
    return _FAILED_AGAIN if failed_again else _OWN_DAY[item.outcome]


def _of_vms(report: Report) -> list[str]:
    """Return what became of the VMs that the run was to image; those that are down come first."""
    hosts = [item.name for item in report.items if item.outcome is Outcome.NOT_LISTED]
    own = [item for item in report.items if item.own and item.outcome is not Outcome.NOT_LISTED]
    return [
        *([f"{alarm(report)}. Check this now, before anything else."] if alarm(report) else []),
        *_asked_for(report.requested),
        *([f"The VMs of {joined(hosts)} could not be listed."] if hosts else []),
        *([f"On the other hosts: {', '.join(counts(own))}."] if own and hosts else []),
        *(_all(own, report) if not hosts else []),
    ]


def _of_backups(report: Report) -> list[str]:
    """Return what became of the backups that were scrubbed, restored or booted."""
    if nothing_due(report):
        return ["Nothing was due, and nothing was read."]
    return _all([item for item in report.items if item.own], report)


def alarm(report: Report) -> str:
    """Return which VMs are down or frozen: ``maq2 did not come back``; empty if none is."""
    down = [item.name for item in report.items if item.outcome is Outcome.NOT_BACK]
    frozen = [item.name for item in report.items if item.outcome is Outcome.FROZEN]
    return "; ".join(
        [
            *([f"{joined(down)} did not come back"] if down else []),
            *([f"{joined(frozen)} may still be frozen"] if frozen else []),
        ]
    )


def _all(own: Sequence[Item], report: Report) -> list[str]:
    outcomes = {item.outcome for item in own}
    if not own:
        return [nothing(report)]
    number = sum(item.backups for item in own)
    if len(outcomes) > 1 or not (done := _DONE.get(next(iter(outcomes)))):
        return [f"Of {counted(number, noun(report))}: {', '.join(counts(own))}."]
    if number == 1:
        return [f"{own[0].name} was {done}."]
    return [f"All {number:,} {noun(report)}s were {done}."]


def _asked_for(names: Sequence[str]) -> list[str]:
    verb = "was" if len(names) == 1 else "were"
    return [f"Only {joined(names)} {verb} asked for."] if names else []


def joined(names: Sequence[str]) -> str:
    """Return names as a phrase, ``maq1, maq2 and maq3``; of very many, the first and how many more."""
    if (rest := len(names) - _MOST_NAMES) > 0:  # their list is below
        names = [*names[:_MOST_NAMES], f"{rest:,} more"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
