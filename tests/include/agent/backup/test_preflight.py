"""What prevents a backup is found before anything is touched."""

import pytest

from include.agent.backup import preflight
from include.agent.errors import NotPossibleError
from include.agent.virsh import Virsh

GIVEN = {"restart_changes": "refuse"}


@pytest.mark.parametrize("path", ["nbd://there/x", "json:{}", "data.raw"])
def test_a_vm_that_is_off_lies_in_files_whose_changes_are_seen(path: str) -> None:
    """Its disks are read while anything may write to a backing file that is elsewhere."""
    surveyed = {
        "name": "maq1",
        "problems": [],
        "disks": [{"chain": ["/vms/maq1", path]}],
        "restart_changes": [],
    }
    libvirt = Virsh("qemu:///system")
    with pytest.raises(NotPossibleError, match=f"a backing file, {path}, isn't a file of its host"):
        preflight.vm(libvirt, surveyed, "off", "offline", GIVEN)
    surveyed["disks"] = [{"chain": ["/vms/maq1", "/vms/below"]}]
    assert preflight.vm(libvirt, surveyed, "off", "offline", GIVEN) == []
