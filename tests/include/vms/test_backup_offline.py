"""The backup of a VM that is off, from a real host: what changed while it was read isn't published."""

from pathlib import Path

import pytest

from include.errors import VmDisksChangedError
from include.remote.ssh import connected
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.backup import VmBackup
from include.vms.host import Host
from include.vms.image_stream import ImageSource, ImageStream, open_stream
from tests.include.vms.exported_disks import transport
from tests.include.vms.folder_host import REQUEST, take
from tests.include.vms.sample_vms import verified
from tests.site.kvm_host import STATE, URI, KvmHost


def set_up(host: KvmHost) -> None:
    """Define a VM that is off."""
    host.define_small("maq2", {"vda": "raw", "vdb": "qcow2"})


@pytest.fixture
def kvm(host: KvmHost) -> KvmHost:
    """The stand-in host; ``Host`` is how the backup sees it."""
    return host


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def backup(kvm: KvmHost, vault: Vault, run: str) -> VmBackup:
    """Return the backup of the VM."""
    host = Host(transport(kvm.connection), URI, STATE, None)
    return VmBackup(vault, host, "maq2", kvm.virsh("domuuid", "--domain=maq2"), run, 0, print)


def received(stream: ImageStream, disk: str, first: int, count: int) -> int:
    """Return how many chunks the host sent of a part of a disk."""
    stream.request(disk, first, count)
    return sum(frame.chunks for frame in stream.frames())


@pytest.mark.slow
def test_a_vm_that_stays_off_is_imaged(kvm: KvmHost, vault: Vault) -> None:
    """Byte for byte."""
    take(backup(kvm, vault, "a run"))
    [generation] = VmArchive(vault).of("maq2")
    assert verified(generation)
    assert generation.record.was == "off"
    assert generation.image("vda").read_bytes() == kvm.disk("maq2", "vda").read_bytes()


@pytest.mark.slow
def test_what_is_written_before_the_transfer_ends_ends_it(kvm: KvmHost, vault: Vault) -> None:
    """Also what is written after the last chunk was read: then the host doesn't confirm the disk's end."""
    offline = backup(kvm, vault, "a write")
    begun = offline.begin_backup(REQUEST.model_copy(update={"run": "a write"}))
    command = offline.host.command("send", offline.uuid)
    with (
        connected(offline.host.transport.endpoint) as config,
        open_stream(ImageSource(config, command, begun)) as stream,
    ):
        assert received(stream, "vda", 0, 60) == 60
        kvm.run("dd", "if=/dev/zero", f"of={kvm.disk('maq2', 'vda')}", "count=1", "seek=9", "conv=notrunc")
        with pytest.raises(VmDisksChangedError, match="maq2 was written to while it was read"):
            received(stream, "vda", 60, 4)
    with pytest.raises(VmDisksChangedError, match="while it was read"):
        offline.transfer(begun)
    offline.end_backup()
    assert not VmArchive(vault).staged("maq2").folder.exists()


@pytest.mark.slow
def test_a_vm_that_is_started_isnt_published(kvm: KvmHost, vault: Vault) -> None:
    """Its next backup is."""
    offline = backup(kvm, vault, "a start")
    begun = offline.begin_backup(REQUEST.model_copy(update={"run": "a start"}))
    kvm.boot("maq2")
    with pytest.raises(VmDisksChangedError, match="maq2 was started while its disks were read"):
        offline.transfer(begun)
    assert offline.end_backup().state == "running"
    assert VmArchive(vault).of("maq2") == []
    kvm.virsh("destroy", "--domain=maq2")
    take(backup(kvm, vault, "next week"))
    assert verified(VmArchive(vault).of("maq2")[-1])
