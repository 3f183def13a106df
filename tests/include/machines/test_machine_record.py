"""Machines' records are read as they were written, and damaged ones are refused."""

import json

import pytest
from pydantic import ValidationError

from include.machines.machine_record import MachineRecord
from tests.include.machines.machines import record

WRITTEN = json.loads(record().model_dump_json())


def test_a_record_is_written_as_it_is_read() -> None:
    """Plain JSON, for readers that know nothing of this software."""
    read = MachineRecord.model_validate_json(json.dumps(WRITTEN))
    assert json.loads(read.model_dump_json()) == WRITTEN
    assert WRITTEN["instant"] == "2026-11-22T05:00:03.123456Z"


@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_a_record_without_one_of_its_facts_is_refused(key: str) -> None:
    """Half a record is none."""
    with pytest.raises(ValidationError, match=f"(?s){key}.*Field required"):
        MachineRecord.model_validate({name: fact for name, fact in WRITTEN.items() if name != key})


def test_a_record_names_all_files_of_its_generation() -> None:
    """So that a stranger among them is seen."""
    assert record().names == {
        *("vda.img", "vda.chunks", "vdb.img", "vdb.chunks"),
        *("domain.xml", "record.json", "SHA256SUMS"),
    }
    assert record().images == {"vda.img", "vdb.img"}


def test_a_record_gives_back_what_the_host_said() -> None:
    """For a task that is done again after the images were proven: the machine isn't stopped for it."""
    frozen = record().frozen
    assert (frozen.machine, frozen.uuid, frozen.run) == ("maq1", WRITTEN["uuid"], "a run")
    assert [(disk.name, disk.path, disk.bytes) for disk in frozen.disks] == [
        ("vda", "/vms/vda", 1_800_000),
        ("vdb", "/vms/vdb", 4),
    ]
    assert (frozen.downtime_s, frozen.proof, frozen.instant) == (4.2, "It runs.", record().instant)
