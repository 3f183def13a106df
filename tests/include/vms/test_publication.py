"""Publication: read-only, without overwriting, and with the rename last."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import VaultError
from include.vault.files import FILE_MODE, FOLDER_MODE
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.publication import publish
from tests.include.project_process import python
from tests.include.vms.sample_vms import IMAGES, lay, names, record, stage, verified
from tests.session.needs import plain_user


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_verified_images_become_a_generation(vault: Vault) -> None:
    """Named after its instant, with record and checksums, which sha256sum verifies; staging is empty."""
    generation = lay(vault)
    assert generation.folder == vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z"
    assert names(generation.folder) == [
        "SHA256SUMS", "domain.xml", "record.json", "vda.chunks", "vda.img", "vdb.chunks", "vdb.img",
    ]  # fmt: skip
    assert {name: generation.image(name).read_bytes() for name in IMAGES} == IMAGES
    assert generation.record == record()
    assert verified(generation)
    assert VmArchive(vault).of("maq1") == [generation]
    assert not VmArchive(vault).staged("maq1").folder.exists()


def test_everything_published_is_read_only(vault: Vault) -> None:
    """An accidental deletion changes nothing."""
    generation = lay(vault)
    assert {path.stat().st_mode & 0o7777 for path in generation.folder.iterdir()} == {FILE_MODE}
    assert generation.folder.stat().st_mode & 0o7777 == FOLDER_MODE
    deletion = "import sys, shutil; shutil.rmtree(sys.argv[1], ignore_errors=True)"
    python(deletion, str(generation.folder), prefix=plain_user())
    assert verified(generation)


def test_an_image_dated_in_the_future_isnt_published(vault: Vault) -> None:
    """It would count as the newest for years; it stays in staging."""
    with pytest.raises(VaultError, match=r"maq1: its image would be 2\d{3}-.*Z, which is in the future"):
        lay(vault, instant=datetime.now(UTC) + timedelta(hours=1))
    assert VmArchive(vault).every("maq1") == []
    assert VmArchive(vault).staged("maq1").draft.exists()


def test_nothing_is_ever_overwritten(vault: Vault) -> None:
    """Not even an empty folder, which rename(2) would replace."""
    target = vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z"
    target.mkdir(parents=True)
    with pytest.raises(VaultError, match="exists already"):
        lay(vault)
    assert names(target) == []
    assert VmArchive(vault).staged("maq1").draft.exists()


def test_other_files_in_staging_arent_published(vault: Vault) -> None:
    """Leftovers of the transfer have no checksum."""
    with VmArchive(vault).lock("maq1") as staged:
        stage(staged)
        (staged.data / "vda.part").write_text("left over")
        (staged.data / "sub").mkdir()
        generation = publish(staged)
    assert verified(generation)


def test_images_stay_sparse(vault: Vault) -> None:
    """Publishing renames them."""
    with VmArchive(vault).lock("maq1") as staged:
        stage(staged)
        os.truncate(staged.image("vdb"), 1 << 30)
        generation = publish(staged)
    assert generation.image("vdb").stat().st_blocks < 100


KILLED = """
import os, subprocess, sys
from itertools import count
from include.vms.archive import VmArchive
from include.vms.publication import publish
from include.vault.vault import Path, Vault
from tests.include.vms.sample_vms import INSTANT, verified, record
from tests.include.days.worker import Fate

def take(vault):
    with VmArchive(vault).lock("maq1") as staged:
        if staged.draft.exists() and staged.data.exists():
            publish(staged)
        staged.clear()
        (generation,) = VmArchive(vault).of("maq1")
        generation.seal()

for change in count(1):
    copy = Path(f"{sys.argv[1]}.{change}")
    subprocess.run(["cp", "--archive", sys.argv[1], copy], check=True)
    vault = Vault(copy)
    child = os.fork()
    if child == 0:
        sys.addaudithook(Fate(str(copy), die_before=change))
        take(vault)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    for generation in VmArchive(vault).of("maq1"):
        assert verified(generation)
    take(vault)
    (generation,) = VmArchive(vault).of("maq1")
    assert verified(generation) and generation.record == record()
    assert not VmArchive(vault).staged("maq1").folder.exists()
    assert generation.folder.stat().st_mode & 0o222 == 0
    if not killed:
        break
print(change)
"""


def test_publishing_can_be_killed_before_each_change(vault: Vault) -> None:
    """A generation exists complete and verified, or not at all; publishing can be repeated."""
    with VmArchive(vault).lock("maq1") as staged:
        stage(staged)
    assert int(python(KILLED, str(vault.root), prefix=plain_user())) > 15
