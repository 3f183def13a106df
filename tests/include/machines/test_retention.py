"""Retention: what is kept of a machine, and what no numbers can make it give up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.machines.retention import Keep, Kept, decide, next_to_go

SUNDAY = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)
NONE = Keep(weekly=0, monthly=0, yearly=0)

instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31)).map(  # noqa: DTZ001 - the zone comes after
    lambda naive: naive.replace(tzinfo=UTC, microsecond=0)
)
generations = st.lists(instants, max_size=40)
numbers = st.integers(0, 8)
keeps = st.builds(Keep, weekly=numbers, monthly=numbers, yearly=numbers)


def kept(verdicts: list[Kept]) -> set[datetime]:
    """Give the instants that stay."""
    return {verdict.instant for verdict in verdicts if verdict.keep}


def weeks(count: int) -> list[datetime]:
    """Give so many weekly instants up to SUNDAY, oldest first."""
    return [SUNDAY - timedelta(weeks=back) for back in reversed(range(count))]


def test_a_year_of_weeks_leaves_sons_fathers_and_grandfathers() -> None:
    """Four weeks, the last of each of three months, the last of each of two years."""
    verdicts = decide(weeks(60), Keep(weekly=4, monthly=3, yearly=2))
    assert [f"{instant:%Y-%m-%d}" for instant in sorted(kept(verdicts))] == [
        "2025-12-28", "2026-09-27", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22",
    ]  # fmt: skip


def test_reasons_are_sentences() -> None:
    """All of them, for those that stay; for those that go, one for each rule."""
    *older, before, newest = weeks(3)
    told = {
        verdict.instant: verdict.reason for verdict in decide(weeks(3), Keep(weekly=2, monthly=1, yearly=0))
    }
    assert told == {
        newest: "It stays: the newest of all, which is never removed, and the newest of week 47 of 2026 "
        "(2 weeks kept), and the newest of November 2026 (1 month kept).",
        before: "It stays: the newest of week 46 of 2026 (2 weeks kept).",
        older[0]: "It goes: week 45 of 2026 isn't one of the newest that are kept (2 weeks), November 2026 "
        "has a newer one, the year 2026 has a newer one.",
    }


def test_two_of_one_week_are_one_week() -> None:
    """A run by hand in the middle of the week doesn't push an older week out; the newer stays."""
    by_hand = SUNDAY - timedelta(days=3)
    verdicts = decide([*weeks(3), by_hand], Keep(weekly=3, monthly=0, yearly=0))
    assert kept(verdicts) == set(weeks(3))


def test_weeks_without_one_arent_counted() -> None:
    """A machine that was away for a year has its old weeks still."""
    old = [instant - timedelta(weeks=60) for instant in weeks(3)]
    assert kept(decide([*old, SUNDAY], Keep(weekly=4, monthly=0, yearly=0))) == {*old, SUNDAY}


def test_the_year_of_a_week_is_its_own() -> None:
    """1 January 2027 lies in week 53 of 2026 (ISO 8601): the two days are one week, in two years."""
    eve, day = datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert kept(decide([eve, day], Keep(weekly=9, monthly=0, yearly=0))) == {day}
    assert kept(decide([eve, day], Keep(weekly=0, monthly=0, yearly=2))) == {eve, day}


def test_the_untouchable_stays_with_its_reason() -> None:
    """And it takes the place of none."""
    oldest, *rest = weeks(9)
    verdicts = decide(weeks(9), Keep(weekly=2, monthly=0, yearly=0), {oldest})
    assert kept(verdicts) == {oldest, *rest[-2:]}
    assert verdicts[0].reason == "It stays: in use by this run, or none of its business."


def test_no_generation_is_no_decision() -> None:
    """The first run of all."""
    assert decide([], NONE) == []


def test_numbers_below_none_are_refused() -> None:
    """They'd cut from the wrong end."""
    with pytest.raises(ValidationError, match="weekly"):
        Keep(weekly=-1, monthly=0, yearly=0)


@given(generations, keeps, st.sets(instants))
def test_the_newest_is_never_given_up(found: list[datetime], keep: Keep, more: set[datetime]) -> None:
    """Nor what is untouchable; and each generation is decided about once, in order, with a reason."""
    untouchable = set(found[::3]) | more
    verdicts = decide(found, keep, untouchable)
    assert [verdict.instant for verdict in verdicts] == sorted(set(found))
    assert kept(verdicts) >= (untouchable & set(found)) | ({max(found)} if found else set())
    assert all(
        verdict.reason.startswith("It stays: " if verdict.keep else "It goes: ") for verdict in verdicts
    )


@given(generations)
def test_keeping_none_keeps_the_newest(found: list[datetime]) -> None:
    """There is no way to configure a vault empty."""
    assert kept(decide(found, NONE)) == ({max(found)} if found else set())


@given(generations, keeps)
def test_deciding_again_changes_nothing(found: list[datetime], keep: Keep) -> None:
    """A second run right after the first removes nothing."""
    left = kept(decide(found, keep))
    assert kept(decide(sorted(left), keep)) == left


@given(generations, keeps, keeps)
def test_keeping_more_never_keeps_less(found: list[datetime], one: Keep, other: Keep) -> None:
    """A larger number never costs a generation that a smaller one would keep."""
    larger = Keep(
        weekly=max(one.weekly, other.weekly),
        monthly=max(one.monthly, other.monthly),
        yearly=max(one.yearly, other.yearly),
    )
    assert kept(decide(found, larger)) >= kept(decide(found, one)) | kept(decide(found, other))


@given(generations, keeps)
def test_no_more_is_kept_than_was_asked_for(found: list[datetime], keep: Keep) -> None:
    """But for the newest."""
    assert len(kept(decide(found, keep))) <= max(1, keep.weekly + keep.monthly + keep.yearly)


@given(generations, keeps)
def test_removing_run_by_run_costs_nothing_that_counts_in_the_end(found: list[datetime], keep: Keep) -> None:
    """What a decision over all of them would keep was given up by none of the runs before."""
    left: set[datetime] = set()
    for instant in sorted(set(found)):
        left = kept(decide([*left, instant], keep))
    assert left == kept(decide(found, keep))


@given(generations, keeps, instants)
def test_what_goes_next_is_the_first_that_goes_once_another_is_there(
    held: list[datetime], keep: Keep, coming: datetime
) -> None:
    """And never the one that comes."""
    gone = [one for one in decide([*held, coming], keep, {coming}) if not one.keep]
    assert next_to_go(set(held), keep, coming) == next(iter(gone), None)
    assert coming not in {one.instant for one in gone}


def test_nothing_goes_next_while_nothing_newer_is_as_good_as_it_must_be() -> None:
    """What comes hasn't been booted from yet."""
    [old] = weeks(1)
    keep, coming = Keep(weekly=1, monthly=0, yearly=0), SUNDAY + timedelta(weeks=1)
    assert next_to_go({old}, keep, coming, drilled={old}) is None
    gone = next_to_go({old}, keep, coming)
    assert gone
    assert gone.instant == old
