"""Records of VMs are read as they were written; incomplete ones are refused."""

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from include.vms.left_out import LeftOut
from include.vms.models import Qcow2Options
from include.vms.record import VmRecord
from tests.include.vms.sample_vms import record

WRITTEN = json.loads(record().model_dump_json())


def test_a_record_is_written_as_it_is_read() -> None:
    """As plain JSON, which any program can read."""
    read = VmRecord.model_validate_json(json.dumps(WRITTEN))
    assert json.loads(read.model_dump_json()) == WRITTEN
    assert WRITTEN["instant"] == "2026-11-22T05:00:03.123456Z"


@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_a_record_with_a_missing_field_is_refused(key: str) -> None:
    """The error names the field."""
    with pytest.raises(ValidationError, match=f"(?s){key}.*Field required"):
        VmRecord.model_validate({name: value for name, value in WRITTEN.items() if name != key})


def test_a_record_names_all_files_of_its_generation() -> None:
    """So that any other file is noticed."""
    assert record().names == {
        *("vda.img", "vda.chunks", "vdb.img", "vdb.chunks"),
        *("domain.xml", "record.json", "SHA256SUMS"),
    }
    assert record().images == {"vda.img", "vdb.img"}


def test_a_record_has_the_offset_of_the_hosts_clock() -> None:
    """Its instant is the vault's; the host's answer has the host's."""
    begun = record(clock_offset_s=86400).begun
    assert begun.instant == record().instant + timedelta(days=1)
    assert begun.instant_at_vault == record().instant


def test_a_record_contains_the_hosts_answer() -> None:
    """For a task that is repeated after the images were verified: the VM isn't stopped again."""
    begun = record().begun
    assert (begun.vm, begun.uuid, begun.run) == ("maq1", WRITTEN["uuid"], "a run")
    assert [(disk.name, disk.path, disk.bytes) for disk in begun.disks] == [
        ("vda", "/vms/vda", 1_800_000),
        ("vdb", "/vms/vdb", 4),
    ]
    assert (begun.downtime_s, begun.health_check, begun.instant) == (4.2, "It runs.", record().instant)
    assert [disk.qcow2 for disk in begun.disks] == [None, None]
    assert record(not_cloned="vda: on ext4").begun.not_cloned == "vda: on ext4"
    share = LeftOut(kind="share", name="data", where="/srv/data")
    assert record(left_out=[share]).begun.left_out == (share,)


def test_a_record_keeps_what_a_disk_was_made_with() -> None:
    """As the host names it; an old qemu-img doesn't name all."""
    raw, qcow2 = record().disks
    made = {"cluster_size": 1 << 17, "extended_l2": True}
    disks = [raw, {**qcow2.model_dump(), "source_format": "qcow2", "qcow2": made}]
    [_, kept] = record(disks=disks).begun.disks
    assert kept.qcow2 == Qcow2Options(cluster_size=1 << 17, extended_l2=True)
    assert (kept.qcow2.refcount_bits, kept.qcow2.compat) == (16, "1.1")


def test_a_cluster_size_that_isnt_known_refuses_no_host() -> None:
    """An agent names only values that it knows, and its answer is about all VMs of the host."""
    assert Qcow2Options.model_validate({"compat": "1.1"}).cluster_size == 1 << 16
