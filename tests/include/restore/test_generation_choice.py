"""The choice of the generation to restore."""

from datetime import UTC, datetime, timedelta

import pytest

from include.errors import NotInVaultError, VaultError
from include.restore.generation_choice import choose, other_undamaged
from include.vault.vault import Vault
from include.vault.verification_log import LogEntry
from include.vms.archive import PublishedVm, VmArchive
from tests.include.vms.sample_vms import INSTANT, lay, lay_ahead


@pytest.fixture
def weeks(vault: Vault) -> list[PublishedVm]:
    """Three generations, a day apart."""
    return [lay(vault, instant=INSTANT + timedelta(days=week), run=f"run {week}") for week in range(3)]


def scrubbed(generation: PublishedVm, result: str) -> None:
    """Record the result of a scrub."""
    entry = {
        "what": "scrub",
        "when": datetime(2026, 12, 1, tzinfo=UTC),
        "result": result,
        "how": "vda differs.",
    }
    generation.verification_log.append(LogEntry.model_validate({**entry, "seconds": 1, "run": "a scrub"}))


def test_the_newest_is_chosen_by_default(weeks: list[PublishedVm]) -> None:
    """The reason says so."""
    assert choose("maq1", weeks, None) == (weeks[2], "It is the newest.")


def test_damaged_newer_generations_are_skipped(weeks: list[PublishedVm]) -> None:
    """The reason has their number."""
    scrubbed(weeks[2], "failed")
    assert choose("maq1", weeks, None) == (weeks[1], "It is the newest undamaged one (newer and damaged: 1).")


def test_damage_that_a_later_scrub_didnt_find_doesnt_count(weeks: list[PublishedVm]) -> None:
    """The last scrub counts."""
    scrubbed(weeks[2], "failed")
    scrubbed(weeks[2], "passed")
    assert choose("maq1", weeks, None).generation == weeks[2]


def test_a_generation_dated_in_the_future_isnt_the_default(vault: Vault, weeks: list[PublishedVm]) -> None:
    """A clock was wrong when it was made. By its name it is restored."""
    ahead = lay_ahead(vault)
    generations = VmArchive(vault).of("maq1")
    reason = "It is the newest undamaged one (dated in the future: 1)."
    assert choose("maq1", generations, None) == (weeks[2], reason)
    requested = choose("maq1", generations, ahead.name)
    assert requested == (ahead, "It was requested. It is dated in the future: a clock was wrong.")
    with pytest.raises(
        VaultError, match=r"The only undamaged generation of maq1 is dated in the future: 2099"
    ):
        choose("maq1", [ahead], None)


def test_a_requested_generation_is_chosen(weeks: list[PublishedVm]) -> None:
    """However old."""
    assert choose("maq1", weeks, weeks[0].name) == (weeks[0], "It was requested.")


def test_a_requested_generation_that_is_damaged_is_refused(weeks: list[PublishedVm]) -> None:
    """The message has the damage, and an undamaged generation."""
    scrubbed(weeks[1], "failed")
    message = f"maq1 {weeks[1].name} is damaged. A scrub found it damaged: vda differs. .* is {weeks[2].name}"
    with pytest.raises(VaultError, match=message):
        choose("maq1", weeks, weeks[1].name)


def test_nothing_is_chosen_if_all_are_damaged(weeks: list[PublishedVm]) -> None:
    """The message has the damage of the newest."""
    for generation in weeks:
        scrubbed(generation, "failed")
    with pytest.raises(VaultError, match=r"All generations of maq1 are damaged\. A scrub found"):
        choose("maq1", weeks, None)
    assert other_undamaged(weeks[0], weeks) == "No generation is undamaged."


@pytest.mark.parametrize("requested", [None, "2020-01-01T00-00-00Z"])
def test_a_missing_generation_is_an_error(weeks: list[PublishedVm], requested: str | None) -> None:
    """The message has those that exist."""
    with pytest.raises(NotInVaultError, match="holds no generation of 'maq9'") as missing:
        choose("maq9", [], requested)
    assert missing.value.about == "'maq9'"
    with pytest.raises(NotInVaultError, match=weeks[0].name):
        choose("maq1", weeks, "2020-01-01T00-00-00Z")
