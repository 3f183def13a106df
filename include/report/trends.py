"""What a report's pictures show, as sentences: for the plain text, and for readers without pictures."""

from collections import Counter
from collections.abc import Iterable

from include.report.history import CoveredYear, DowntimeHistory
from include.report.model import Report
from include.results.states import Coverage
from include.status.space import Space
from include.text import counted, duration, size

FEWEST = 3
"""The least number of points that make a trend."""

_RANGES = 6
_NAMED = (Coverage.MISSING, Coverage.FAILED, Coverage.WOULD_COPY)


def year_sentences(report: Report) -> list[str]:
    """Return a sentence for each year: its days by state, and which of them aren't safe."""
    return [_year_sentence(year) for year in report.years]


def _year_sentence(year: CoveredYear) -> str:
    states = year.by_number
    counts = Counter(states.values())
    parts = []
    for state in Coverage:
        days = [number for number, actual in states.items() if actual is state]
        named = f" ({ranges(days)})" if days and state in _NAMED else ""
        parts += [f"{counts[state]} {state}{named}"] if days else []
    return f"{year.year} by day of the year: {', '.join(parts)}."


def ranges(numbers: Iterable[int]) -> str:
    """Return days of a year as ranges: ``003 to 012, 100``; the first six, and how many more."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    shown = [" to ".join(f"{number:03d}" for number in span) for span in spans[:_RANGES]]
    more = len(spans) - _RANGES
    return ", ".join(shown) + (f" and {counted(more, 'more range')}" if more > 0 else "")


def downtimes(report: Report) -> list[DowntimeHistory]:
    """Return the downtimes of VMs that have enough of them to make a trend."""
    return [row for row in report.downtimes if len(row.seconds) >= FEWEST]


def downtime_sentences(report: Report) -> list[str]:
    """Return a sentence for each of these VMs: how long it was down for its last images."""
    return [_downtime_sentence(row) for row in downtimes(report)]


def _downtime_sentence(row: DowntimeHistory) -> str:
    span = f"{duration(min(row.seconds))} to {duration(max(row.seconds))}"
    latest = f"{duration(row.seconds[-1])} of {duration(row.budget_s)} for the latest"
    return f"{row.name}, last {len(row.seconds)} images: down {span}; {latest}."


def copied_sentence(space: Space) -> str:
    """Return how much was copied in the last 30 days; empty if there are too few days to make a trend."""
    if len(space.copied) < FEWEST:
        return ""
    most = max(space.copied, key=lambda day: day.bytes)
    total = sum(day.bytes for day in space.copied)
    days = counted(len(space.copied), "day")
    amount = f"{size(total)} copied into the vault on {days} of the last 30"
    return f"{amount}, most on {most.on} ({size(most.bytes)})."
