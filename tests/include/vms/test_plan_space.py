"""How much space a plan takes, on the host and in the vault."""

from typing import Any

import pytest

from include.errors import NoSpaceError
from include.vms.plan import VmAction, of_all_hosts, require_scratch
from tests.include.vms.surveys import GB, MIB, decided, disk, planned_of, survey, vm


@pytest.mark.parametrize(
    ("method", "state", "disks", "need"),
    [
        ("cold", "running", [disk(100 * GB)], 5 * GB),
        ("live", "running", [disk(60 * GB), disk(40 * GB, name="vdb")], 5 * GB),
        ("cold", "running", [disk(MIB)], 64 * MIB),
        ("cold", "off", [disk(100 * GB)], 0),
    ],
)
def test_guests_need_scratch_space_for_a_twentieth_of_their_disks(
    method: str, state: str, disks: list[dict[str, Any]], need: int
) -> None:
    """At least 64 MiB, and none when they are off."""
    assert planned_of(vm("maq1", *disks, state=state), method=method).scratch_bytes == need


def test_a_vm_that_is_copied_needs_space_for_the_copy() -> None:
    """As much as is allocated, not the size that the guest sees."""
    planned = planned_of(vm("maq1", disk(100 * GB, 7 * GB), disk(9, 5, "vdb")), backup=False)
    assert planned.scratch_bytes == 7 * GB + 5


def test_scratch_space_is_required_for_one_vm_at_a_time() -> None:
    """For the VM that needs most; VMs that aren't backed up don't count."""
    vms = [vm("maq1", disk(40 * GB)), vm("maq2", disk(60 * GB))]
    refused = vm("maq3", disk(900 * GB), problems=["It is odd."])
    enough, short = (survey(*vms, refused, free_bytes=3 * GB - lacking) for lacking in (0, 1))
    require_scratch(enough, decided(enough))
    with pytest.raises(
        NoSpaceError,
        match=r"^Not enough space on kvm1 .*: /var/lib/inpe-backup has 3\.0 GB free, .* No VM was stopped\.",
    ):
        require_scratch(short, decided(short))
    require_scratch(survey(free_bytes=0), [])


def test_an_image_uses_what_its_host_has_allocated_and_a_tenth_more() -> None:
    """Never more than the disks' size."""
    disks = [disk(), disk(100 * MIB, 99 * MIB, "vdb"), disk(100 * MIB, 0, "vdc"), disk(0, 0, "vdd")]
    assert planned_of(vm("maq1", *disks)).image_bytes == 155 * MIB


def test_a_vm_without_space_is_refused() -> None:
    """With the reason that the check of the free space left."""
    here, other = planned_of(vm("maq1")), planned_of(vm("maq2"))
    plans = of_all_hosts([[here, other]], {"maq1": "The vault needs 1 GB more."})
    assert [(plan.action, plan.reason) for plan in plans] == [
        (VmAction.REFUSE, "The vault needs 1 GB more."), (VmAction.IMAGE, other.reason)
    ]  # fmt: skip
