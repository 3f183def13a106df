"""A machine that comes back to its host: in place, and beside itself, to the byte."""

from xml.etree import ElementTree as ET

import pytest

from tests.include.restore.bringing_back import Rehearsal

pytestmark = pytest.mark.xdist_group("kvm")


def test_a_damaged_machine_comes_back_in_place(bringing: Rehearsal) -> None:
    """Only what differs is sent; its disks are as in the vault, the old ones are kept, and it boots."""
    kvm = bringing.kvm
    before = bringing.content(kvm.disk("maq1", "vdb"), "qcow2")
    definition = kvm.virsh("dumpxml", "--domain=maq1", "--inactive")
    bringing.damage("maq1", "vda", "raw", "10M")
    bringing.damage("maq1", "vdb", "qcow2", "20M", "512k")
    damaged = kvm.disk("maq1", "vda").read_bytes()

    restored = bringing.in_place("maq1")

    generation = bringing.generations("maq1")[-1]
    assert kvm.disk("maq1", "vda").read_bytes() == generation.image("vda").read_bytes()
    assert (
        bringing.content(kvm.disk("maq1", "vdb"), "qcow2") == before == generation.image("vdb").read_bytes()
    )
    assert restored.sent_bytes <= 5 << 20
    assert kvm.virsh("dumpxml", "--domain=maq1", "--inactive") == definition
    kept = [path for path in restored.swapped.kept if ".vda." in path]
    assert [kvm.folder.joinpath(path).read_bytes() for path in kept] == [damaged]
    assert bringing.left_behind() == []
    assert bringing.boots("maq1")


def test_a_machine_comes_back_beside_itself(bringing: Rehearsal) -> None:
    """Under another name and UUID, off; and the old one is as it was."""
    kvm = bringing.kvm
    before = kvm.disk("maq1", "vda").read_bytes()

    restored = bringing.beside("maq1", new_name="maq1-copy")

    generation = bringing.generations("maq1")[-1]
    disks = kvm.folder / "disks"
    assert (disks / "maq1-copy-vda.raw").read_bytes() == generation.image("vda").read_bytes()
    assert bringing.content(disks / "maq1-copy-vdb.qcow2", "qcow2") == generation.image("vdb").read_bytes()
    assert restored.swapped.state == "shut off"
    new = ET.fromstring(kvm.virsh("dumpxml", "--domain=maq1-copy"))  # noqa: S314 - libvirt's
    assert new.findtext("uuid") == restored.swapped.uuid != kvm.virsh("domuuid", "--domain=maq1")
    assert kvm.disk("maq1", "vda").read_bytes() == before
    assert bringing.left_behind() == []
