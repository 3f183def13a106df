"""What is due: the oldest proof first, with reasons, and nothing grows older than it may."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.audit.backups import Backup, Standing
from include.audit.due import EVERY, LONGEST_RUN, REST, Batch, batches, decide
from include.machines.generation import PublishedGeneration
from include.ordinal_day import OrdinalDay
from include.vault import PublishedDay

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
AGE = timedelta(days=30)
DAMAGE = "An audit found it damaged: 1 file is missing: 'a'."
ages = st.one_of(st.none(), st.timedeltas(timedelta(days=-3), timedelta(days=90)))


def day(
    number: int,
    age: timedelta | None = timedelta(0),
    damage: str | None = None,
    **facts: Any,  # noqa: ANN401 - any of a standing
) -> Standing:
    """Give how it stands with a day of 2026 whose last proof is so old."""
    published = PublishedDay(OrdinalDay(2026, number), 1, Path("/vault/supim/2026"))
    return Standing(Backup(published), None if age is None else NOW - age, damage, 10, **facts)


def image(machine: str, age: timedelta) -> Standing:
    """Give how it stands with a machine's only generation."""
    published = PublishedGeneration(machine, NOW - age, Path("/vault"))
    return Standing(Backup(published), NOW - age, None, 100)


def due(*standings: Standing) -> list[str]:
    """Give the names of what is due, in order."""
    return [one.standing.backup.name for one in decide(standings, NOW, AGE) if one.due]


@pytest.mark.parametrize(("days", "is_due"), [(0, False), (21, False), (22, False), (23, True), (400, True)])
def test_a_proof_is_due_that_would_be_too_old_before_the_next_audit_is_done(days: int, is_due: bool) -> None:  # noqa: FBT001 - the example
    """An audit comes every week, and may take a day: 30 days less 8 leave 22."""
    assert due(day(268, timedelta(days=days))) == ["2026-268"] * is_due


def test_the_oldest_proof_comes_first_and_equals_by_name() -> None:
    """Of days and machines alike; what nobody knows the age of is oldest of all."""
    old, older = timedelta(days=30), timedelta(days=31)
    found = due(day(3, old), image("maq1", older), day(2, old), day(5, None, "Its record can't be read."))
    assert found == ["2026-005", f"maq1 {NOW - older:%Y-%m-%dT%H-%M-%SZ}", "2026-002", "2026-003"]


def test_what_is_damaged_is_read_each_time_until_a_newer_one_is_whole() -> None:
    """Then there's nothing more to learn of it."""
    damaged, replaced = day(1, damage=DAMAGE), day(2, damage=DAMAGE, replaced_by="2026-002.r2")
    decided = decide([damaged, replaced], NOW, AGE)
    assert [(one.due, one.reason) for one in decided] == [
        (True, f"It is damaged, and no newer version is whole. {DAMAGE}"),
        (False, "It is damaged, and 2026-002.r2 is newer and whole: it isn't read any more."),
    ]


def test_damage_that_nobody_was_told_of_is_read_once_even_if_a_newer_one_is_whole() -> None:
    """A folder that vanished, say: whoever removed it is to know that it was noticed."""
    lost = day(2, None, "The folder /vault is missing.", replaced_by="2026-002.r2", untold=True)
    [decided] = decide([lost], NOW, AGE)
    assert decided.due
    assert decided.reason == "It is damaged, and nobody has been told so. The folder /vault is missing."


def test_a_proof_of_a_time_to_come_is_no_proof() -> None:
    """A clock that went wrong would put it off for years."""
    (decided,) = decide([day(1, timedelta(days=-1))], NOW, AGE)
    assert decided.due
    assert decided.reason == "Its last proof is of a time to come, 2026-11-26 06:00 UTC: clocks differ."


def test_reasons_are_sentences_with_the_times() -> None:
    """For the log."""
    reasons = [one.reason for one in decide([day(1, timedelta(days=25)), day(2)], NOW, AGE)]
    assert reasons == [
        "Its last proof, of 2026-10-31 06:00 UTC, is older than 30 days before the next audit is done.",
        "Its last proof, of 2026-11-25 06:00 UTC, is older than 30 days only after the next audit.",
    ]


def test_batches_are_years_and_machines_and_one_for_the_rest() -> None:
    """That with the oldest proof first; a task for each of 3,650 days would be too many for Airflow."""
    old, older = timedelta(days=30), timedelta(days=31)
    replaced = day(9, damage=DAMAGE, replaced_by="2026-009.r2")
    decided = decide([day(1, old), image("maq1", older), day(2, old), day(3), day(4), replaced], NOW, AGE)
    assert batches(decided) == [
        Batch(name="maq1", backups=(f"maq1 {NOW - older:%Y-%m-%dT%H-%M-%SZ}",), bytes=100),
        Batch(name="SUPIM 2026", backups=("2026-001", "2026-002"), bytes=20),
        Batch(
            name=REST,
            reason="2 backups proven within the time set: the oldest proof is of 2026-11-25 06:00 UTC. "
            "1 damaged backup not read: a newer version is whole.",
        ),
    ]


def test_an_empty_vault_has_no_batch() -> None:
    """And so the report has nothing good to say."""
    assert batches(decide([], NOW, AGE), "Change something.") == []


def test_what_a_person_must_change_is_said_with_the_first_batch() -> None:
    """Whichever that is: also where nothing is due."""
    found = batches(decide([day(1, timedelta(days=30)), day(2)], NOW, AGE), "Change something.")
    assert [one.needs_person for one in found] == ["Change something.", ""]
    [rest] = batches(decide([day(2)], NOW, AGE), "Change something.")
    assert rest.needs_person == "Change something."


@given(st.lists(ages, max_size=20))
def test_with_an_audit_each_week_no_proof_grows_too_old(found: list[timedelta | None]) -> None:
    """What isn't due now is young enough still when the next audit is done."""
    standings = [
        day(number, age, "No record." if age is None else None) for number, age in enumerate(found, 1)
    ]
    decided = decide(standings, NOW, AGE)
    assert {one.standing.backup.name for one in decided} == {one.backup.name for one in standings}
    for one in decided:
        proven = one.standing.proven
        assert one.due or (proven and NOW + EVERY + LONGEST_RUN - proven <= AGE)
    assert decide(standings[::-1], NOW, AGE) == decided
    read = [name for batch in batches(decided) for name in batch.backups]
    assert sorted(read) == sorted(one.standing.backup.name for one in decided if one.due)
