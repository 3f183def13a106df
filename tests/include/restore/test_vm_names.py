"""Restores of VMs with names that shells, patterns and paths may take for something else."""

from pathlib import Path

import pytest

from tests.include.restore.vm_restores import Rehearsal, remove


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Windows Server 2022", "-servidor, produção", "web[1] 'a' $(reboot) &<b>"])
def test_a_vm_of_any_name_is_restored(rehearsal: Rehearsal, name: str) -> None:
    """Beside itself, under the name that is proposed, and in place."""
    kvm = rehearsal.kvm
    kvm.define_small(name, {"vda": "qcow2"})
    uuids = []
    try:
        generation = rehearsal.back_up(name, "last week")
        beside = rehearsal.beside(name).swapped
        uuids.append(beside.uuid)
        assert beside.vm == f"{name}-restored"
        [new] = (kvm.folder / "disks").glob("*-restored-vda.qcow2")
        assert rehearsal.content(new, "qcow2") == generation.image("vda").read_bytes()
        in_place = rehearsal.in_place(name).swapped
        uuids.append(in_place.uuid)
        assert in_place.vm == name
        assert [Path(path).exists() for path in in_place.kept] == [True]
    finally:
        for uuid in uuids:
            kvm.virsh("undefine", f"--domain={uuid}")
        for file in (kvm.folder / "disks").iterdir():
            if not file.name.startswith("maq1"):
                file.unlink()
        remove(rehearsal.vault.root / "vm" / name)
