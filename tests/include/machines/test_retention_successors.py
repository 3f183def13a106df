"""Retention where generations are damaged, or drilled: nothing goes before a good one has come."""

from collections.abc import Iterable
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from include.machines.retention import Keep, decide
from tests.include.machines.test_retention import NONE, generations, keeps, kept, weeks

TWO = Keep(weekly=2, monthly=0, yearly=0)
some = st.sets(st.integers(0, 39))


def chosen(found: list[datetime], places: Iterable[int]) -> set[datetime]:
    """Give those of some generations that have one of these places."""
    return {found[place] for place in places if place < len(found)}


def test_the_newest_whole_one_stays_when_a_newer_one_is_damaged() -> None:
    """With no number that keeps it."""
    older, newest = weeks(2)
    verdicts = decide(weeks(2), NONE, damaged={newest})
    assert kept(verdicts) == {older, newest}
    assert [verdict.reason for verdict in verdicts] == [
        "It stays: the newest of all, which is never removed.",
        "It stays: no newer one that stays is whole. An audit found it damaged.",
    ]


def test_a_damaged_one_takes_no_whole_ones_place() -> None:
    """Two weeks are kept, and both are whole; the damaged one of a week between them stays beside them."""
    oldest, whole, damaged, newest = weeks(4)
    verdicts = decide(weeks(4), TWO, damaged={damaged})
    assert kept(verdicts) == {whole, damaged, newest}
    assert kept(decide(weeks(4), TWO)) == {damaged, newest}
    assert oldest not in kept(verdicts)


def test_a_damaged_one_goes_by_the_numbers_once_a_newer_one_is_whole() -> None:
    """And not before."""
    damaged, *newer = weeks(3)
    assert kept(decide([damaged, *newer], TWO, damaged={damaged})) == set(newer)
    assert kept(decide([damaged], TWO, damaged={damaged})) == {damaged}
    assert kept(decide([damaged, *newer], NONE, damaged={damaged, *newer})) == {damaged, *newer}


def test_where_machines_are_drilled_one_goes_only_when_a_newer_one_that_stays_has_booted() -> None:
    """Proven bytes can be those of a machine that never starts."""
    old, middle, newest = weeks(3)
    one = Keep(weekly=1, monthly=0, yearly=0)
    assert kept(decide(weeks(3), one, drilled=None)) == {newest}
    assert kept(decide(weeks(3), one, drilled=set())) == {old, middle, newest}
    assert kept(decide(weeks(3), one, drilled={old, middle})) == {old, middle, newest}
    assert kept(decide(weeks(3), one, drilled={newest})) == {newest}
    (first, *_) = decide(weeks(3), one, drilled=set())
    assert first.reason == "It stays: no newer one that stays is both whole and booted from."


def test_one_that_booted_and_is_damaged_is_no_successor() -> None:
    """It was whole when it booted."""
    old, booted, newest = weeks(3)
    assert kept(decide(weeks(3), TWO, damaged={booted}, drilled={booted})) == {old, booted, newest}


@given(generations, keeps, some, st.one_of(st.none(), some))
def test_what_goes_has_a_good_successor_that_stays(
    found: list[datetime], keep: Keep, bad: set[int], booted: set[int] | None
) -> None:
    """Whatever is damaged, and whatever has booted."""
    damaged = chosen(found, bad)
    drilled = None if booted is None else chosen(found, booted)
    verdicts = decide(found, keep, damaged=damaged, drilled=drilled)
    good = kept(verdicts) - damaged
    good = good if drilled is None else good & drilled
    for verdict in verdicts:
        assert verdict.keep or any(one > verdict.instant for one in good)


@given(generations, keeps, some)
def test_damaged_ones_cost_no_whole_one_its_place(found: list[datetime], keep: Keep, bad: set[int]) -> None:
    """What would be kept of the whole ones alone is kept with the damaged ones beside them, and no more."""
    damaged = chosen(found, bad)
    whole = set(found) - damaged
    assert kept(decide(found, keep, damaged=damaged)) - damaged == kept(decide(sorted(whole), keep))
