"""Protection, whatever its file holds, whatever the disk does, and whatever somebody typed."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from include.errors import BackupError, ProtectedError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.removal import remove
from tests.include.days.sample_days import tree
from tests.include.vms.protected_vms import OLDEST, WEEK, WHY, oldest
from tests.include.vms.sample_vms import INSTANT, lay


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A vault with that generation, for tests that leave it as it was."""
    vault = Vault.create(tmp_path_factory.mktemp("shared") / "vault")
    lay(vault, instant=INSTANT - 2 * WEEK)
    return vault


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
