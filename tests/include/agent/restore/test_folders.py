"""Where a restore may write: beside the VM's own disks, in storage pools, and where a person says."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.agent.restore.folders import Folders
from include.agent.restore.host_vms import HostVms
from include.agent.restore.request import RestoreRequest
from include.agent.virsh import Virsh
from tests.include.agent.restore.test_request import REQUEST, UUID

POOL = "<pool type='{kind}'><target><path>{path}</path></target></pool>"


class OwnVm(HostVms):
    """The VM with a disk at a path."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk

    def definition(self, uuid: str) -> ET.Element | None:
        """Return the definition of the VM; of no other."""
        own = f"<domain><devices><disk><source file='{self._disk}'/></disk></devices></domain>"
        return ET.fromstring(own) if uuid == UUID else None  # noqa: S314 - made here


class Pools(Virsh):
    """Libvirt with storage pools."""

    def __init__(self, **pools: str) -> None:
        super().__init__("qemu:///system")
        self._pools = pools

    def run(self, command: str, *options: str, timeout_s: float = 1) -> str:
        """List the pools, or describe one."""
        assert timeout_s == 1
        name = options[-1].split("=")[-1]
        return "\n".join(self._pools) if command == "pool-list" else self._pools[name]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """The folders of a VM that the host has, with one that the request names, and some pools."""
    for name in ("own", "named", "pool", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "named" / "out").symlink_to(tmp_path / "elsewhere")
    pools = Pools(
        vms=POOL.format(kind="dir", path=tmp_path / "pool"), disks=POOL.format(kind="disk", path="/dev")
    )
    restore = RestoreRequest({**REQUEST, "folders": [str(tmp_path / "named")]})
    return Folders(pools, restore, OwnVm(tmp_path / "own" / "maq1.img"))


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("own/maq1.img", True),
        ("own/maq1-restored.img", True),
        ("own/below/x.img", False),
        ("named/x.img", True),
        ("named/below/x.img", True),
        ("named/out/x.img", False),
        ("pool/x.img", True),
        ("elsewhere/x.img", False),
        ("x.img", False),
        ("/etc/cron.d/x", False),
        ("/dev/x", False),
        ("/var/lib/libvirt/qemu/nvram/maq1_VARS.fd", True),
    ],
)
def test_only_folders_of_the_host_or_of_a_person_are_written(
    folders: Folders, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch, *, is_allowed: bool
) -> None:
    """Whatever the vault says, links included; a pool of disks has all of the host's."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert folders.allow(tmp_path / path) is is_allowed


def test_another_vm_has_no_own_folder(tmp_path: Path) -> None:
    """The host must have it under the UUID that it was backed up with."""
    other = "11111111-2222-4333-8444-555555555555"
    restore = RestoreRequest({**REQUEST, "in_place": False, "original": other, "folders": []})
    found = Folders(Pools(), restore, OwnVm(tmp_path / "maq1.img"))
    assert not found.allow(tmp_path / "maq1.img")
