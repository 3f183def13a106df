"""What a report's pictures show, as sentences: for whoever reads the text, or sees no pictures."""

from collections import Counter
from collections.abc import Iterable

from include.report.history import CoveredYear, Downtimes
from include.report.model import Report, Space
from include.report.states import Coverage
from include.wording import counted, duration, size

FEWEST = 3
"""Points that make a trend."""

_RANGES = 6
_NAMED = (Coverage.MISSING, Coverage.FAILED, Coverage.WOULD_COPY)


def year_sentences(report: Report) -> list[str]:
    """Say how each year stands, and which of its days aren't safe."""
    return [_year_sentence(year) for year in report.years]


def _year_sentence(year: CoveredYear) -> str:
    states = year.by_number
    counts = Counter(states.values())
    said = []
    for state in Coverage:
        days = [number for number, seen in states.items() if seen is state]
        named = f" ({ranges(days)})" if days and state in _NAMED else ""
        said += [f"{counts[state]} {state}{named}"] if days else []
    return f"{year.year} by day of the year: {', '.join(said)}."


def ranges(numbers: Iterable[int]) -> str:
    """Say which days of a year: ``003 to 012, 100``; of many ranges the first ones, and how many more."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    told = [" to ".join(f"{number:03d}" for number in one) for one in found[:_RANGES]]
    more = len(found) - _RANGES
    return ", ".join(told) + (f" and {counted(more, 'range')} more" if more > 0 else "")


def downtimes(report: Report) -> list[Downtimes]:
    """Give the machines whose downtimes make a trend."""
    return [row for row in report.downtimes if len(row.seconds) >= FEWEST]


def downtime_sentences(report: Report) -> list[str]:
    """Say for each of them how long it was down for its last images."""
    return [_downtime_sentence(row) for row in downtimes(report)]


def _downtime_sentence(row: Downtimes) -> str:
    span = f"{duration(min(row.seconds))} to {duration(max(row.seconds))}"
    last = f"last {duration(row.seconds[-1])}, of {duration(row.budget_s)}"
    return f"{row.name} for its last {len(row.seconds)} images: down {span}; {last}."


def copied_sentence(space: Space) -> str:
    """Say how much the last month's dates brought; empty where they make no trend."""
    if len(space.copied) < FEWEST:
        return ""
    most = max(space.copied, key=lambda one: one.bytes)
    whole = sum(one.bytes for one in space.copied)
    days = counted(len(space.copied), "day")
    told = f"{size(whole)} copied into the vault on {days} of the last 30"
    return f"{told}, most on {most.on} ({size(most.bytes)})."
