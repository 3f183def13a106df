"""What a report comes to: its state, its label, its headline, and the subject of its mail."""

from collections import Counter
from collections.abc import Iterable

from include.report.model import Coverage, Item, Outcome, Report, State
from include.wording import counted, duration, size, visible

MADE_BY = "INPE backup"

# What is wrong comes first, then what was done, then what needed nothing.
_COUNTED = {
    Outcome.FAILED: "failed",
    Outcome.MISSING: "missing",
    Outcome.UNREADABLE: "unreadable",
    Outcome.INCOMPLETE: "incomplete",
    Outcome.NOT_SETTLED: "not settled",
    Outcome.NOT_CHECKED: "not checked",
    Outcome.COPIED: "copied",
    Outcome.NEW_REVISION: "new revision",
    Outcome.WOULD_COPY: "would be copied",
    Outcome.ALREADY_SAFE: "already safe",
}

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

_URGENCY = (State.FAILED, State.NOT_CHECKED, State.PASSED)


def overall(report: Report) -> State:
    """Give the state of the whole run: as bad as its worst item, and not checked without its own day.

    In a dry run an item that would be copied is not checked, and so is the run; see ``rehearsed``.
    """
    states = {item.state for item in report.items}
    if State.FAILED in states:
        return State.FAILED
    own_seen = any(item.own for item in report.items)
    return State.PASSED if own_seen and states == {State.PASSED} else State.NOT_CHECKED


def label(report: Report) -> str:
    """Give the verdict in the subject's words: ``OK``, ``OK, 1 warning``, ``FAILED``, ``DRY RUN``."""
    verdict = _verdict(report)
    # A failed run is opened anyway; the others are only opened for what stands here.
    return verdict if overall(report) is State.FAILED else ", ".join([verdict, *_alerts(report)])


def _verdict(report: Report) -> str:
    if rehearsed(report):
        return "DRY RUN"
    words = {State.PASSED: "OK", State.FAILED: "FAILED", State.NOT_CHECKED: "NOT CHECKED"}
    return f"{'DRY RUN ' if report.dry_run else ''}{words[overall(report)]}"


def rehearsed(report: Report) -> bool:
    """Say whether this was a dry run that found nothing in the way of a real one."""
    clear = all(item.state is State.PASSED or item.outcome is Outcome.WOULD_COPY for item in report.items)
    return report.dry_run and clear and any(item.own for item in report.items)


def _alerts(report: Report) -> list[str]:
    warnings = sum(len(item.warnings) for item in report.items)
    person = ["needs a person"] if report.needs_person else []
    return person + ([counted(warnings, "warning")] if warnings else [])


def subject(report: Report, *, prefix: str = MADE_BY) -> str:
    """Give the mail's subject, which alone tells whether to open it. Always one printable line."""
    verdict = f"[{visible(prefix)}] {report.title} {report.day} {label(report)}"
    moved = moved_bytes(report)
    return " · ".join([verdict, *_counts(report.items), *([size(moved)] if moved else [])])


def headline(report: Report) -> str:
    """Say in a sentence or two what happened: to the run's own day first, then to the others."""
    own = [f"Day {item.name} {_OWN_DAY[item.outcome]}." for item in report.items if item.own]
    others = _counts([item for item in report.items if not item.own])
    return " ".join(
        [
            *(["This was a dry run: nothing was copied and nothing was changed."] if report.dry_run else []),
            *(own or [f"Day {report.day} was not checked: nothing is known about it."]),
            *([f"Other days: {', '.join(others)}."] if others else []),
        ]
    )


def moved(report: Report) -> str:
    """Say how much was copied, or would be, and how long the run took: ``412 MB copied in 31 s.``."""
    amount, took = moved_bytes(report), duration(report.seconds)
    if not amount:
        return f"The run took {took}."
    return f"{size(amount)} would be copied." if report.dry_run else f"{size(amount)} copied in {took}."


def moved_bytes(report: Report) -> int:
    """Add up what this run copied, or, in a dry run, what it would have copied."""
    return sum(
        item.size_bytes or 0
        for item in report.items
        if item.outcome.wrote or item.outcome is Outcome.WOULD_COPY
    )


def by_urgency(items: Iterable[Item]) -> list[Item]:
    """Put the run's own item first, then what failed, what wasn't checked, and the rest as it came."""
    return sorted(items, key=lambda item: (not item.own, _URGENCY.index(item.state)))


def coverage_sentence(report: Report) -> str:
    """Say how many days of the calendar are in which state: ``Of 37 days: 35 safe, 2 not due.``."""
    if not report.coverage:
        return "The coverage was not checked."
    counts = Counter(covered.state for covered in report.coverage)
    said = ", ".join(f"{counts[state]} {state}" for state in Coverage if counts[state])
    return f"Of {counted(len(report.coverage), 'day')}: {said}."


def _counts(items: Iterable[Item]) -> list[str]:
    counts = Counter(item.outcome for item in items)
    return [_count(outcome, counts[outcome]) for outcome in _COUNTED if counts[outcome]]


def _count(outcome: Outcome, number: int) -> str:
    words = _COUNTED[outcome]
    return counted(number, words) if outcome is Outcome.NEW_REVISION else f"{number} {words}"
