"""Which files the VMs of a host use: disks, what lies below them, firmware."""

import subprocess
from pathlib import Path

from include.agent.errors import LibvirtError
from include.agent.restore.host_vms import HostVms, identities
from include.agent.virsh import Virsh

XML = """<domain><name>{name}</name><os><nvram>/fw/{name}.fd</nvram></os><devices>
<disk><driver type='qcow2'/><source file='{disk}'/>
  <backingStore><source file='/below/{name}'/></backingStore><target dev='vda'/></disk>
<disk device='cdrom'><source file='/iso/x.iso'/><target dev='sda'/></disk>
<disk type='volume'><driver type='raw'/><source pool='default' volume='v'/><target dev='vdb'/></disk>
</devices></domain>"""


class RecordedVirsh(Virsh):
    """Libvirt with VMs whose definitions are known; one of them has just been undefined."""

    def __init__(self, definitions: dict[str, str]) -> None:
        super().__init__("qemu:///system")
        self._definitions, self._listed = definitions, {*definitions, "undefined just now"}

    def uuids(self, *_flags: str) -> set[str]:
        """Return the UUIDs; the second time, without that of the undefined one."""
        listed, self._listed = self._listed, set(self._definitions)
        return listed

    def xml(self, uuid: str, *, inactive: bool = True) -> str:
        """Return a definition; when running, a VM lies on another disk."""
        if uuid not in self._definitions:
            raise LibvirtError("no domain with that UUID")
        return self._definitions[uuid].replace("/below/", "/below/" if inactive else "/running/")

    def run(self, command: str, *options: str, timeout_s: float = 1) -> str:
        """Return the path of a volume."""
        assert (command, options, timeout_s) == ("vol-path", ("--pool=default", "--vol=v"), 1)
        return "/pool/v"


def create(path: Path, *options: str) -> Path:
    """Create an image."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "1M"], check=True)
    return path


def test_the_files_of_every_vm_are_known(tmp_path: Path) -> None:
    """Of its running and its persistent definition, and of its images' own headers."""
    base = create(tmp_path / "base")
    disks = {name: create(tmp_path / name, "-F", "qcow2", "-b", str(base)) for name in ("one", "two")}
    vms = HostVms(RecordedVirsh({name: XML.format(name=name, disk=disk) for name, disk in disks.items()}))

    def users(path: str | Path, but: str = "") -> dict[str, set[str]]:
        found = vms.users(but)
        [used] = {
            str(found.get(identity, {})): found.get(identity, {}) for identity in identities(Path(path))
        }.values()
        return used

    assert users(base) == {"a backing file": {"one", "two"}}
    assert users(base, "two") == {"a backing file": {"one"}}
    assert users(disks["one"]) == {"a disk": {"one"}}
    assert users("/pool/v") == users("/iso/x.iso") == {"a disk": {"one", "two"}}
    assert users("/below/one") == users("/running/one") == {"a backing file": {"one"}}
    assert users("/fw/two.fd") == {"a boot file": {"two"}}
    assert users("/elsewhere") == {}
    assert vms.disks("one") == {disks["one"]: "qcow2"}
    assert vms.warnings() == []


def test_an_image_that_cant_be_read_is_a_warning(tmp_path: Path) -> None:
    """What lies below it isn't known; that of a file that is missing doesn't matter."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"no QCOW2")
    for disk, warnings in ((broken, 1), (tmp_path / "missing", 0)):
        vms = HostVms(RecordedVirsh({"one": XML.format(name="one", disk=disk)}))
        vms.users("")
        assert len(vms.warnings()) == warnings
        assert all(str(broken) in warning for warning in vms.warnings())


def test_a_file_is_the_same_by_link_and_hard_link(tmp_path: Path) -> None:
    """A name that isn't taken yet is its folder's; another one is another's."""
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    (tmp_path / "hard").hardlink_to(file)
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "linked").symlink_to(folder)
    folder.mkdir()
    assert identities(file) & identities(tmp_path / "hard")
    assert identities(file) & identities(tmp_path / "link")
    assert identities(folder / "new") & identities(tmp_path / "linked" / "new")
    assert not identities(folder / "new") & identities(folder / "other")
    assert not identities(folder / "new") & identities(tmp_path / "new")
