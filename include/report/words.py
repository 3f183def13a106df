"""What is said of items by their kind: how they are counted, and the headline of a run's days or machines."""

from collections import Counter
from collections.abc import Iterable, Sequence

from include.report.model import Item, Outcome, Report
from include.wording import counted

# What is wrong comes first, then what was done, then what needed nothing.
_COUNTED = {
    Outcome.NOT_BACK: "not back",
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

_DRY_DAYS = "This was a dry run: nothing was copied and nothing was changed."
_DRY_MACHINES = "This was a dry run: no machine was stopped and nothing was changed."


def counts(items: Iterable[Item]) -> list[str]:
    """Count items by what became of them: ``["1 missing", "2 already safe"]``."""
    numbers = Counter(item.outcome for item in items)
    return [_count(outcome, numbers[outcome]) for outcome in _COUNTED if numbers[outcome]]


def _count(outcome: Outcome, number: int) -> str:
    words = _COUNTED[outcome] if number == 1 else _PLURALS.get(outcome, _COUNTED[outcome])
    return f"{number} {words}"


def of_days(report: Report) -> list[str]:
    """Say what became of the run's own day, then of the others."""
    own = [f"Day {item.name} {_OWN_DAY[item.outcome]}." for item in report.items if item.own]
    others = counts([item for item in report.items if not item.own])
    return [
        *([_DRY_DAYS] if report.dry_run else []),
        *(own or [f"Day {report.day} was not checked: nothing is known about it."]),
        *([f"Other days: {', '.join(others)}."] if others else []),
    ]


def of_machines(report: Report) -> list[str]:
    """Say what became of the machines that the run was to secure; those that are down come first."""
    hosts = [item.name for item in report.items if item.outcome is Outcome.NOT_ASKED]
    own = [item for item in report.items if item.own and item.outcome is not Outcome.NOT_ASKED]
    return [
        *([_DRY_MACHINES] if report.dry_run else []),
        *([f"{alarm(report)}. Look now: nothing else is as urgent."] if alarm(report) else []),
        *([f"{_joined(hosts)} could not be asked for machines."] if hosts else []),
        *([_machines(own, also=bool(hosts))] if own else []),
        *([] if own or hosts else ["No machine was looked at: nothing is known about them."]),
    ]


def alarm(report: Report) -> str:
    """Name the machines that are down: ``maq2 did not come back``; empty when none is."""
    down = [item.name for item in report.items if item.outcome is Outcome.NOT_BACK]
    return f"{_joined(down)} did not come back" if down else ""


def _machines(own: Sequence[Item], *, also: bool) -> str:
    if also:
        return f"Other hosts: {', '.join(counts(own))}."
    if any(item.outcome is not Outcome.IMAGED for item in own):
        return f"Of {counted(len(own), 'machine')}: {', '.join(counts(own))}."
    who = own[0].name if len(own) == 1 else f"All {len(own)} machines"
    return f"{who} {'was' if len(own) == 1 else 'were'} imaged and proven."


def _joined(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
