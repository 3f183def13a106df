"""Removal where generations are damaged or boot-tested, and of the files beside a generation."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.config.vms import KeepRules
from include.vault.vault import Vault
from include.vault.verification_log import LogEntry
from include.vms.archive import PublishedVm, VmArchive
from include.vms.removal import apply_retention, decisions
from tests.include.vault.test_verification_log import found
from tests.include.vms.sample_vms import AHEAD, INSTANT, lay, lay_ahead, names, record

WEEK = timedelta(weeks=1)
ONE, TWO = KeepRules(last=0, weekly=1, monthly=0, yearly=0), KeepRules(last=0, weekly=2, monthly=0, yearly=0)
DAMAGED = found(result="failed", how="1 chunk of 2 of vda.img isn't as published: bytes 0-1048575.")
BOOTED, NOT_BOOTED = found("boot_test"), found("boot_test", "failed")


@pytest.fixture
def three(tmp_path: Path) -> list[PublishedVm]:
    """A vault with three weeks of a VM, oldest first."""
    vault = Vault.create(tmp_path / "vault")
    return [lay(vault, instant=INSTANT - back * WEEK) for back in (2, 1, 0)]


def left(generations: list[PublishedVm], *, boot_tests: bool = False) -> list[str]:
    """Apply retention, and return the dates of what is left."""
    vault = Vault.open(generations[0].vault_root)
    apply_retention(vault, [record()], ONE, boot_tests={"maq1"} if boot_tests else {"maq2"})
    return [f"{one.instant:%m-%d}" for one in VmArchive(vault).of("maq1")]


def test_nothing_goes_while_the_runs_own_image_is_damaged(three: list[PublishedVm]) -> None:
    """The older ones are the only intact ones."""
    three[2].verification_log.append(DAMAGED)
    assert left(three) == ["11-08", "11-15", "11-22"]


def test_a_damaged_generation_is_removed_with_the_files_beside_it(three: list[PublishedVm]) -> None:
    """Its verification log, and the screenshot of its boot test; those of others stay."""
    vm = three[0].folder.parent
    for generation in three:
        generation.verification_log.append(DAMAGED if generation is three[0] else found())
        generation.folder.with_suffix(".png").touch()
    assert left(three) == ["11-22"]
    assert names(vm) == sorted(f"{three[2].name}{end}" for end in ("", ".png", ".verifications"))


@pytest.mark.parametrize(
    ("boot_test", "kept"),
    [(BOOTED, ["11-22"]), (NOT_BOOTED, ["11-08", "11-15", "11-22"]), (None, ["11-08", "11-15", "11-22"])],
)
def test_where_vms_are_boot_tested_nothing_is_removed_until_the_newest_has_booted(
    three: list[PublishedVm], boot_test: LogEntry | None, kept: list[str]
) -> None:
    """Only its last boot test counts."""
    if boot_test:
        three[2].verification_log.append(NOT_BOOTED if boot_test is BOOTED else BOOTED)
        three[2].verification_log.append(boot_test)
    assert left(three, boot_tests=True) == kept


def test_a_generation_dated_in_the_future_goes_by_when_it_was_verified(three: list[PublishedVm]) -> None:
    """It is no successor of the others, and doesn't stay until its date."""
    vault = Vault.open(three[0].vault_root)
    ahead = lay_ahead(vault, verified=INSTANT - 2 * WEEK + timedelta(hours=1))
    assert VmArchive(vault).of("maq1")[0] == ahead
    two = {d.instant: d for d in decisions(VmArchive(vault), "maq1", TWO, {three[2].instant})}
    assert {instant for instant, decision in two.items() if decision.keep} == {
        one.instant for one in three[1:]
    }
    assert two[ahead.instant].reason.endswith(
        "It is dated 2099-01-04T05-00-00Z, which is in the future: a clock was wrong."
    )
    assert left(three) == ["11-22"]


def test_a_generation_only_dated_in_the_future_is_left_to_a_person(three: list[PublishedVm]) -> None:
    """Even its verification is: nobody knows when it was made."""
    vault = Vault.open(three[0].vault_root)
    lay_ahead(vault, verified=AHEAD)
    assert left(three) == ["01-04", "11-22"]


def test_the_reason_mentions_damage(three: list[PublishedVm]) -> None:
    """Beside the reason why the generation is kept."""
    three[0].verification_log.append(DAMAGED)
    generations = VmArchive(Vault.open(three[0].vault_root))
    reason = decisions(generations, "maq1", KeepRules(last=0), {three[2].instant})[0].reason
    assert reason.startswith("Kept: the newest of week 45 of 2026")
    assert reason.endswith(f"A scrub found it damaged: {DAMAGED.how}")


def test_an_interrupted_removal_is_completed_including_the_files_beside_it(
    three: list[PublishedVm],
) -> None:
    """The folder had been renamed, and its verification log was left."""
    old = three[0]
    old.verification_log.append(found())
    aside = old.vault_root / ".staging" / "removing" / f"{old.name} {old.vm}"
    aside.parent.mkdir()
    old.folder.chmod(0o700)
    old.folder.rename(aside)
    assert left(three) == ["11-22"]
    assert names(old.folder.parent) == [three[2].name]
