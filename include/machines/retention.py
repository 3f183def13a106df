"""What is kept of a machine: grandfather, father and son, decided by a pure function that gives reasons.

The newest generation of each of the last weeks, months and years that have one is kept; the newest of all
is kept whatever the numbers say. A damaged one takes no whole one's place, and goes, when the numbers say so,
only if a newer one is whole; where machines are drilled, any goes only if a newer one that stays has booted.
Weeks are those of ISO 8601, and everything is meant in the zone of the
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
    generations: Sequence[datetime],
    keep: Keep,
    untouchable: AbstractSet[datetime] = frozenset(),
    damaged: AbstractSet[datetime] = frozenset(),
    drilled: AbstractSet[datetime] | None = None,
) -> list[Kept]:
    """Decide about each generation of one machine, oldest first.

    Args:
        generations: their instants, in any order, all in one zone.
        keep: the numbers.
        untouchable: what stays whatever the numbers say.
        damaged: those that an audit found damaged; the others are proven.
        drilled: those from which a machine has booted; None: machines aren't drilled.
    """
    whole = set(generations) - damaged
    by_numbers = [_by_numbers(one, whole, keep, untouchable) for one in sorted({*generations})]
    stays = {one.instant for one in by_numbers if one.keep} & whole
    successors = stays if drilled is None else stays & drilled
    decided = (_with_successor(one, successors, drilled) for one in by_numbers)
    return [_of_damaged(one) if one.instant in damaged else one for one in decided]


def next_to_go(
    generations: AbstractSet[datetime],
    keep: Keep,
    coming: datetime,
    damaged: AbstractSet[datetime] = frozenset(),
    drilled: AbstractSet[datetime] | None = None,
) -> Kept | None:
    """Say which of a machine's generations goes first once another one is there; None: none does.

    Args:
        generations: their instants.
        keep: the numbers.
        coming: the instant of the next one, whole and not yet booted from.
        damaged: as for :func:`decide`.
        drilled: as for :func:`decide`.
    """
    verdicts = decide([*generations, coming], keep, {coming}, damaged, drilled)
    return next((verdict for verdict in verdicts if not verdict.keep), None)


def _by_numbers(
    instant: datetime, whole: AbstractSet[datetime], keep: Keep, untouchable: AbstractSet[datetime]
) -> Kept:
    # A damaged one is held against the whole ones alone: it stays beside them, and none makes room for it.
    newest_first = sorted(whole | {instant}, reverse=True)
    rules = [_Rule(*rule, newest_first) for rule in _rules(keep)]
    is_newest = instant == max(whole, default=None)
    return _verdict(instant, rules, newest=is_newest, untouchable=instant in untouchable)


def _with_successor(
    verdict: Kept, successors: AbstractSet[datetime], drilled: AbstractSet[datetime] | None
) -> Kept:
    """Keep what would go as long as nothing newer that stays is as good as it must be."""
    if verdict.keep or any(successor > verdict.instant for successor in successors):
        return verdict
    good = "whole" if drilled is None else "both whole and booted from"
    return verdict.model_copy(
        update={"keep": True, "reason": f"It stays: no newer one that stays is {good}."}
    )


def _of_damaged(verdict: Kept) -> Kept:
    return verdict.model_copy(update={"reason": f"{verdict.reason} An audit found it damaged."})


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
