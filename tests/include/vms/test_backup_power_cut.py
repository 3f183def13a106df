"""After a power cut at any moment of a transfer, verification or publication, the same backup is finished."""

import json
import shutil
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.errors import VmNotImagedError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.backup import VmBackup
from include.vms.host import Host
from include.vms.models import BegunBackup
from tests.include.power_cut import Disk, lay_out
from tests.include.recorded_calls import recorded
from tests.include.vms.exported_disks import MIB, ExportedDisks, backup_of, image, noise, transport
from tests.include.vms.folder_host import REQUEST, take
from tests.include.vms.sample_vms import INSTANT, UUID, verified
from tests.session.needs import program

_STEPS = """
import json, sys
from tests.include.vms.test_backup_power_cut import steps
steps(**json.loads(sys.argv[1]))
"""


def steps(vault: str, begun: str, state: str, connection: dict[str, object]) -> None:
    """Transfer, verify and publish, as three tasks do."""
    backup, open_backup = backup_in(vault, state, connection), BegunBackup.model_validate_json(begun)
    backup.transfer(open_backup)
    backup.verify(open_backup)
    backup.publish(open_backup)


def backup_in(vault: str, state: str, connection: dict[str, object]) -> VmBackup:
    """Return the backup of the VM into a vault."""
    host = Host(transport(connection), "qemu:///system", state, None)
    return VmBackup(Vault(Path(vault)), host, "maq1", UUID, "a run", 0, print)


@pytest.mark.slow
def test_a_power_cut_during_a_backup(exported: ExportedDisks, vault: Vault, tmp_path: Path) -> None:
    """What counts as received, verified or published is there; the generation before stays as it is."""
    program("strace")
    disk = image(tmp_path / "disk", 3 * MIB, at_0=noise(), at_2=noise(0.5))
    take(backup_of(vault, exported, {"vda": disk}, "last week", INSTANT - timedelta(days=7)))
    with disk.open("r+b") as file:
        file.write(b"changed")
    backup = backup_of(vault, exported, {"vda": disk})
    begun = backup.begin_backup(REQUEST)
    asked: dict[str, Any] = {
        "begun": begun.model_dump_json(),
        "state": str(exported.folder),
        "connection": exported.server.connection,
    }
    model = Disk(vault.root)
    calls = recorded([sys.executable, "-c", _STEPS, json.dumps({"vault": str(vault.root), **asked})])
    number = 0
    for number, state in enumerate(model.states_after(calls)):
        root = lay_out(state, tmp_path / f"vault.{number}")
        with suppress(VmNotImagedError):
            backup_in(str(root), asked["state"], asked["connection"]).publish(begun)
        check(Vault(root), disk)
        steps(str(root), **asked)
        check(Vault(root), disk, published=2)
        shutil.rmtree(root)
    assert number > 10, "fewer states than it must have gone through"


def check(vault: Vault, disk: Path, published: int = 0) -> None:
    """Check that each generation is whole, and how many there are at least."""
    found = VmArchive(vault).of("maq1")
    assert [verified(generation) for generation in found] == [True] * max(len(found), published)
    assert all(generation.image("vda").read_bytes() == disk.read_bytes() for generation in found[1:])
