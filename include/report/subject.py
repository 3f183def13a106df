"""What a report concludes: its overall state, label and headline, and its mail's subject."""

from collections import Counter
from collections.abc import Iterable

from include.report import phrases
from include.report.model import Report
from include.results.item import Item
from include.results.states import Coverage, Kind, Outcome, State, WeekState
from include.text import counted, duration, size, visible

MADE_BY = "INPE backup"

_VERBS = {
    Kind.DAYS: "copied",
    Kind.VMS: "imaged",
    Kind.SCRUB: "read",
    Kind.RESTORE: "restored",
    Kind.BOOT_TEST: "booted",
    Kind.BACKFILL: "copied",
}
_REPAIRED = "damage found, repaired"
_URGENCY = (State.FAILED, State.NOT_CHECKED, State.PASSED)


def overall(report: Report) -> State:
    """Return the state of the whole run: that of its worst item, or not checked without an item of its own.

    In a dry run an item that would be copied is not checked, and so is the run; see ``clean_dry_run``. Items
    that are left out don't count.
    """
    states = {item.state for item in report.items if item.outcome is not Outcome.EXCLUDED}
    if State.FAILED in states or report.cause:
        return State.FAILED
    has_own = any(item.own for item in report.items)
    return State.PASSED if has_own and states == {State.PASSED} else State.NOT_CHECKED


def is_good(report: Report) -> bool:
    """Return whether the run succeeded: everything is safe, or a dry run found no obstacle."""
    return overall(report) is State.PASSED or clean_dry_run(report)


def label(report: Report) -> str:
    """Return the result as the subject shows it: ``OK``, ``OK, 1 warning``, ``FAILED``, ``DOWN``, ...."""
    result = _result(report)
    # People open the mail of a failed run anyway; any other they open only because of the alerts.
    return result if overall(report) is State.FAILED else ", ".join([result, *_alerts(report)])


def _result(report: Report) -> str:
    if clean_dry_run(report):
        return "DRY RUN"
    if phrases.alarm(report):
        return "DOWN" if any(item.outcome is Outcome.NOT_BACK for item in report.items) else "FROZEN"
    if report.kind is Kind.SCRUB and overall(report) is State.PASSED and _repaired(report):
        return _REPAIRED
    results = {State.PASSED: "OK", State.FAILED: "FAILED", State.NOT_CHECKED: "NOT CHECKED"}
    return f"{'DRY RUN ' if report.dry_run else ''}{results[overall(report)]}"


def _repaired(report: Report) -> bool:
    return any(item.outcome is Outcome.FETCHED_AGAIN for item in report.items)


def clean_dry_run(report: Report) -> bool:
    """Return whether this was a dry run that found no obstacle to a real one."""
    included = [item for item in report.items if item.outcome is not Outcome.EXCLUDED]
    clean = all(item.state is State.PASSED or item.outcome.planned for item in included)
    return report.dry_run and clean and not report.cause and any(item.own for item in included)


def _alerts(report: Report) -> list[str]:
    warnings = sum(len(item.warnings) for item in report.items)
    action = ["action needed"] if report.needs_action else []
    return action + ([counted(warnings, "warning")] if warnings else [])


def subject(report: Report, *, prefix: str = MADE_BY) -> str:
    """Return the mail's subject, by which people decide whether to open it: one printable line."""
    return f"[{visible(prefix)}] {summary(report)}"


def summary(report: Report) -> str:
    """Return the report as one printable line: ``SUPIM 2026-268 OK · 1 copied · 412 MB``."""
    between = " · " if _result(report) == _REPAIRED else " "
    result = f"{_name(report)}{between}{label(report)}"
    if alarm := phrases.alarm(report):
        return f"{result} · {alarm}"
    amount, down = processed_bytes(report), longest_downtime(report)
    amounts = [size(amount)] if amount else []
    amounts += [down] if down and not report.dry_run else []
    counts = [] if _names_item(report) else phrases.in_subject(report)
    return " · ".join([result, *([report.cause] if report.cause else []), *counts, *amounts])


def _name(report: Report) -> str:
    """Return what a report is about; of one restore, also what it restored: ``RESTORE maq1 as maq2``."""
    return f"{report.name} {_short(report.items[0])}" if _names_item(report) else report.name


def _short(item: Item) -> str:
    return item.short_name or item.name


def _names_item(report: Report) -> bool:
    return report.kind is Kind.RESTORE and len(report.items) == 1 and report.items[0].outcome.done


def headline(report: Report) -> str:
    """Return what happened, in a sentence or two: the worst or the run's own item first, then the rest."""
    return " ".join(phrases.headline(report))


def amount_sentence(report: Report) -> str:
    """Return how much was copied, or would be, and how long the run took: ``412 MB copied in 31 s.``."""
    amount, took, verb = processed_bytes(report), duration(report.seconds), _VERBS[report.kind]
    if report.dry_run and amount:
        return _also(f"{size(amount)} would be {verb}", longest_downtime(report))
    if not amount:
        return f"The run took {took}."
    sent = [item.sent_bytes for item in report.items if item.outcome.done and item.sent_bytes is not None]
    over_network = f", {size(sum(sent))} sent" if sent else ""
    return _also(f"{size(amount)} {verb} in {took}{over_network}", longest_downtime(report))


def _also(sentence: str, more: str) -> str:
    return f"{sentence}; {more}." if more else f"{sentence}."


def processed_bytes(report: Report) -> int:
    """Return how many bytes this run copied, imaged, read, ...; in a dry run, how many it would have."""
    return sum(item.size_bytes or 0 for item in report.items if item.outcome.done or item.outcome.planned)


def longest_downtime(report: Report) -> str:
    """Return the longest downtime of a VM, measured or expected, as a phrase; empty if it is unknown."""
    stops = [item.downtime for item in report.items if item.downtime and item.downtime.stops]
    known = [stop.downtime_s for stop in stops if stop.downtime_s is not None]
    expected = "expected " if report.dry_run else ""
    return f"longest {expected}downtime {duration(max(known))}" if known else ""


def by_urgency(items: Iterable[Item]) -> list[Item]:
    """Sort items: the run's own first; then VMs that are down or frozen, failures, unchecked, the rest."""
    return sorted(
        items,
        key=lambda item: (not item.own, not item.outcome.is_alarm, _URGENCY.index(item.state)),
    )


def coverage_sentence(report: Report) -> str:
    """Return how many days of the calendar are in each state: ``Of 37 days: 35 safe, 2 not due.``."""
    if not report.coverage:
        return "The coverage was not checked."
    counts = Counter(covered.state for covered in report.coverage)
    states = ", ".join(f"{counts[state]} {state}" for state in Coverage if counts[state])
    return f"Of {counted(len(report.coverage), 'day')}: {states}."


def weeks_sentence(report: Report) -> str:
    """Return how many VMs have an image from the newest week, of those that were to have one."""
    if not report.generations:
        of = " of the VMs that were asked for" if report.requested else ""
        unknown = report.space is None
        return "The generations were not checked." if unknown else f"The vault holds no generation{of}."
    now = [row.states[-1] for row in report.generations if row.states[-1] is not WeekState.NOTHING]
    if not now:
        return "No VM was to be imaged this week."
    kept = now.count(WeekState.KEPT)
    have = "has" if kept in (0, 1) else "have"
    return f"{kept or 'None'} of {counted(len(now), 'VM')} {have} a verified image from this week."
