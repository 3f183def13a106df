"""Retention where generations are damaged or boot-tested: a generation needs a good successor to go."""

from collections.abc import Iterable
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from include.config.vms import KeepRules
from include.vms.retention import RetentionFacts, decide
from tests.include.vms.test_retention import NONE, generations, keeps, kept, weeks

TWO = KeepRules(last=0, weekly=2, monthly=0, yearly=0)
some = st.sets(st.integers(0, 39))


def at_indexes(found: list[datetime], indexes: Iterable[int]) -> set[datetime]:
    """Return the generations at these indexes, if there are so many."""
    return {found[index] for index in indexes if index < len(found)}


def noted(found: Iterable[datetime]) -> dict[datetime, str]:
    """Return why these are damaged."""
    return dict.fromkeys(found, "A scrub found it damaged.")


def test_the_newest_intact_generation_is_kept_when_a_newer_one_is_damaged() -> None:
    """Even if no number keeps it."""
    older, newest = weeks(2)
    decisions = decide(weeks(2), NONE, facts=RetentionFacts(damaged=noted({newest})))
    assert kept(decisions) == {older, newest}
    assert [decision.reason for decision in decisions] == [
        "Kept: the newest of all, which is never removed.",
        "Kept: no newer generation that is kept is intact. A scrub found it damaged.",
    ]


def test_a_damaged_generation_takes_no_intact_ones_place() -> None:
    """Two weeks are kept, both intact; a damaged one between them is kept beside them."""
    oldest, intact, damaged, newest = weeks(4)
    decisions = decide(weeks(4), TWO, facts=RetentionFacts(damaged=noted({damaged})))
    assert kept(decisions) == {intact, damaged, newest}
    assert kept(decide(weeks(4), TWO)) == {damaged, newest}
    assert oldest not in kept(decisions)


def test_a_damaged_generation_goes_by_the_numbers_once_a_newer_one_is_intact() -> None:
    """And not earlier."""
    damaged, *newer = weeks(3)
    assert kept(decide([damaged, *newer], TWO, facts=RetentionFacts(damaged=noted({damaged})))) == set(newer)
    assert kept(decide([damaged], TWO, facts=RetentionFacts(damaged=noted({damaged})))) == {damaged}
    assert kept(decide([damaged, *newer], NONE, facts=RetentionFacts(damaged=noted({damaged, *newer})))) == {
        damaged,
        *newer,
    }


def test_where_vms_are_boot_tested_a_newer_kept_generation_must_have_booted() -> None:
    """A VM may not start from verified bytes."""
    old, middle, newest = weeks(3)
    one = KeepRules(last=0, weekly=1, monthly=0, yearly=0)
    assert kept(decide(weeks(3), one, facts=RetentionFacts(boot_tested=None))) == {newest}
    assert kept(decide(weeks(3), one, facts=RetentionFacts(boot_tested=set()))) == {old, middle, newest}
    assert kept(decide(weeks(3), one, facts=RetentionFacts(boot_tested={old, middle}))) == {
        old,
        middle,
        newest,
    }
    assert kept(decide(weeks(3), one, facts=RetentionFacts(boot_tested={newest}))) == {newest}
    (first, *_) = decide(weeks(3), one, facts=RetentionFacts(boot_tested=set()))
    assert first.reason == "Kept: no newer generation that is kept is intact and has passed its boot test."


def test_a_damaged_generation_that_has_booted_is_no_successor() -> None:
    """It was intact when it booted."""
    old, booted, newest = weeks(3)
    assert kept(
        decide(weeks(3), TWO, facts=RetentionFacts(damaged=noted({booted}), boot_tested={booted}))
    ) == {old, booted, newest}


@given(generations, keeps, some, st.one_of(st.none(), some))
def test_every_removed_generation_has_a_good_successor(
    found: list[datetime], keep: KeepRules, bad: set[int], booted: set[int] | None
) -> None:
    """Whichever are damaged, and whichever have booted."""
    damaged = at_indexes(found, bad)
    boot_tested = None if booted is None else at_indexes(found, booted)
    decisions = decide(found, keep, facts=RetentionFacts(damaged=noted(damaged), boot_tested=boot_tested))
    good = kept(decisions) - damaged
    good = good if boot_tested is None else good & boot_tested
    for decision in decisions:
        assert decision.keep or any(one > decision.instant for one in good)


@given(generations, keeps, some)
def test_damaged_generations_push_no_intact_one_out(
    found: list[datetime], keep: KeepRules, bad: set[int]
) -> None:
    """The same intact ones are kept as without the damaged ones."""
    damaged = at_indexes(found, bad)
    intact = set(found) - damaged
    assert kept(decide(found, keep, facts=RetentionFacts(damaged=noted(damaged)))) - damaged == kept(
        decide(sorted(intact), keep)
    )
