"""Which generations of a VM are kept: grandfather-father-son, as a pure function that returns reasons.

The last generations are kept, and the newest of each of the last weeks, months and years that have one; the
newest of all is always kept, and so is what a person protects. A damaged generation takes no intact one's
place, nor does one that was dated in the future (its instant here is when it was verified). A generation is
removed only if a newer intact one is kept; where VMs are boot-tested, only if that one has booted. Weeks are
those of ISO 8601, and dates are in the time zone of the instants given.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from include.config.vms import KeepRules
from include.models import Model
from include.text import counted


class RetentionDecision(Model):
    """The decision about one generation.

    Args:
        instant: of the generation.
        keep: whether it is kept.
        reason: why, as a sentence.
    """

    instant: datetime
    keep: bool
    reason: str


@dataclass(frozen=True)
class RetentionFacts:
    """What counts of the generations of one VM besides their instants.

    Args:
        damaged: those that are damaged or suspect, each with why as a sentence; the others count as intact.
        boot_tested: those whose boot test passed; None: the VM isn't boot-tested.
        protected: those that people protect, each with by whom and why; they are always kept.
    """

    damaged: Mapping[datetime, str] = field(default_factory=dict)
    boot_tested: AbstractSet[datetime] | None = None
    protected: Mapping[datetime, str] = field(default_factory=dict)


_NONE = RetentionFacts()


def decide(
    generations: Sequence[datetime],
    keep: KeepRules,
    made: AbstractSet[datetime] = frozenset(),
    facts: RetentionFacts = _NONE,
) -> list[RetentionDecision]:
    """Decide about each generation of one VM, oldest first.

    Args:
        generations: their instants, in any order, all in one time zone.
        keep: how many last ones, weeks, months and years.
        made: those that this run made; they are always kept.
        facts: what else counts.
    """
    intact, booted = set(generations) - facts.damaged.keys(), facts.boot_tested
    always = dict.fromkeys(made, "made by this run") | dict(facts.protected)
    by_numbers = [_by_numbers(instant, intact, keep, always) for instant in sorted({*generations})]
    kept = {decision.instant for decision in by_numbers if decision.keep} & intact
    successors = kept if booted is None else kept & booted
    decided = (_require_successor(decision, successors, booted) for decision in by_numbers)
    return [_noting(decision, facts.damaged.get(decision.instant)) for decision in decided]


def next_to_remove(
    generations: AbstractSet[datetime], keep: KeepRules, coming: datetime, facts: RetentionFacts = _NONE
) -> list[RetentionDecision]:
    """Return the generations of a VM that go once the next one is published, oldest first.

    Args:
        generations: their instants.
        keep: how many last ones, weeks, months and years.
        coming: the instant of the next one, intact and not yet boot-tested.
        facts: what else counts.
    """
    decisions = decide([*generations, coming], keep, {coming}, facts)
    return [decision for decision in decisions if not decision.keep]


def _by_numbers(
    instant: datetime, intact: AbstractSet[datetime], keep: KeepRules, always: Mapping[datetime, str]
) -> RetentionDecision:
    # A damaged one is compared with the intact ones alone: it is kept beside them, in the place of none.
    newest_first = sorted(intact | {instant}, reverse=True)
    last = [_Last(keep.last, newest_first)] if keep.last else []
    rules: list[_Last | _Rule] = [*last, *(_Rule(*rule, newest_first) for rule in _rules(keep))]
    is_newest = instant == max(intact, default=None)
    return _decision(instant, rules, newest=is_newest, always=always.get(instant))


def _require_successor(
    decision: RetentionDecision, successors: AbstractSet[datetime], boot_tested: AbstractSet[datetime] | None
) -> RetentionDecision:
    """Keep what would go as long as no newer generation may replace it."""
    if decision.keep or any(successor > decision.instant for successor in successors):
        return decision
    state = "intact" if boot_tested is None else "intact and has passed its boot test"
    return decision.model_copy(
        update={"keep": True, "reason": f"Kept: no newer generation that is kept is {state}."}
    )


def _noting(decision: RetentionDecision, damage: str | None) -> RetentionDecision:
    return decision.model_copy(update={"reason": f"{decision.reason} {damage}"}) if damage else decision


class _Last:
    """The rule that keeps the last generations, whatever their weeks."""

    def __init__(self, count: int, newest_first: list[datetime]) -> None:
        self._count = count
        self._kept = set(newest_first[:count])

    def keeps(self, instant: datetime) -> str | None:
        """Return why the rule keeps a generation; None if it doesn't."""
        return f"one of the last {self._count}" if instant in self._kept else None

    def why_not(self, instant: datetime) -> str:  # noqa: ARG002 - as the other rules'
        """Return why the rule doesn't keep a generation."""
        return f"it isn't one of the last {self._count}"


class _Rule:
    """One of the rules for weeks, months and years, applied to all generations."""

    def __init__(
        self, count: int, noun: str, period: Callable[[datetime], str], newest_first: list[datetime]
    ) -> None:
        self._limit = counted(count, noun)
        self._period = period
        newest: dict[str, datetime] = {}
        for instant in newest_first:
            newest.setdefault(period(instant), instant)
        self._newest = set(newest.values())
        self._kept = set(list(newest.values())[:count])

    def keeps(self, instant: datetime) -> str | None:
        """Return why the rule keeps a generation; None if it doesn't."""
        if instant not in self._kept:
            return None
        return f"the newest of {self._period(instant)} ({self._limit} kept)"

    def why_not(self, instant: datetime) -> str:
        """Return why the rule doesn't keep a generation."""
        if instant in self._newest:
            return f"{self._period(instant)} isn't one of the newest that are kept ({self._limit})"
        return f"{self._period(instant)} has a newer one"


def _decision(
    instant: datetime, rules: Sequence[_Last | _Rule], *, newest: bool, always: str | None
) -> RetentionDecision:
    reasons = [always] if always else []
    reasons += ["the newest of all, which is never removed"] if newest else []
    reasons += [reason for rule in rules if (reason := rule.keeps(instant))]
    if reasons:
        return RetentionDecision(instant=instant, keep=True, reason=f"Kept: {', and '.join(reasons)}.")
    reason = f"Not kept: {', '.join(rule.why_not(instant) for rule in rules)}."
    return RetentionDecision(instant=instant, keep=False, reason=reason)


def _rules(keep: KeepRules) -> list[tuple[int, str, Callable[[datetime], str]]]:
    return [(keep.weekly, "week", _week), (keep.monthly, "month", _month), (keep.yearly, "year", _year)]


def _week(instant: datetime) -> str:
    year, week, _ = instant.isocalendar()
    return f"week {week} of {year:04d}"


def _month(instant: datetime) -> str:
    return f"{instant:%B} {instant.year:04d}"


def _year(instant: datetime) -> str:
    return f"the year {instant.year:04d}"
