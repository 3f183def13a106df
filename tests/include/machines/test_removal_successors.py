"""Removal where generations are damaged or drilled, and what lies beside a generation."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.machines.generation import Generations, PublishedGeneration
from include.machines.removal import remove_old, verdicts
from include.machines.retention import Keep
from include.proofs import Found
from include.vault import Vault
from tests.include.machines.machines import INSTANT, lay, names, record
from tests.include.test_proofs import found

WEEK = timedelta(weeks=1)
ONE = Keep(weekly=1, monthly=0, yearly=0)
DAMAGED = found(result="failed", how="1 chunk of 2 of vda.img isn't as published: bytes 0-1048575.")
BOOTED, NOT_BOOTED = found("drill"), found("drill", "failed")


@pytest.fixture
def three(tmp_path: Path) -> list[PublishedGeneration]:
    """A vault with three weeks of a machine, oldest first."""
    vault = Vault.create(tmp_path / "vault")
    return [lay(vault, instant=INSTANT - back * WEEK) for back in (2, 1, 0)]


def left(generations: list[PublishedGeneration], *, drills: bool = False) -> list[str]:
    """Remove what retention gives up, and give the days of what is left."""
    vault = Vault.open(generations[0].vault_root)
    remove_old(vault, [record()], ONE, drills={"maq1"} if drills else {"maq2"})
    return [f"{one.instant:%m-%d}" for one in Generations(vault).of("maq1")]


def test_nothing_goes_while_the_runs_own_image_is_damaged(three: list[PublishedGeneration]) -> None:
    """The older ones are all there is."""
    three[2].proofs.append(DAMAGED)
    assert left(three) == ["11-08", "11-15", "11-22"]


def test_a_damaged_one_goes_as_others_do_with_what_lies_beside_it(three: list[PublishedGeneration]) -> None:
    """What was found of it, and the picture of its last drill; those of others stay."""
    machine = three[0].folder.parent
    for generation in three:
        generation.proofs.append(DAMAGED if generation is three[0] else found())
        generation.folder.with_suffix(".png").touch()
    assert left(three) == ["11-22"]
    assert names(machine) == sorted(f"{three[2].name}{end}" for end in ("", ".png", ".proofs"))


@pytest.mark.parametrize(
    ("drill", "kept"),
    [(BOOTED, ["11-22"]), (NOT_BOOTED, ["11-08", "11-15", "11-22"]), (None, ["11-08", "11-15", "11-22"])],
)
def test_where_machines_are_drilled_the_newest_must_have_booted(
    three: list[PublishedGeneration], drill: Found | None, kept: list[str]
) -> None:
    """Of its last drill only."""
    if drill:
        three[2].proofs.append(NOT_BOOTED if drill is BOOTED else BOOTED)
        three[2].proofs.append(drill)
    assert left(three, drills=True) == kept


def test_the_reasons_tell_of_damage(three: list[PublishedGeneration]) -> None:
    """For the report, and for who asks why it's still there."""
    three[0].proofs.append(DAMAGED)
    generations = Generations(Vault.open(three[0].vault_root))
    told = verdicts(generations, "maq1", Keep(), {three[2].instant})[0].reason
    assert told.startswith("It stays: the newest of week 45 of 2026")
    assert told.endswith("An audit found it damaged.")


def test_a_removal_that_was_cut_off_is_finished_beside_the_generation_too(
    three: list[PublishedGeneration],
) -> None:
    """It had been renamed, and its proofs were there still."""
    old = three[0]
    old.proofs.append(found())
    aside = old.vault_root / ".staging" / "given-up" / f"{old.name} {old.machine}"
    aside.parent.mkdir()
    old.folder.chmod(0o700)
    old.folder.rename(aside)
    assert left(three) == ["11-22"]
    assert names(old.folder.parent) == [three[2].name]
