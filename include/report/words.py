"""What is said by a run's kind: how items are counted, and the headline of its days, machines or backups."""

from collections import Counter
from collections.abc import Iterable, Sequence

from include.report.model import Item, Report
from include.report.states import Kind, Outcome
from include.wording import counted

# What is wrong comes first, then what was done, then what needed nothing.
_COUNTED = {
    Outcome.NOT_BACK: "not back",
    Outcome.DAMAGED: "damaged",
    Outcome.NOT_RESTORED: "not restored",
    Outcome.NOT_BOOTED: "did not boot",
    Outcome.NOT_ASKED: "host not asked",
    Outcome.FAILED: "failed",
    Outcome.MISSING: "missing",
    Outcome.UNREADABLE: "unreadable",
    Outcome.INCOMPLETE: "incomplete",
    Outcome.NOT_SETTLED: "not settled",
    Outcome.NOT_STOPPED: "not stopped",
    Outcome.NOT_IMAGED: "not imaged",
    Outcome.NOT_POSSIBLE: "can't be backed up",
    Outcome.NOT_ATTEMPTED: "not attempted",
    Outcome.NOT_CHECKED: "not checked",
    Outcome.COPIED: "copied",
    Outcome.NEW_REVISION: "new revision",
    Outcome.IMAGED: "imaged",
    Outcome.FETCHED_AGAIN: "fetched again",
    Outcome.PROVEN_AGAIN: "proven again",
    Outcome.RESTORED: "restored",
    Outcome.BOOTED: "booted",
    Outcome.WOULD_READ: "would be read",
    Outcome.WOULD_RESTORE: "would be restored",
    Outcome.WOULD_BOOT: "would be booted",
    Outcome.WOULD_COPY: "would be copied",
    Outcome.WOULD_IMAGE: "would be imaged",
    Outcome.ALREADY_SAFE: "already safe",
    Outcome.EXCLUDED: "excluded",
}

_PLURALS = {Outcome.NEW_REVISION: "new revisions", Outcome.NOT_ASKED: "hosts not asked"}

_OWN_DAY = {
    Outcome.COPIED: "was copied and proven",
    Outcome.NEW_REVISION: "changed at the source; the new version was copied and proven beside the old one",
    Outcome.ALREADY_SAFE: "was already safe",
    Outcome.MISSING: "is missing at the source",
    Outcome.INCOMPLETE: "is not complete at the source, so it was not copied",
    Outcome.UNREADABLE: "can't be read at the source, so it was not copied",
    Outcome.NOT_SETTLED: "was still changing at the source, so no copy of it was published",
    Outcome.FAILED: "was not backed up",
    Outcome.WOULD_COPY: "would be copied",
    Outcome.NOT_CHECKED: "was not checked",
}

_DRY = {
    Kind.DAYS: "This was a dry run: nothing was copied and nothing was changed.",
    Kind.MACHINES: "This was a dry run: no machine was stopped and nothing was changed.",
    Kind.AUDIT: "This was a dry run: nothing was read and nothing was changed.",
    Kind.RESTORE: "This was a dry run: nothing was restored and nothing was changed.",
    Kind.DRILL: "This was a dry run: nothing was booted and nothing was changed.",
}

_NOUNS = {
    Kind.DAYS: "day",
    Kind.MACHINES: "machine",
    Kind.AUDIT: "backup",
    Kind.RESTORE: "backup",
    Kind.DRILL: "machine",
}

_DONE = {
    Outcome.IMAGED: "imaged and proven",
    Outcome.PROVEN_AGAIN: "read and proven again",
    Outcome.RESTORED: "restored and proven",
    Outcome.BOOTED: "booted from the vault",
}


def noun(report: Report) -> str:
    """Give what the run's items are called: ``day``, ``machine`` or ``backup``."""
    return _NOUNS[report.kind]


def headline(report: Report) -> list[str]:
    """Say what happened, in sentences: the worst or the run's own first, then the rest."""
    dry = [_DRY[report.kind]] if report.dry_run else []
    told = {Kind.DAYS: _of_days, Kind.MACHINES: _of_machines}.get(report.kind, _of_backups)
    return [*dry, *told(report)]


def counts(items: Iterable[Item]) -> list[str]:
    """Count items by what became of them: ``["1 missing", "2 already safe"]``."""
    numbers = Counter(item.outcome for item in items)
    return [_count(outcome, numbers[outcome]) for outcome in _COUNTED if numbers[outcome]]


def _count(outcome: Outcome, number: int) -> str:
    words = _COUNTED[outcome] if number == 1 else _PLURALS.get(outcome, _COUNTED[outcome])
    return f"{number} {words}"


def _of_days(report: Report) -> list[str]:
    """Say what became of the run's own day, then of the others."""
    own = [f"Day {item.name} {_OWN_DAY[item.outcome]}." for item in report.items if item.own]
    others = counts([item for item in report.items if not item.own])
    return [
        *(own or [f"Day {report.day} was not checked: nothing is known about it."]),
        *([f"Other days: {', '.join(others)}."] if others else []),
    ]


def _of_machines(report: Report) -> list[str]:
    """Say what became of the machines that the run was to secure; those that are down come first."""
    hosts = [item.name for item in report.items if item.outcome is Outcome.NOT_ASKED]
    own = [item for item in report.items if item.own and item.outcome is not Outcome.NOT_ASKED]
    return [
        *([f"{alarm(report)}. Look now: nothing else is as urgent."] if alarm(report) else []),
        *([f"{_joined(hosts)} could not be asked for machines."] if hosts else []),
        *([f"Other hosts: {', '.join(counts(own))}."] if own and hosts else []),
        *(_all(own, "machine") if not hosts else []),
    ]


def _of_backups(report: Report) -> list[str]:
    """Say what became of what was audited, restored or booted."""
    return _all([item for item in report.items if item.own], noun(report))


def alarm(report: Report) -> str:
    """Name the machines that are down: ``maq2 did not come back``; empty when none is."""
    down = [item.name for item in report.items if item.outcome is Outcome.NOT_BACK]
    return f"{_joined(down)} did not come back" if down else ""


def _all(own: Sequence[Item], what: str) -> list[str]:
    outcomes = {item.outcome for item in own}
    if not own:
        return [f"No {what} was looked at: nothing is known about them."]
    if len(outcomes) > 1 or not (done := _DONE.get(next(iter(outcomes)))):
        return [f"Of {counted(len(own), what)}: {', '.join(counts(own))}."]
    one = len(own) == 1
    return [f"{own[0].name if one else f'All {len(own)} {what}s'} {'was' if one else 'were'} {done}."]


def _joined(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
