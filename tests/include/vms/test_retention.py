"""Retention: which generations of a VM are kept, and which are kept whatever the numbers are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.config.vms import KeepRules
from include.vms.retention import RetentionDecision, RetentionFacts, decide, next_to_remove

SUNDAY = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)
NONE = KeepRules(last=0, weekly=0, monthly=0, yearly=0)

instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31)).map(  # noqa: DTZ001 - the zone is added
    lambda naive: naive.replace(tzinfo=UTC, microsecond=0)
)
generations = st.lists(instants, max_size=40)
numbers = st.integers(0, 8)
keeps = st.builds(KeepRules, last=numbers, weekly=numbers, monthly=numbers, yearly=numbers)


def kept(decisions: list[RetentionDecision]) -> set[datetime]:
    """Return the instants that are kept."""
    return {decision.instant for decision in decisions if decision.keep}


def weeks(count: int) -> list[datetime]:
    """Return so many weekly instants up to SUNDAY, oldest first."""
    return [SUNDAY - timedelta(weeks=back) for back in reversed(range(count))]


def test_weeks_months_and_years_are_kept() -> None:
    """Four weeks, the last of each of three months, the last of each of two years."""
    decisions = decide(weeks(60), KeepRules(last=0, weekly=4, monthly=3, yearly=2))
    assert [f"{instant:%Y-%m-%d}" for instant in sorted(kept(decisions))] == [
        "2025-12-28", "2026-09-27", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22",
    ]  # fmt: skip


def test_reasons_are_sentences() -> None:
    """Every rule that keeps a generation, or, for one that goes, each rule that doesn't."""
    *older, before, newest = weeks(3)
    reasons = {
        decision.instant: decision.reason
        for decision in decide(weeks(3), KeepRules(last=0, weekly=2, monthly=1, yearly=0))
    }
    assert reasons == {
        newest: "Kept: the newest of all, which is never removed, and the newest of week 47 of 2026 "
        "(2 weeks kept), and the newest of November 2026 (1 month kept).",
        before: "Kept: the newest of week 46 of 2026 (2 weeks kept).",
        older[0]: "Not kept: week 45 of 2026 isn't one of the newest that are kept (2 weeks), November 2026 "
        "has a newer one, the year 2026 has a newer one.",
    }


def test_two_generations_of_one_week_count_once() -> None:
    """A manual run in the middle of the week doesn't push an older week out; the newer one is kept."""
    by_hand = SUNDAY - timedelta(days=3)
    decisions = decide([*weeks(3), by_hand], KeepRules(last=0, weekly=3, monthly=0, yearly=0))
    assert kept(decisions) == set(weeks(3))


def test_the_last_generations_are_kept_whatever_their_week() -> None:
    """Two more runs in one week remove no image of 20 minutes, by the site file's own rules."""
    minutes = [SUNDAY + timedelta(minutes=20 * number) for number in range(4)]
    assert kept(decide(minutes[:3], KeepRules())) == set(minutes[:3])
    oldest, *rest = decide(minutes, KeepRules(last=3, weekly=0, monthly=0, yearly=0))
    assert oldest.reason.startswith("Not kept: it isn't one of the last 3, week 47 of 2026")
    assert [one.keep for one in rest] == [True] * 3
    assert rest[0].reason == "Kept: one of the last 3."


def test_damaged_generations_arent_among_the_last() -> None:
    """Three damaged ones push no intact one out."""
    intact, *damaged = weeks(4)
    keep = KeepRules(last=2, weekly=0, monthly=0, yearly=0)
    assert kept(
        decide([intact, *damaged], keep, facts=RetentionFacts(damaged=dict.fromkeys(damaged, "Damaged.")))
    ) == {
        intact,
        *damaged,
    }


def test_the_last_ones_count_for_weeks_months_and_years_too() -> None:
    """The rules overlap: the last two are also the newest of their weeks, and of the month and the year."""
    decisions = decide(weeks(60), KeepRules(last=2, weekly=2, monthly=2, yearly=2))
    assert [f"{instant:%Y-%m-%d}" for instant in sorted(kept(decisions))] == [
        "2025-12-28", "2026-10-25", "2026-11-15", "2026-11-22",
    ]  # fmt: skip


def test_what_a_person_protects_is_kept_with_who_and_why() -> None:
    """Also if it is damaged, and as the only rule that keeps it; it takes the place of no other."""
    oldest, *rest = weeks(9)
    keep = KeepRules(last=2, weekly=0, monthly=0, yearly=0)
    why = {oldest: "protected by ana: before the patch"}
    decisions = decide(
        weeks(9), keep, facts=RetentionFacts(protected=why, damaged={oldest: "It is damaged."})
    )
    assert kept(decisions) == {oldest, *rest[-2:]}
    assert decisions[0].reason == "Kept: protected by ana: before the patch. It is damaged."


@given(generations, keeps)
def test_the_last_ones_are_kept_beside_what_the_other_rules_keep(
    found: list[datetime], keep: KeepRules
) -> None:
    """They take the place of no week, month or year."""
    others = kept(decide(found, keep.model_copy(update={"last": 0})))
    last = sorted(set(found))[-keep.last :] if keep.last else []
    assert kept(decide(found, keep)) == others | set(last)


@given(generations, keeps, st.sets(instants))
def test_protecting_never_removes_more(
    found: list[datetime], keep: KeepRules, protected: set[datetime]
) -> None:
    """Nor less than what was protected."""
    without, reasons = kept(decide(found, keep)), dict.fromkeys(protected, "protected by ana: so")
    assert kept(decide(found, keep, facts=RetentionFacts(protected=reasons))) == without | (
        protected & set(found)
    )


def test_weeks_without_a_generation_dont_count() -> None:
    """A VM that wasn't backed up for a year still has its old weeks."""
    old = [instant - timedelta(weeks=60) for instant in weeks(3)]
    assert kept(decide([*old, SUNDAY], KeepRules(last=0, weekly=4, monthly=0, yearly=0))) == {*old, SUNDAY}


def test_a_week_belongs_to_its_iso_year() -> None:
    """1 January 2027 lies in week 53 of 2026 (ISO 8601): the two days are one week, in two years."""
    eve, day = datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert kept(decide([eve, day], KeepRules(last=0, weekly=9, monthly=0, yearly=0))) == {day}
    assert kept(decide([eve, day], KeepRules(last=0, weekly=0, monthly=0, yearly=2))) == {eve, day}


def test_a_protected_generation_is_kept_with_its_reason() -> None:
    """It doesn't take the place of another."""
    oldest, *rest = weeks(9)
    decisions = decide(weeks(9), KeepRules(last=0, weekly=2, monthly=0, yearly=0), {oldest})
    assert kept(decisions) == {oldest, *rest[-2:]}
    assert decisions[0].reason == "Kept: made by this run."


def test_without_generations_there_is_no_decision() -> None:
    """Before the first run."""
    assert decide([], NONE) == []


def test_negative_numbers_are_refused() -> None:
    """They would cut from the wrong end."""
    with pytest.raises(ValidationError, match="weekly"):
        KeepRules(last=0, weekly=-1, monthly=0, yearly=0)


@given(generations, keeps, st.sets(instants))
def test_the_newest_is_always_kept(found: list[datetime], keep: KeepRules, more: set[datetime]) -> None:
    """As are protected ones; each generation is decided about once, in order, with a reason."""
    protected = set(found[::3]) | more
    decisions = decide(found, keep, protected)
    assert [decision.instant for decision in decisions] == sorted(set(found))
    assert kept(decisions) >= (protected & set(found)) | ({max(found)} if found else set())
    assert all(
        decision.reason.startswith("Kept: " if decision.keep else "Not kept: ") for decision in decisions
    )


@given(generations)
def test_keeping_none_keeps_the_newest(found: list[datetime]) -> None:
    """No configuration empties a vault."""
    assert kept(decide(found, NONE)) == ({max(found)} if found else set())


@given(generations, keeps)
def test_deciding_again_changes_nothing(found: list[datetime], keep: KeepRules) -> None:
    """A second run right after the first removes nothing."""
    left = kept(decide(found, keep))
    assert kept(decide(sorted(left), keep)) == left


@given(generations, keeps, keeps)
def test_keeping_more_never_keeps_less(found: list[datetime], one: KeepRules, other: KeepRules) -> None:
    """A larger number keeps every generation that a smaller one would keep."""
    larger = KeepRules(
        last=max(one.last, other.last),
        weekly=max(one.weekly, other.weekly),
        monthly=max(one.monthly, other.monthly),
        yearly=max(one.yearly, other.yearly),
    )
    assert kept(decide(found, larger)) >= kept(decide(found, one)) | kept(decide(found, other))


@given(generations, keeps)
def test_no_more_is_kept_than_was_asked_for(found: list[datetime], keep: KeepRules) -> None:
    """Except for the newest."""
    assert len(kept(decide(found, keep))) <= max(1, keep.last + keep.weekly + keep.monthly + keep.yearly)


@given(generations, keeps)
def test_removing_run_by_run_keeps_the_same_as_deciding_once(found: list[datetime], keep: KeepRules) -> None:
    """No run removes what a decision about all generations would keep."""
    left: set[datetime] = set()
    for instant in sorted(set(found)):
        left = kept(decide([*left, instant], keep))
    assert left == kept(decide(found, keep))


@given(generations, keeps, instants)
def test_what_goes_next_is_what_goes_once_another_is_there(
    present: list[datetime], keep: KeepRules, coming: datetime
) -> None:
    """It is never the next one itself."""
    gone = [one for one in decide([*present, coming], keep, {coming}) if not one.keep]
    assert next_to_remove(set(present), keep, coming) == gone
    assert coming not in {one.instant for one in gone}


def test_nothing_goes_next_while_boot_tests_are_due() -> None:
    """The next generation hasn't been boot-tested yet."""
    [old] = weeks(1)
    keep, coming = KeepRules(last=0, weekly=1, monthly=0, yearly=0), SUNDAY + timedelta(weeks=1)
    assert next_to_remove({old}, keep, coming, RetentionFacts(boot_tested={old})) == []
    assert [gone.instant for gone in next_to_remove({old}, keep, coming)] == [old]
