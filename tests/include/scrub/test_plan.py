"""The plan of a scrub: what is due, in which order, and why."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.days.published import PublishedDay
from include.ordinal_day import OrdinalDay
from include.scrub.backups import Backup, BackupStatus
from include.scrub.plan import EVERY, LONGEST_RUN, NOT_DUE, NotRead, ScrubBatch, batches, decide
from include.vms.archive import PublishedVm

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
THERE = NOW.astimezone(ZoneInfo("America/Sao_Paulo"))
AGE = timedelta(days=30)
DAMAGE = "A scrub found it damaged: 1 file is missing: 'a'."
ages = st.one_of(st.none(), st.timedeltas(timedelta(days=-3), timedelta(days=90)))


def day(
    number: int,
    age: timedelta | None = timedelta(0),
    damage: str | None = None,
    **fields: Any,  # noqa: ANN401 - any field of a status
) -> BackupStatus:
    """Return the status of a day of 2026 whose last verification is ``age`` old."""
    published = PublishedDay(OrdinalDay(2026, number), 1, Path("/vault/supim/2026"))
    return BackupStatus(Backup(published), None if age is None else NOW - age, damage, 10, **fields)


def image(vm: str, age: timedelta) -> BackupStatus:
    """Return the status of a VM's only generation."""
    published = PublishedVm(vm, NOW - age, Path("/vault"))
    return BackupStatus(Backup(published), NOW - age, None, 100)


def due(*statuses: BackupStatus) -> list[str]:
    """Return the names of the due backups, in order."""
    return [decision.status.backup.name for decision in decide(statuses, NOW, AGE) if decision.due]


@pytest.mark.parametrize(("days", "count"), [(0, 0), (21, 0), (22, 0), (23, 1), (400, 1)])
def test_a_backup_is_due_if_its_verification_would_be_too_old_before_the_next_scrub_ends(
    days: int, count: int
) -> None:
    """A scrub runs every week and may take a day: 30 days minus 8 are 22."""
    assert due(day(268, timedelta(days=days))) == ["2026-268"] * count


def test_the_oldest_verification_comes_first_and_ties_are_ordered_by_name() -> None:
    """For days and VMs alike; an unknown age counts as the oldest."""
    old, older = timedelta(days=30), timedelta(days=31)
    found = due(day(3, old), image("maq1", older), day(2, old), day(5, None, "Its record can't be read."))
    assert found == ["2026-005", f"maq1 {NOW - older:%Y-%m-%dT%H-%M-%SZ}", "2026-002", "2026-003"]


def test_a_damaged_backup_is_read_each_time_until_a_newer_one_is_intact() -> None:
    """After that it is never read again."""
    damaged, replaced = day(1, damage=DAMAGE), day(2, damage=DAMAGE, replaced_by="2026-002.r2")
    decided = decide([damaged, replaced], NOW, AGE)
    assert [(decision.due, decision.reason) for decision in decided] == [
        (True, f"It is damaged, and no newer version is intact. {DAMAGE}"),
        (False, "It is damaged, but 2026-002.r2 is newer and intact, so it isn't read again."),
    ]


def test_unreported_damage_is_read_once_even_if_a_newer_version_is_intact() -> None:
    """Such as a missing folder: whoever removed it shall see it reported."""
    lost = day(2, None, "The folder /vault is missing.", replaced_by="2026-002.r2", unreported=True)
    [decided] = decide([lost], NOW, AGE)
    assert decided.due
    assert decided.reason == "It is damaged, which no scrub has reported yet. The folder /vault is missing."


def test_a_verification_in_the_future_doesnt_count() -> None:
    """Or a wrong clock could postpone the next one for years."""
    decided, other = decide([day(1, timedelta(days=1)), day(2, timedelta(days=-1))], THERE, AGE)
    assert (decided.due, other.due) == (True, False)
    assert (
        decided.reason == "Its last verification, 2026-11-26 03:00 UTC-3, is in the future. Check the clocks."
    )


def test_a_clock_that_was_set_back_by_moments_is_no_wrong_clock() -> None:
    """A time server does that; what was verified a second ago isn't due, nor listed as from the future."""
    [decided] = decide([day(1, timedelta(minutes=-9))], NOW, AGE)
    assert not decided.due
    [wrong] = decide([day(1, timedelta(minutes=-11))], NOW, AGE)
    assert wrong.reason.endswith("is in the future. Check the clocks.")


def test_requested_backups_are_read_whenever_they_were_verified() -> None:
    """Others wait, except for what the quick check has just found."""
    old, fresh, other = day(1, timedelta(days=40)), day(2), day(3)
    found = day(4, damage="1 file is missing: 'a'.", unreported=True)
    known = day(5, damage=DAMAGE)
    decided = decide([old, fresh, other, found, known], NOW, AGE, {fresh.backup})
    assert {one.status.backup.name: (one.due, one.waits) for one in decided} == {
        "2026-001": (False, True),
        "2026-002": (True, False),
        "2026-003": (False, False),
        "2026-004": (True, False),
        "2026-005": (False, True),
    }
    *_, rest = batches(decided)
    assert rest.not_read
    assert (rest.not_read.backups, rest.not_read.due, rest.not_read.damaged) == (3, 2, 1)


def test_what_the_quick_check_cant_see_is_read() -> None:
    """Reading it reports why."""
    [decided] = decide([day(1, unchecked="This user may not read 'x'.")], NOW, AGE)
    assert decided.due
    assert decided.reason == "Its names and sizes aren't known. This user may not read 'x'."


def test_reasons_name_the_last_verification() -> None:
    """They go to the log."""
    decided = decide([day(1, timedelta(days=25)), day(2)], THERE, AGE)
    reasons = [decision.reason.removeprefix("Its last verification, ") for decision in decided]
    assert reasons == [
        "2026-10-31 03:00 UTC-3, will be older than 30 days before the next scrub ends.",
        "2026-11-25 03:00 UTC-3, will be older than 30 days only after the next scrub.",
    ]


def test_batches_are_years_of_days_and_vms_and_one_for_what_isnt_due() -> None:
    """The oldest verification comes first. A task for each of 3,650 days would be too much for Airflow."""
    old, older = timedelta(days=30), timedelta(days=31)
    replaced = day(9, damage=DAMAGE, replaced_by="2026-009.r2")
    decided = decide([day(1, old), image("maq1", older), day(2, old), day(3), day(4), replaced], NOW, AGE)
    assert batches(decided) == [
        ScrubBatch(name="VM maq1", backups=(f"maq1 {NOW - older:%Y-%m-%dT%H-%M-%SZ}",), bytes=100),
        ScrubBatch(name="SUPIM 2026", backups=("2026-001", "2026-002"), bytes=20),
        ScrubBatch(name=NOT_DUE, not_read=NotRead(backups=3, oldest=NOW, damaged=1, replaced=1)),
    ]


def test_an_empty_vault_has_no_batch() -> None:
    """So its report has no success to show."""
    assert batches(decide([], NOW, AGE), "Change something.") == []


def test_only_the_first_batch_carries_what_a_person_must_change() -> None:
    """Also if that is the batch of what isn't due."""
    found = batches(decide([day(1, timedelta(days=30)), day(2)], NOW, AGE), "Change something.")
    assert [batch.needs_action for batch in found] == ["Change something.", ""]
    [rest] = batches(decide([day(2)], NOW, AGE), "Change something.")
    assert rest.needs_action == "Change something."


@given(st.lists(ages, max_size=20))
def test_with_a_weekly_scrub_no_verification_becomes_too_old(found: list[timedelta | None]) -> None:
    """What isn't due is still recent enough when the next scrub ends."""
    statuses = [
        day(number, age, "No record." if age is None else None) for number, age in enumerate(found, 1)
    ]
    decided = decide(statuses, NOW, AGE)
    assert {decision.status.backup.name for decision in decided} == {
        status.backup.name for status in statuses
    }
    for decision in decided:
        verified = decision.status.verified
        assert decision.due or (verified and NOW + EVERY + LONGEST_RUN - verified <= AGE)
    assert decide(statuses[::-1], NOW, AGE) == decided
    read = [name for batch in batches(decided) for name in batch.backups]
    assert sorted(read) == sorted(decision.status.backup.name for decision in decided if decision.due)


def test_a_batch_names_what_replaces_damage_that_was_reported() -> None:
    """A person had both read: only damage that no scrub has reported is news."""
    known = day(2, damage=DAMAGE, replaced_by="2026-002.r2")
    fresh = day(3, damage=DAMAGE, replaced_by="2026-003.r2", unreported=True)
    both = {known.backup, fresh.backup}
    [batch] = batches(decide([known, fresh], NOW, AGE, both))
    assert (len(batch.backups), batch.replaced) == (2, {"2026-002": "2026-002.r2"})
