"""Protection: what a person protects survives every removal, until it is lifted."""

import errno
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.errors import NoSpaceError, ProtectedError, VaultError
from include.vault.vault import Vault
from include.vms import removal
from include.vms.archive import VmArchive
from include.vms.protection import Protection
from include.vms.removal import apply_retention, due_removals, remove
from tests.include.days.sample_days import tree
from tests.include.vms.protected_vms import NONE, OLDEST, WHY, left, oldest, three_weeks
from tests.include.vms.sample_vms import lay, lay_ahead, names, record, verified


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with three weeks of a VM."""
    return three_weeks(tmp_path / "vault")


@pytest.fixture
def archive(vault: Vault) -> VmArchive:
    """Its VMs."""
    return VmArchive(vault)


def test_a_protected_generation_survives_until_its_protection_is_lifted(
    vault: Vault, archive: VmArchive
) -> None:
    """Its folder isn't changed by a byte; who, when and why are beside it."""
    before = tree(oldest(vault).folder)
    protection = archive.protect("maq1", OLDEST, who="ana", why=WHY)
    assert (protection.who, protection.why) == ("ana", WHY)
    assert json.loads((vault.root / "vm" / "maq1" / f"{OLDEST}.protected").read_bytes()) == {
        "who": "ana",
        "when": f"{protection.when:%Y-%m-%dT%H:%M:%SZ}",
        "why": WHY,
    }
    assert [f"{one.instant:%m-%d}" for one in apply_retention(vault, [record()], NONE)] == ["11-15"]
    assert left(vault) == [OLDEST, "2026-11-22T05-00-03Z"]
    assert tree(oldest(vault).folder) == before

    assert archive.lift_protection("maq1", OLDEST) == protection
    assert due_removals(vault, [record()], NONE)[0].instant == oldest(vault).instant
    apply_retention(vault, [record()], NONE)
    assert names(vault.root / "vm" / "maq1") == ["2026-11-22T05-00-03Z"]


def test_removal_itself_refuses_a_protected_generation(vault: Vault, archive: VmArchive) -> None:
    """Whoever asks for it, for example to make room on a full disk."""
    archive.protect("maq1", OLDEST, who="ana", why=WHY)
    with pytest.raises(ProtectedError, match=f"maq1 {OLDEST} is protected by ana: {WHY}"):
        remove(oldest(vault))
    assert verified(oldest(vault))


def test_a_protection_that_comes_after_the_decision_counts(
    vault: Vault, archive: VmArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again right before the removal; nobody has to act."""
    due = due_removals(vault, [record()], NONE)
    archive.protect("maq1", OLDEST, who="ana", why=WHY)
    monkeypatch.setattr(removal, "due_removals", lambda *_, **__: due)
    assert [f"{one.instant:%m-%d}" for one in apply_retention(vault, [record()], NONE)] == ["11-15"]
    assert left(vault) == [OLDEST, "2026-11-22T05-00-03Z"]


def test_the_reason_is_one_printable_line(vault: Vault, archive: VmArchive) -> None:
    """It goes into mails and onto the page."""
    archive.protect("maq1", OLDEST, who="ana\x1b[1m", why=" before\nthe patch. ")
    protection = oldest(vault).protection
    assert protection
    assert protection.reason == r"protected by ana\x1b[1m: before\nthe patch"


def test_the_first_protection_stays_until_it_is_lifted(vault: Vault, archive: VmArchive) -> None:
    """A second person would lift the first one's with their own."""
    archive.protect("maq1", OLDEST, who="ana", why=WHY)
    with pytest.raises(VaultError, match=r"is protected by ana: before the patch .*Lift that first"):
        archive.protect("maq1", OLDEST, who="rui", why="an audit")
    archive.lift_protection("maq1", OLDEST)
    with pytest.raises(VaultError, match="isn't protected"):
        archive.lift_protection("maq1", OLDEST)
    archive.protect("maq1", OLDEST, who="rui", why="an audit")
    assert (oldest(vault).protection or Protection.now("x", "y")).who == "rui"


def test_a_clock_that_was_set_back_or_ahead_lifts_no_protection(vault: Vault, archive: VmArchive) -> None:
    """Neither that of the image nor that of the protection counts."""
    ahead = lay_ahead(vault)
    for name in (ahead.name, OLDEST):
        archive.protect("maq1", name, who="ana", why=WHY)
        path = vault.root / "vm" / "maq1" / f"{name}.protected"
        path.write_text(path.read_text().replace('"when": "20', '"when": "19'))
    early = lay(vault, instant=datetime(1999, 1, 3, 5, tzinfo=UTC))
    archive.protect("maq1", early.name, who="ana", why=WHY)
    apply_retention(vault, [record()], NONE)
    assert {one.name for one in archive.of("maq1")} == {
        ahead.name, early.name, OLDEST, "2026-11-22T05-00-03Z",
    }  # fmt: skip
    assert all(one.protection for one in archive.of("maq1") if one.name != "2026-11-22T05-00-03Z")


def test_a_full_vault_says_so(vault: Vault, archive: VmArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks protected that isn't."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("include.vms.protection.write_json", full)
    with pytest.raises(NoSpaceError, match="is full"):
        archive.protect("maq1", OLDEST, who="ana", why=WHY)
    assert oldest(vault).protection is None


def test_what_is_read_can_be_protected(vault: Vault, archive: VmArchive) -> None:
    """A scrub has it locked for hours."""
    with vault.lock_published(oldest(vault).folder, "a scrub"):
        archive.protect("maq1", OLDEST, who="ana", why=WHY)
    assert oldest(vault).protection


def test_a_protected_generation_whose_folder_is_gone_is_missed(vault: Vault, archive: VmArchive) -> None:
    """Somebody removed it by hand; its protection can be lifted, and then nothing is left of it."""
    archive.protect("maq1", OLDEST, who="ana", why=WHY)
    oldest(vault).folder.chmod(0o755)
    oldest(vault).folder.rename(vault.root.parent / "elsewhere")
    assert [one.name for one in archive.every("maq1") if one.is_lost] == [OLDEST]
    archive.lift_protection("maq1", OLDEST)
    assert OLDEST not in {one.name for one in archive.every("maq1")}


def test_a_vm_behind_a_link_gets_no_protection(vault: Vault, archive: VmArchive, tmp_path: Path) -> None:
    """Its folder isn't in the vault."""
    (vault.root / "vm" / "maq1").rename(tmp_path / "maq1")
    (vault.root / "vm" / "maq1").symlink_to(tmp_path / "maq1")
    with pytest.raises(VaultError, match="leads out of the vault"):
        archive.protect("maq1", OLDEST, who="ana", why=WHY)
    assert f"{OLDEST}.protected" not in names(tmp_path / "maq1")


def test_protection_knows_when_it_was_set(vault: Vault, archive: VmArchive) -> None:
    """To the second, in UTC."""
    began = datetime.now(UTC).replace(microsecond=0)
    archive.protect("maq1", OLDEST, who="ana", why=WHY)
    protection = oldest(vault).protection
    assert protection
    assert protection.when
    assert began <= protection.when <= datetime.now(UTC)
