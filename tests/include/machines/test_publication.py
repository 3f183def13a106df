"""Publishing: read-only, never over anything, and the rename comes last."""

import os
from pathlib import Path

import pytest

from include.errors import VaultError
from include.machines.generation import Generations
from include.machines.publication import publish
from include.publication import FILE_MODE, FOLDER_MODE
from include.vault import Vault
from tests.include.machine import plain_user, python
from tests.include.machines.machines import IMAGES, lay, names, proven, record, stage


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_proven_images_become_a_generation(vault: Vault) -> None:
    """Under its instant, with its sums and its record; sha256sum proves all of it, and nothing is left."""
    generation = lay(vault)
    assert generation.folder == vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z"
    assert names(generation.folder) == [
        "SHA256SUMS", "domain.xml", "record.json", "vda.chunks", "vda.img", "vdb.chunks", "vdb.img",
    ]  # fmt: skip
    assert {name: generation.image(name).read_bytes() for name in IMAGES} == IMAGES
    assert generation.record == record()
    assert proven(generation)
    assert Generations(vault).of("maq1") == [generation]
    assert not Generations(vault).staged("maq1").folder.exists()


def test_everything_published_is_read_only(vault: Vault) -> None:
    """A slip of the hand changes nothing."""
    generation = lay(vault)
    assert {path.stat().st_mode & 0o7777 for path in generation.folder.iterdir()} == {FILE_MODE}
    assert generation.folder.stat().st_mode & 0o7777 == FOLDER_MODE
    slip = "import sys, shutil; shutil.rmtree(sys.argv[1], ignore_errors=True)"
    python(slip, str(generation.folder), prefix=plain_user())
    assert proven(generation)


def test_nothing_is_ever_overwritten(vault: Vault) -> None:
    """Not even an empty folder, which rename(2) would replace."""
    target = vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z"
    target.mkdir(parents=True)
    with pytest.raises(VaultError, match="is there already"):
        lay(vault)
    assert names(target) == []
    assert Generations(vault).staged("maq1").draft.exists()


def test_what_is_none_of_the_generation_isnt_published(vault: Vault) -> None:
    """A left-over of the transfer, which no sum would prove."""
    with Generations(vault).hold("maq1") as staged:
        stage(staged)
        (staged.data / "vda.part").write_text("left over")
        (staged.data / "sub").mkdir()
        generation = publish(staged)
    assert proven(generation)


def test_images_stay_sparse(vault: Vault) -> None:
    """Publishing moves them."""
    with Generations(vault).hold("maq1") as staged:
        stage(staged)
        os.truncate(staged.image("vdb"), 1 << 30)
        generation = publish(staged)
    assert generation.image("vdb").stat().st_blocks < 100


KILLED = """
import os, subprocess, sys
from itertools import count
from include.machines.generation import Generations
from include.machines.publication import publish
from include.vault import Path, Vault
from tests.include.machines.machines import INSTANT, proven, record
from tests.include.worker import Fate

def take(vault):
    with Generations(vault).hold("maq1") as staged:
        if staged.draft.exists() and staged.data.exists():
            publish(staged)
        staged.clear()
        (generation,) = Generations(vault).of("maq1")
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
    for generation in Generations(vault).of("maq1"):
        assert proven(generation)
    take(vault)
    (generation,) = Generations(vault).of("maq1")
    assert proven(generation) and generation.record == record()
    assert not Generations(vault).staged("maq1").folder.exists()
    assert generation.folder.stat().st_mode & 0o222 == 0
    if not killed:
        break
print(change)
"""


def test_publishing_can_be_killed_before_each_change(vault: Vault) -> None:
    """A generation is there whole and proven, or not at all; doing it again comes through."""
    with Generations(vault).hold("maq1") as staged:
        stage(staged)
    assert int(python(KILLED, str(vault.root), prefix=plain_user())) > 15
