"""Which generation of a machine is restored, and which is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from include.errors import VaultError
from include.machines.generation import PublishedGeneration
from include.proofs import Found
from include.restore.machine_choice import choose, other_good
from include.vault import Vault
from tests.include.machines.machines import INSTANT, lay


@pytest.fixture
def weeks(vault: Vault) -> list[PublishedGeneration]:
    """Three generations, a week apart."""
    return [lay(vault, instant=INSTANT + timedelta(weeks=week), run=f"run {week}") for week in range(3)]


def audited(generation: PublishedGeneration, result: str) -> None:
    """Have an audit find something."""
    found = {
        "what": "audit",
        "when": datetime(2026, 12, 1, tzinfo=UTC),
        "result": result,
        "how": "vda differs.",
    }
    generation.proofs.append(Found.model_validate({**found, "seconds": 1, "run": "an audit"}))


def test_the_newest_is_taken_if_none_is_named(weeks: list[PublishedGeneration]) -> None:
    """It says so."""
    assert choose("maq1", weeks, None) == (weeks[2], "It is the newest.")


def test_the_newest_good_one_is_taken_where_newer_are_damaged(weeks: list[PublishedGeneration]) -> None:
    """And it's said how many are newer."""
    audited(weeks[2], "failed")
    assert choose("maq1", weeks, None) == (weeks[1], "It is the newest good one; 1 newer are damaged.")


def test_damage_that_a_later_audit_didnt_find_is_none(weeks: list[PublishedGeneration]) -> None:
    """The last audit counts."""
    audited(weeks[2], "failed")
    audited(weeks[2], "passed")
    assert choose("maq1", weeks, None).generation == weeks[2]


def test_one_that_is_named_is_taken(weeks: list[PublishedGeneration]) -> None:
    """However old."""
    assert choose("maq1", weeks, weeks[0].name) == (weeks[0], "It was asked for.")


def test_a_damaged_one_that_is_named_is_refused(weeks: list[PublishedGeneration]) -> None:
    """With what is wrong, and which one is good."""
    audited(weeks[1], "failed")
    told = (
        f"maq1 {weeks[1].name} is damaged. An audit of 2026-12-01 found: vda differs. .* is {weeks[2].name}"
    )
    with pytest.raises(VaultError, match=told):
        choose("maq1", weeks, weeks[1].name)


def test_none_is_taken_where_all_are_damaged(weeks: list[PublishedGeneration]) -> None:
    """It's said of the newest what is wrong."""
    for one in weeks:
        audited(one, "failed")
    with pytest.raises(VaultError, match=r"All generations of maq1 are damaged\. An audit of 2026-12-01"):
        choose("maq1", weeks, None)
    assert other_good(weeks[0], weeks) == "There is no other good one."


@pytest.mark.parametrize("wanted", [None, "2020-01-01T00-00-00Z"])
def test_what_isnt_there_is_told(weeks: list[PublishedGeneration], wanted: str | None) -> None:
    """With what is there."""
    with pytest.raises(VaultError, match="holds no generation of 'maq9'"):
        choose("maq9", [], wanted)
    with pytest.raises(VaultError, match=weeks[0].name):
        choose("maq1", weeks, "2020-01-01T00-00-00Z")
