"""Which generations of a VM are kept: grandfather-father-son, as a pure function that returns reasons.

The newest generation of each of the last weeks, months and years that have one is kept; the newest of all is
always kept. A damaged generation takes no intact one's place, nor does one that was dated in the future (its
instant here is when it was verified). A generation is removed only if a newer intact one is kept; where VMs
are boot-tested, only if that one has booted. Weeks are those of ISO 8601, and dates are in the time zone of
the instants given.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from types import MappingProxyType

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


def decide(
    generations: Sequence[datetime],
    keep: KeepRules,
    protected: AbstractSet[datetime] = frozenset(),
    damaged: Mapping[datetime, str] = MappingProxyType({}),
    boot_tested: AbstractSet[datetime] | None = None,
) -> list[RetentionDecision]:
    """Decide about each generation of one VM, oldest first.

    Args:
        generations: their instants, in any order, all in one time zone.
        keep: how many weeks, months and years.
        protected: those that are always kept.
        damaged: those that are damaged or suspect, each with why as a sentence; the others count as intact.
        boot_tested: those whose boot test passed; None: the VM isn't boot-tested.
    """
    intact = set(generations) - damaged.keys()
    by_numbers = [_by_numbers(instant, intact, keep, protected) for instant in sorted({*generations})]
    kept = {decision.instant for decision in by_numbers if decision.keep} & intact
    successors = kept if boot_tested is None else kept & boot_tested
    decided = (_require_successor(decision, successors, boot_tested) for decision in by_numbers)
    return [_noting(decision, damaged.get(decision.instant)) for decision in decided]


def next_to_remove(
    generations: AbstractSet[datetime],
    keep: KeepRules,
    coming: datetime,
    damaged: Mapping[datetime, str] = MappingProxyType({}),
    boot_tested: AbstractSet[datetime] | None = None,
) -> RetentionDecision | None:
    """Return the first generation of a VM that goes once the next one is published; None if none does.

    Args:
        generations: their instants.
        keep: how many weeks, months and years.
        coming: the instant of the next one, intact and not yet boot-tested.
        damaged: as for :func:`decide`.
        boot_tested: as for :func:`decide`.
    """
    decisions = decide([*generations, coming], keep, {coming}, damaged, boot_tested)
    return next((decision for decision in decisions if not decision.keep), None)


def _by_numbers(
    instant: datetime, intact: AbstractSet[datetime], keep: KeepRules, protected: AbstractSet[datetime]
) -> RetentionDecision:
    # A damaged one is compared with the intact ones alone: it is kept beside them, in the place of none.
    newest_first = sorted(intact | {instant}, reverse=True)
    rules = [_Rule(*rule, newest_first) for rule in _rules(keep)]
    is_newest = instant == max(intact, default=None)
    return _decision(instant, rules, newest=is_newest, protected=instant in protected)


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


class _Rule:
    """One of the three rules, applied to all generations."""

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
    instant: datetime, rules: Sequence[_Rule], *, newest: bool, protected: bool
) -> RetentionDecision:
    reasons = ["the newest of all, which is never removed"] if newest else []
    reasons += ["made by this run"] if protected else []
    reasons += [reason for rule in rules if (reason := rule.keeps(instant))]
    if reasons:
        return RetentionDecision(instant=instant, keep=True, reason=f"Kept: {', and '.join(reasons)}.")
    reason = f"Removed: {', '.join(rule.why_not(instant) for rule in rules)}."
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
