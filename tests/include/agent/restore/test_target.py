"""Whether a restore can be done, decided by what the host's other VMs use."""

from pathlib import Path

import pytest

from include.agent.errors import NotPossibleError
from include.agent.restore import target
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.request import RequestedDisk, RestoreRequest
from include.agent.restore.target import checked_restore
from include.agent.state_folder import StateFolder
from include.agent.virsh import Virsh
from tests.include.agent.boot_test.test_definition import vm
from tests.include.agent.restore.test_request import DISK, REQUEST, UUID

OTHER = "11111111-2222-4333-8444-555555555555"


class OneOther(Virsh):
    """Libvirt with one other VM, which has UEFI variables."""

    def __init__(self, variables: Path) -> None:
        super().__init__("qemu:///system")
        definition = vm().replace("</os>", f"<nvram>{variables}</nvram></os>")
        self._answers = {
            "list": OTHER,
            "dumpxml": definition.replace("maq1", "maq2").replace(UUID, OTHER),
            "pool-list": "",
        }

    def run(self, command: str, *_: str, timeout_s: float = 1) -> str:
        """Answer what is asked."""
        return self._answers.get(command, f"<nothing>{timeout_s}</nothing>")


@pytest.mark.parametrize("files", [{}, {"nvram.fd": ""}])
def test_a_definition_with_the_uefi_variables_of_another_vm_is_refused(
    tmp_path: Path, files: dict[str, str]
) -> None:
    """Also if the image has none: the restored VM would write to them."""
    disk = "<disk type='file'><source file='/x'/><target dev='vda'/></disk>"
    variables = tmp_path / "maq2_VARS.fd"
    asked = {
        "definition": vm(disk).replace("</os>", f"<nvram>{variables}</nvram></os>"),
        "disks": [{**DISK, "path": str(tmp_path / "maq1.img")}],
        "folders": [str(tmp_path)],
        "files": files,
    }
    restore = RestoreRequest({**REQUEST, **asked})
    with pytest.raises(NotPossibleError, match="is firmware or a kernel of the VM maq2"):
        checked_restore(StateFolder(str(tmp_path / "state")), OneOther(variables), restore)
    checked_restore(StateFolder(str(tmp_path / "state")), OneOther(tmp_path / "others"), restore)


@pytest.mark.parametrize(("base", "files", "needed"), [("raw", 1, 0), ("qcow2", 1, 7), ("raw", 2, 7)])
def test_only_a_copy_shares_blocks_with_the_old_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, files: int, needed: int
) -> None:
    """What qemu-img converts takes space of its own, also on a file system that could share blocks."""
    monkeypatch.setattr(target, "shares_blocks", lambda _: True)
    disk = RequestedDisk("vda", tmp_path / "vda", "raw", 9, 7, {})
    place = DiskPlace(disk, tmp_path / "vda", tmp_path / "new", base=base, files=("/a", "/b")[:files])
    assert target._needed(place, tmp_path) == needed  # noqa: SLF001 - the only part of it that differs
