"""A VM is restored to its host, in place and beside the original, to the byte."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest

from include.agent.bitmap import Bitmap
from include.errors import VmNotRestoredError
from include.restore.vm import VmRestore
from include.restore.vm_report import would_restore
from include.restore.vm_request import VmRestoreRequest
from include.restore.vm_sender import RestoreStream
from include.vault.vault import Vault
from include.vms.chunks import Chunks
from include.vms.host import Host
from include.vms.restore_models import DiskTarget, RestoreCheck, SwapResult, VmRestoreOrder
from tests.include.restore.vm_restores import Rehearsal
from tests.include.vms.sample_vms import UUID, lay


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_a_damaged_vm_is_restored_in_place(rehearsal: Rehearsal) -> None:
    """Only what differs is sent, the old disks are kept, and the VM boots."""
    kvm = rehearsal.kvm
    before = rehearsal.content(kvm.disk("maq1", "vdb"), "qcow2")
    definition = kvm.virsh("dumpxml", "--domain=maq1", "--inactive")
    rehearsal.damage("maq1", "vda", "raw", "10M")
    rehearsal.damage("maq1", "vdb", "qcow2", "20M", "512k")
    damaged = kvm.disk("maq1", "vda").read_bytes()

    restored = rehearsal.in_place("maq1")

    generation = rehearsal.generations("maq1")[-1]
    assert kvm.disk("maq1", "vda").read_bytes() == generation.image("vda").read_bytes()
    assert (
        rehearsal.content(kvm.disk("maq1", "vdb"), "qcow2") == before == generation.image("vdb").read_bytes()
    )
    assert restored.sent_bytes <= 5 << 20
    assert kvm.virsh("dumpxml", "--domain=maq1", "--inactive") == definition
    kept = [path for path in restored.swapped.kept if ".vda." in path]
    assert [kvm.folder.joinpath(path).read_bytes() for path in kept] == [damaged]
    assert rehearsal.left_behind() == []
    assert rehearsal.boots("maq1")


def test_a_vm_is_restored_beside_the_original(rehearsal: Rehearsal) -> None:
    """With another name and UUID, off; the original isn't changed."""
    kvm = rehearsal.kvm
    before = kvm.disk("maq1", "vda").read_bytes()

    restored = rehearsal.beside("maq1", new_name="maq1-copy")

    generation = rehearsal.generations("maq1")[-1]
    disks = kvm.folder / "disks"
    assert (disks / "maq1-copy-vda.raw").read_bytes() == generation.image("vda").read_bytes()
    assert rehearsal.content(disks / "maq1-copy-vdb.qcow2", "qcow2") == generation.image("vdb").read_bytes()
    assert restored.swapped.state == "shut off"
    new = ET.fromstring(kvm.virsh("dumpxml", "--domain=maq1-copy"))  # noqa: S314 - libvirt's
    assert new.findtext("uuid") == restored.swapped.uuid != kvm.virsh("domuuid", "--domain=maq1")
    assert kvm.disk("maq1", "vda").read_bytes() == before
    assert rehearsal.left_behind() == []
    assert _copies(rehearsal) == {"maq1-copy": generation.name}
    kvm.virsh("domrename", "--domain=maq1-copy", "--new-name=maq1-again")
    assert _copies(rehearsal) == {}


def _copies(rehearsal: Rehearsal) -> dict[str, str]:
    """Return what the host's survey has as copies, after libvirt had their definitions."""
    return {vm.name: vm.copy_of for vm in rehearsal.host.survey().vms if vm.copy_of}


class Unverified(RestoreStream):
    """A host whose disk returns other data than was written."""

    def __init__(self, path: str, new: str) -> None:
        self.places = (DiskTarget(name="vda", path=path, new=new, base=True, flat=True, begun=False),)

    def write(self, *_: object) -> None:
        """Take the chunks."""

    def verify(self, *_: object) -> Bitmap:
        """Return the first chunk."""
        return Bitmap(1, [0])


@pytest.mark.parametrize(
    ("new", "outcome"),
    [
        ("/vms/x.new", "The VM wasn't changed."),
        ("/vms/x", "is a block device, and incomplete until this restore is run again."),
    ],
)
def test_a_disk_that_doesnt_verify_is_reported_with_what_it_means(
    tmp_path: Path, new: str, outcome: str
) -> None:
    """A block device was written to; a VM must not be started with it."""
    Chunks.unknown(1 << 20).write(tmp_path / "vda.chunks")
    generation = SimpleNamespace(image=Path, chunks=lambda disk: tmp_path / f"{disk}.chunks")
    request: Any = SimpleNamespace(vm="maq1")
    restore = VmRestore(
        cast("Any", None), cast("Any", None), request, cast("Any", generation), "a run", print
    )
    with pytest.raises(VmNotRestoredError, match=outcome):
        restore._send(Unverified("/vms/x", new), "vda", Bitmap(1, [0]))  # noqa: SLF001 - all before it needs a host


def test_a_dry_run_after_an_interrupted_swap_names_no_disks() -> None:
    """The swap that was begun has its own places; all that is left is to finish it."""
    generation: Any = SimpleNamespace(name="2026-11-22T05-00-03Z", record=SimpleNamespace(disks=()))
    request = VmRestoreRequest(vm="maq1", how="in place")
    found = RestoreCheck(done=None, begun=True, disks=(), warnings=())
    assert "this one would finish that" in str(would_restore(request, generation, found).reason)


class SwappedHost(Host):
    """A host that has done the restore already, and knows of one warning."""

    def check_restore(self, request: VmRestoreOrder) -> RestoreCheck:
        """Return what the restore's swap left."""
        swapped = SwapResult(
            vm="maq1",
            uuid=request.original,
            kept=(),
            definition=None,
            state="shut off",
            at="2026-11-22T05:00:03Z",
            warnings=("One.",),
        )
        return RestoreCheck(done=swapped, begun=False, disks=(), warnings=("One.",))


@pytest.mark.parametrize("left_out", [[], [{"kind": "share", "name": "data", "where": "/srv/data"}]])
def test_a_restore_warns_of_what_the_image_lacks(vault: Vault, left_out: list[dict[str, str]]) -> None:
    """In a dry run, too: what was there isn't brought back."""
    definition = f"<domain><name>maq1</name><uuid>{UUID}</uuid></domain>"
    generation = lay(vault, definition=definition, left_out=left_out)
    request = VmRestoreRequest(vm="maq1", how="in place", confirm="maq1")
    host = SwappedHost(cast("Any", None), "qemu:///system", "/var/lib/inpe-backup", None)
    restore = VmRestore(vault, host, request, generation, "a run", print)
    warnings = (
        "One.",
        *(["Not in the image, so not restored: shared folder data (/srv/data)."] * len(left_out)),
    )
    assert restore.check().warnings == warnings
    assert restore.run_all().warnings == warnings
