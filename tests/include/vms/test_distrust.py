"""What follows when something had changed that counted as unchanged: which generations are suspect."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.distrust import distrust, distrust_file, distrust_warning
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
