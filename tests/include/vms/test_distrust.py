"""What follows when something had changed that counted as unchanged: which generations are suspect."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.distrust import distrust, distrust_file, distrust_warning, found_by
from tests.include.vms.sample_vms import INSTANT, record


@pytest.fixture
def archive(tmp_path: Path) -> VmArchive:
    """A vault with four generations: read whole, carried, without a record, carried."""
    vault = Vault.create(tmp_path / "vault")
    for week, carried in enumerate((0, 5, None, 7)):
        generation = PublishedVm("maq1", INSTANT + timedelta(days=week - 3000), vault.root)
        generation.folder.mkdir(parents=True)
        (disk, *_) = record().disks
        kept = record().model_copy(update={"disks": (disk.model_copy(update={"carried_bytes": carried}),)})
        generation.record_file.write_text("{" if carried is None else kept.model_dump_json())
    return VmArchive(vault)


def test_the_generations_since_the_last_one_that_was_read_whole_are_suspect(archive: VmArchive) -> None:
    """They are named, and count as damaged, whatever a scrub finds; one without a record may have it, too."""
    assert distrust_warning(archive, "maq1") == ""
    first, *others = archive.of("maq1")
    message = distrust(archive, "maq1", "a run", "Chunk 5 differs.")
    assert message.startswith("Chunk 5 differs. Suspect, and not counted as verified any more: ")
    assert all(one.name in message for one in others)
    assert (first.name in message, first.verification_log.damage) == (False, None)
    assert {one.verification_log.damage for one in others} == {"It is suspect: Chunk 5 differs."}
    assert {one.verification_log.read()[0].what for one in others} == {"reread"}


def test_a_killed_run_finishes_it(archive: VmArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is repeated, it knows what it found, and marks what it hadn't marked."""
    assert found_by(archive, "maq1", "a run") == ""
    with monkeypatch.context() as full:
        full.setattr("include.vault.verification_log.VerificationLog.append", _on_a_full_disk)
        with pytest.raises(OSError, match="full"):
            distrust(archive, "maq1", "a run", "Chunk 5 differs.")
    assert found_by(archive, "maq1", "another run") == ""
    assert not any(one.verification_log.damage for one in archive.of("maq1"))
    for _ in range(2):
        assert found_by(archive, "maq1", "a run").startswith("Chunk 5 differs. Suspect")
    first, *others = archive.of("maq1")
    assert [len(one.verification_log.read()) for one in (first, *others)] == [0, 1, 1, 1]


def _on_a_full_disk(*_: object) -> None:
    raise OSError("The disk is full.")


def test_it_lasts_until_a_person_removes_the_file(archive: VmArchive) -> None:
    """Each report names it; a damaged file counts, too."""
    distrust(archive, "maq1", "a run", "Chunk 5 differs.")
    file = distrust_file(archive, "maq1")
    assert distrust_warning(archive, "maq1").endswith(f"Once that is understood, remove {file}.")
    file.write_text("{")
    assert distrust_warning(archive, "maq1").startswith(f"Its disks are read whole. {file} can't be read")
    file.unlink()
    assert distrust_warning(archive, "maq1") == ""
    assert distrust_warning(archive, "maq2") == ""
