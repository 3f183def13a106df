"""What is kept of a machine: grandfather, father and son, decided by a pure function that gives reasons.

The newest generation of each of the last weeks, months and years that have one is kept; the newest of all
is kept whatever the numbers say. Weeks are those of ISO 8601, and everything is meant in the zone of the
instants given.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from pydantic import Field, NonNegativeInt

from include.facts import Facts
from include.wording import counted


class Keep(Facts):
    """How many generations are kept."""

    weekly: NonNegativeInt = Field(default=8, description="The newest of each of so many weeks.")
    monthly: NonNegativeInt = Field(default=6, description="The newest of each of so many months.")
    yearly: NonNegativeInt = Field(default=3, description="The newest of each of so many years.")


class Kept(Facts):
    """What was decided about one generation.

    Args:
        instant: which.
        keep: whether it stays.
        reason: why, as a sentence.
    """

    instant: datetime
    keep: bool
    reason: str


def decide(
    generations: Sequence[datetime], keep: Keep, untouchable: AbstractSet[datetime] = frozenset()
) -> list[Kept]:
    """Decide about each proven generation of one machine, oldest first.

    Args:
        generations: their instants, in any order, all in one zone.
        keep: the numbers.
        untouchable: what stays whatever the numbers say.
    """
    newest_first = sorted(set(generations), reverse=True)
    rules = [_Rule(*rule, newest_first) for rule in _rules(keep)]
    return [
        _verdict(instant, rules, newest=instant == newest_first[0], untouchable=instant in untouchable)
        for instant in reversed(newest_first)
    ]


class _Rule:
    """One of the three rules, applied to all generations."""

    def __init__(
        self, count: int, noun: str, period: Callable[[datetime], str], newest_first: list[datetime]
    ) -> None:
        self._told = counted(count, noun)
        self._period = period
        newest: dict[str, datetime] = {}
        for instant in newest_first:
            newest.setdefault(period(instant), instant)
        self._newest = set(newest.values())
        self._kept = set(list(newest.values())[:count])

    def keeps(self, instant: datetime) -> str | None:
        """Say why the rule keeps a generation; None when it doesn't."""
        if instant not in self._kept:
            return None
        return f"the newest of {self._period(instant)} ({self._told} kept)"

    def why_not(self, instant: datetime) -> str:
        """Say why it doesn't."""
        if instant in self._newest:
            return f"{self._period(instant)} isn't one of the newest that are kept ({self._told})"
        return f"{self._period(instant)} has a newer one"


def _verdict(instant: datetime, rules: Sequence[_Rule], *, newest: bool, untouchable: bool) -> Kept:
    reasons = ["the newest of all, which is never removed"] if newest else []
    reasons += ["in use by this run, or none of its business"] if untouchable else []
    reasons += [reason for rule in rules if (reason := rule.keeps(instant))]
    if reasons:
        return Kept(instant=instant, keep=True, reason=f"It stays: {', and '.join(reasons)}.")
    reason = f"It goes: {', '.join(rule.why_not(instant) for rule in rules)}."
    return Kept(instant=instant, keep=False, reason=reason)


def _rules(keep: Keep) -> list[tuple[int, str, Callable[[datetime], str]]]:
    return [(keep.weekly, "week", _week), (keep.monthly, "month", _month), (keep.yearly, "year", _year)]


def _week(instant: datetime) -> str:
    year, week, _ = instant.isocalendar()
    return f"week {week} of {year:04d}"


def _month(instant: datetime) -> str:
    return f"{instant:%B} {instant.year:04d}"


def _year(instant: datetime) -> str:
    return f"the year {instant.year:04d}"
