"""Protection: what a person protects survives every removal, until it is lifted."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.config.vms import KeepRules
from include.errors import BackupError, NoSpaceError, ProtectedError, RescheduleError, VaultError
from include.vault.locks import locked_existing
from include.vault.vault import Vault
from include.vms import removal
from include.vms.archive import PublishedVm, VmArchive
from include.vms.protection import Protection
from include.vms.removal import apply_retention, due_removals, remove
from tests.include.days.sample_days import tree
from tests.include.vms.sample_vms import INSTANT, lay, lay_ahead, names, record, verified

WEEK = timedelta(weeks=1)
NONE = KeepRules(last=0, weekly=0, monthly=0, yearly=0)
OLDEST = "2026-11-08T05-00-03Z"
WHY = "before the patch of 12 November"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with three weeks of a VM."""
    vault = Vault.create(tmp_path / "vault")
    for back in range(3):
        lay(vault, instant=INSTANT - back * WEEK)
    return vault


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A vault with that generation, for tests that leave it as it was."""
    vault = Vault.create(tmp_path_factory.mktemp("shared") / "vault")
    lay(vault, instant=INSTANT - 2 * WEEK)
    return vault


@pytest.fixture
def archive(vault: Vault) -> VmArchive:
    """Its VMs."""
    return VmArchive(vault)


def oldest(vault: Vault) -> PublishedVm:
    """Return the generation that would go first."""
    return VmArchive(vault).named("maq1", OLDEST)


def left(vault: Vault) -> list[str]:
    """Return the names of the generations, all intact."""
    generations = VmArchive(vault).of("maq1")
    assert all(verified(generation) for generation in generations)
    return [generation.name for generation in generations]


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


def torn(path: Path) -> None:
    """Cut it off, as a power cut may on some file systems."""
    path.write_bytes(path.read_bytes()[:17])


def nonsense(path: Path) -> None:
    """Write anything but text."""
    path.write_bytes(os.urandom(1 << 17))


def empty(path: Path) -> None:
    """Write it as `touch` does."""
    path.write_bytes(b"")


def another_shape(path: Path) -> None:
    """Write JSON of something else."""
    path.write_text('{"who": ["ana"], "when": 7, "why": {"a": 1}}')


def deep(path: Path) -> None:
    """Write JSON that no parser likes."""
    path.write_text("[" * 60_000)


def dangling(path: Path) -> None:
    """Replace it by a link to nowhere."""
    path.unlink()
    path.symlink_to("/no/such/file")


def linked(path: Path) -> None:
    """Replace it by a link to a file with a secret."""
    path.unlink()
    path.symlink_to("/etc/passwd")


def folder(path: Path) -> None:
    """Replace it by a folder."""
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    """Replace it by a pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def test_a_disk_that_cant_tell_protects(shared: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has errors just where the file is, or would be."""
    asked = oldest(shared).protection_file

    def fail(path: object, *_: object, **__: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    with monkeypatch.context() as disk:
        disk.setattr(os, "open", fail)
        disk.setattr(os, "lstat", fail)
        found = asked.read()
    assert found
    assert "can't be read as a protection" in found.why
    assert not asked.read()


@pytest.mark.parametrize(
    "change", [torn, nonsense, empty, another_shape, deep, dangling, linked, folder, pipe]
)
def test_whatever_is_in_the_file_it_protects(shared: Vault, change: Callable[[Path], None]) -> None:
    """It says so, and fails nothing."""
    VmArchive(shared).protect("maq1", OLDEST, who="ana", why=WHY)
    path = shared.root / "vm" / "maq1" / f"{OLDEST}.protected"
    try:
        change(path)
        [reason] = [one.protection.reason for one in VmArchive(shared).every("maq1") if one.protection]
        assert reason == f"protected by somebody: {path.name} is there, but can't be read as a protection"
        with pytest.raises(ProtectedError):
            remove(oldest(shared))
    finally:
        path.rmdir() if path.is_dir() else path.unlink()
    assert oldest(shared).protection is None


@pytest.mark.parametrize(
    ("vm", "generation"),
    [
        ("maq1", "2026-11-09T05-00-03Z"), ("maq1", ""), ("maq1", "../maq1/" + OLDEST), ("maq1", "/etc"),
        ("maq1", OLDEST + ".protected"), ("maq1", OLDEST + "\n"), ("maq1", "a\0b"), ("maq9", OLDEST),
        ("..", OLDEST), ("../vm/maq1", OLDEST), ("", OLDEST), (".staging", OLDEST), ("a\0b", OLDEST),
    ],
)  # fmt: skip
def test_names_from_outside_lead_nowhere(shared: Vault, vm: str, generation: str) -> None:
    """Nothing is written, and nothing lifted."""
    before, archive = tree(shared.root), VmArchive(shared)
    with pytest.raises(BackupError):
        archive.protect(vm, generation, who="ana", why=WHY)
    with pytest.raises(BackupError):
        archive.lift_protection(vm, generation)
    assert tree(shared.root) == before


@pytest.mark.parametrize(
    ("who", "why"), [("ana", ""), ("ana", " \n"), ("", WHY), ("ana", "x" * 301), ("a" * 101, WHY)]
)
def test_a_protection_says_by_whom_and_why(shared: Vault, who: str, why: str) -> None:
    """Both are required, and short."""
    with pytest.raises(BackupError, match="needs a reason of 1 to 300 characters"):
        VmArchive(shared).protect("maq1", OLDEST, who=who, why=why)
    assert oldest(shared).protection is None


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


def test_what_is_being_removed_cant_be_protected(vault: Vault, archive: VmArchive) -> None:
    """A protection never promises what it can't keep."""
    with (
        locked_existing(oldest(vault).folder, fcntl.LOCK_EX, "a removal"),
        pytest.raises(RescheduleError),
    ):
        archive.protect("maq1", OLDEST, who="ana", why=WHY)
    assert oldest(vault).protection is None


def test_a_protection_and_a_removal_at_once_agree(vault: Vault, archive: VmArchive) -> None:
    """Either the person hears that it is protected, and it stays, or that it couldn't be."""
    for back in range(3, 6):
        name = lay(vault, instant=INSTANT - back * WEEK).name
        with ThreadPoolExecutor(2) as threads:
            removing = threads.submit(apply_retention, vault, [record()], NONE)
            protecting = threads.submit(archive.protect, "maq1", name, who="ana", why=WHY)
        assert removing.exception() is None
        refused = protecting.exception()
        assert refused is None or isinstance(refused, RescheduleError | VaultError)
        assert (refused is None) == (name in left(vault))


def test_two_weekly_runs_at_once_remove_neither_of_their_images(vault: Vault) -> None:
    """Each decides about what is in the vault then; the other's is one of the last."""
    minutes = [INSTANT + timedelta(minutes=number) for number in (1, 2)]
    made = [record(instant=lay(vault, instant=instant).instant) for instant in minutes]
    keep = NONE.model_copy(update={"last": 2})
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(apply_retention, vault, [one], keep) for one in made]
    busy = [run.exception() for run in runs if run.exception()]
    assert all(isinstance(refused, RescheduleError) for refused in busy)
    apply_retention(vault, made[:1], keep)
    assert left(vault) == [f"{instant:%Y-%m-%dT%H-%M-%SZ}" for instant in minutes]


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
