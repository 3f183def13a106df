"""What a report comes to: its state, its label, its headline, and the subject of its mail."""

from collections import Counter
from collections.abc import Iterable

from include.report import words
from include.report.model import Item, Report
from include.report.states import Coverage, Kind, Outcome, State, WeekState
from include.wording import counted, duration, size, visible

MADE_BY = "INPE backup"

_MOVED = {
    Kind.DAYS: "copied",
    Kind.MACHINES: "imaged",
    Kind.AUDIT: "read",
    Kind.RESTORE: "restored",
    Kind.DRILL: "booted",
}
_URGENCY = (State.FAILED, State.NOT_CHECKED, State.PASSED)


def overall(report: Report) -> State:
    """Give the state of the whole run: as bad as its worst item, and not checked without one of its own.

    In a dry run an item that would be copied is not checked, and so is the run; see ``rehearsed``. What the
    site excludes is nobody's item, and neither good nor bad news.
    """
    states = {item.state for item in report.items if item.outcome is not Outcome.EXCLUDED}
    if State.FAILED in states:
        return State.FAILED
    own_seen = any(item.own for item in report.items)
    return State.PASSED if own_seen and states == {State.PASSED} else State.NOT_CHECKED


def is_good(report: Report) -> bool:
    """Say whether the run's own verdict is green: all is safe, or a dry run found nothing in the way."""
    return overall(report) is State.PASSED or rehearsed(report)


def label(report: Report) -> str:
    """Give the verdict in the subject's words: ``OK``, ``OK, 1 warning``, ``FAILED``, ``DOWN``, ...."""
    verdict = _verdict(report)
    # A failed run is opened anyway; the others are only opened for what stands here.
    return verdict if overall(report) is State.FAILED else ", ".join([verdict, *_alerts(report)])


def _verdict(report: Report) -> str:
    if rehearsed(report):
        return "DRY RUN"
    if words.alarm(report):
        return "DOWN"
    said = {State.PASSED: "OK", State.FAILED: "FAILED", State.NOT_CHECKED: "NOT CHECKED"}
    return f"{'DRY RUN ' if report.dry_run else ''}{said[overall(report)]}"


def rehearsed(report: Report) -> bool:
    """Say whether this was a dry run that found nothing in the way of a real one."""
    looked_at = [item for item in report.items if item.outcome is not Outcome.EXCLUDED]
    clear = all(item.state is State.PASSED or item.outcome.planned for item in looked_at)
    return report.dry_run and clear and any(item.own for item in looked_at)


def _alerts(report: Report) -> list[str]:
    warnings = sum(len(item.warnings) for item in report.items)
    person = ["needs a person"] if report.needs_person else []
    return person + ([counted(warnings, "warning")] if warnings else [])


def subject(report: Report, *, prefix: str = MADE_BY) -> str:
    """Give the mail's subject, which alone tells whether to open it. Always one printable line."""
    return f"[{visible(prefix)}] {summary(report)}"


def summary(report: Report) -> str:
    """Give the report in one printable line: ``SUPIM 2026-268 OK · 1 copied · 412 MB``."""
    verdict = f"{report.name} {label(report)}"
    if alarm := words.alarm(report):
        return f"{verdict} · {alarm}"
    moved, down = moved_bytes(report), longest_downtime(report)
    told = [size(moved)] if moved else []
    told += [down] if down and not report.dry_run else []
    return " · ".join([verdict, *words.counts(report.items), *told])


def headline(report: Report) -> str:
    """Say in a sentence or two what happened: the worst or the run's own first, then the rest."""
    return " ".join(words.headline(report))


def moved(report: Report) -> str:
    """Say how much was copied, or would be, and how long the run took: ``412 MB copied in 31 s.``."""
    amount, took, verb = moved_bytes(report), duration(report.seconds), _MOVED[report.kind]
    if report.dry_run and amount:
        return _also(f"{size(amount)} would be {verb}", longest_downtime(report))
    if not amount:
        return f"The run took {took}."
    sent = [item.sent_bytes for item in report.items if item.outcome.done and item.sent_bytes is not None]
    wire = f", {size(sum(sent))} sent" if sent else ""
    return _also(f"{size(amount)} {verb} in {took}{wire}", longest_downtime(report))


def _also(sentence: str, more: str) -> str:
    return f"{sentence}; {more}." if more else f"{sentence}."


def moved_bytes(report: Report) -> int:
    """Add up what this run copied, or, in a dry run, what it would have copied."""
    return sum(item.size_bytes or 0 for item in report.items if item.outcome.done or item.outcome.planned)


def longest_downtime(report: Report) -> str:
    """Say how long the machine was down that was down longest, or is expected to be; empty if none is."""
    stops = [item.standstill for item in report.items if item.standstill and item.standstill.stops]
    known = [stop.downtime_s for stop in stops if stop.downtime_s is not None]
    expected = "expected " if report.dry_run else ""
    return f"longest {expected}downtime {duration(max(known))}" if known else ""


def by_urgency(items: Iterable[Item]) -> list[Item]:
    """Put the run's own items first: what is down, failed, wasn't checked, and the rest as it came."""
    return sorted(
        items,
        key=lambda item: (not item.own, item.outcome is not Outcome.NOT_BACK, _URGENCY.index(item.state)),
    )


def coverage_sentence(report: Report) -> str:
    """Say how many days of the calendar are in which state: ``Of 37 days: 35 safe, 2 not due.``."""
    if not report.coverage:
        return "The coverage was not checked."
    counts = Counter(covered.state for covered in report.coverage)
    said = ", ".join(f"{counts[state]} {state}" for state in Coverage if counts[state])
    return f"Of {counted(len(report.coverage), 'day')}: {said}."


def weeks_sentence(report: Report) -> str:
    """Say how many machines have an image of the newest week; those that nobody asks for aren't missed."""
    if not report.generations:
        return "The generations were not checked." if report.space is None else "The vault holds none."
    now = [row.states[-1] for row in report.generations if row.states[-1] is not WeekState.NOTHING]
    if not now:
        return "No machine was to be imaged this week."
    kept = now.count(WeekState.KEPT)
    have = f"{kept or 'none'} {'has' if kept in (0, 1) else 'have'}"
    return f"Of {counted(len(now), 'machine')}, {have} a proven image of this week."
