"""Libvirt's lists of snapshots and checkpoints after a restore, with real QCOW2 files."""

import subprocess
from pathlib import Path

import pytest

from include.agent.errors import LibvirtError
from include.agent.restore.request import RestoreRequest
from include.agent.restore.snapshots import ListedSnapshots, warnings
from include.agent.restore.status import Move
from include.agent.state_folder import StateFolder, VmFolder
from include.agent.virsh import Virsh
from tests.include.agent.restore.test_request import DISK, REQUEST, UUID

SNAPSHOT = "<domainsnapshot><name>{name}</name><disks>{disks}</disks>{domain}</domainsnapshot>"
CHECKPOINT = "<domaincheckpoint><name>{name}</name><disks>{disks}</disks></domaincheckpoint>"
INTERNAL = "<disk name='vda' snapshot='internal'/><disk name='sda' snapshot='no'/>"
EXTERNAL = "<disk name='vda' snapshot='external' type='file'><source file='/vms/vda.before'/></disk>"
DOMAIN = "<domain><devices><disk><source file='{path}'/><target dev='vda'/></disk></devices></domain>"


class Listed(Virsh):
    """Libvirt with lists of snapshots and checkpoints; an old one has no checkpoints."""

    def __init__(self, snapshots: dict[str, str], checkpoints: dict[str, str] | None = None) -> None:
        super().__init__("qemu:///system")
        self.lists = {"snapshot": snapshots, "checkpoint": checkpoints}
        self.refuses = False

    def run(self, command: str, *options: str, timeout_s: float = 1) -> str:
        """List, describe or take one off a list."""
        kind, _, verb = command.partition("-")
        found = self.lists.get(kind)
        given = dict(option.lstrip("-").partition("=")[::2] for option in options)
        if command == "list":
            return UUID
        if found is None or (verb == "delete" and self.refuses):
            raise LibvirtError(f"refused within {timeout_s} s")
        assert given["domain"] == UUID
        if verb == "list":
            return "\n".join(found)
        if verb == "delete":
            assert "metadata" in given
            del found[given[f"{kind}name"]]
            return ""
        return found[given[f"{kind}name"]]


@pytest.fixture
def folder(tmp_path: Path) -> VmFolder:
    """The VM's folder, with a restore under way."""
    folder = StateFolder(str(tmp_path / "state")).of(UUID)
    folder.restore.mkdir(parents=True)
    folder.restoring.write("begin", stamp="now")
    return folder


def create(path: Path, snapshot: str = "", bitmap: str = "", form: str = "qcow2") -> Path:
    """Create an image, maybe with a snapshot or a dirty bitmap in it."""
    subprocess.run(["qemu-img", "create", "-q", "-f", form, str(path), "1M"], check=True)
    if snapshot:
        subprocess.run(["qemu-img", "snapshot", "-c", snapshot, str(path)], check=True)
    if bitmap:
        subprocess.run(["qemu-img", "bitmap", "--add", str(path), bitmap], check=True)
    return path


def restore(disk: Path, form: str = "qcow2", *, keep_old: bool = True) -> RestoreRequest:
    """Return the request to restore one disk."""
    disks = [{**DISK, "path": str(disk), "format": form}]
    return RestoreRequest({**REQUEST, "disks": disks, "keep_old": keep_old})


def move(disk: Path, old: Path | None = None) -> list[Move]:
    """Return what was moved into place."""
    return [Move("vda", disk, disk.with_name("vda.restoring"), old)]


def test_a_snapshot_that_the_restored_disk_lacks_is_no_longer_listed(
    folder: VmFolder, tmp_path: Path
) -> None:
    """The one that it has stays; the description of the other one is kept, for nobody else's eyes."""
    disk = create(tmp_path / "vda", "kept")
    snapshots = {name: SNAPSHOT.format(name=name, disks=INTERNAL, domain="") for name in ("kept", "lost: 1")}
    libvirt = Listed(dict(snapshots))
    ListedSnapshots(libvirt, folder, restore(disk), move(disk)).drop_unfit()
    assert list(libvirt.lists["snapshot"] or ()) == ["kept"]
    [file] = folder.restore.glob("snapshot-*.before-restore-now.xml")
    assert file.read_text(encoding="utf-8") == snapshots["lost: 1"] + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    [warning] = warnings(folder)
    assert warning.startswith(
        "The snapshot lost: 1 isn't in vda any more, so libvirt doesn't list it now. Its"
    )
    assert str(file) in warning


@pytest.mark.parametrize(("form", "keep_old"), [("qcow2", True), ("qcow2", False), ("raw", True)])
def test_a_warning_has_the_old_disk_that_has_the_data(
    folder: VmFolder, tmp_path: Path, form: str, *, keep_old: bool
) -> None:
    """Unless that is removed; a guest may write anything to a raw one, also the name of another file."""
    disk, old = create(tmp_path / "vda"), create(tmp_path / "vda.old", "s1")
    kept = tmp_path / "domain.before-restore-now.xml"
    driver = f"<driver type='{form}'/><source file='{disk}'/><target dev='vda'/>"
    kept.write_text(f"<domain><devices><disk type='file'>{driver}</disk></devices></domain>")
    folder.restoring.write("keep definition", path=str(kept))
    libvirt = Listed({"s1": SNAPSHOT.format(name="s1", disks=INTERNAL, domain="")})
    ListedSnapshots(libvirt, folder, restore(disk, keep_old=keep_old), move(disk, old)).drop_unfit()
    [warning] = warnings(folder)
    assert (f"Its data is in {old}." in warning) == (keep_old and form == "qcow2")


@pytest.mark.parametrize("has_it", [True, False])
def test_a_checkpoint_needs_its_bitmap_in_the_disk(folder: VmFolder, tmp_path: Path, *, has_it: bool) -> None:
    """Without it, the next incremental backup of another program would fail."""
    disk = create(tmp_path / "vda", bitmap="its bitmap" if has_it else "")
    listed = "<disk name='vda' checkpoint='bitmap' bitmap='its bitmap'/><disk name='sda' checkpoint='no'/>"
    libvirt = Listed({}, {"week1": CHECKPOINT.format(name="week1", disks=listed)})
    ListedSnapshots(libvirt, folder, restore(disk), move(disk)).drop_unfit()
    assert list(libvirt.lists["checkpoint"] or ()) == ["week1"] * has_it
    assert len(warnings(folder)) == (not has_it)


@pytest.mark.parametrize("replaced", [True, False])
def test_an_external_snapshot_is_the_file_that_the_disk_had_before(
    folder: VmFolder, tmp_path: Path, *, replaced: bool
) -> None:
    """If that was replaced, to revert would bring back what was restored."""
    disk, old, other = create(tmp_path / "vda"), tmp_path / "vda.old", tmp_path / "other"
    domain = DOMAIN.format(path=disk if replaced else other)
    libvirt = Listed({"s1": SNAPSHOT.format(name="s1", disks=EXTERNAL, domain=domain)})
    ListedSnapshots(libvirt, folder, restore(disk), move(disk, old)).drop_unfit()
    assert list(libvirt.lists["snapshot"] or ()) == ["s1"] * (not replaced)
    assert [f"Its data is in {old}." in warning for warning in warnings(folder)] == [True] * replaced


@pytest.mark.parametrize("name", [" a ", "-a", "a\u2028b", "'%s\"", "a\x85"])
def test_a_snapshot_may_have_any_name(folder: VmFolder, tmp_path: Path, name: str) -> None:
    """QEMU and libvirt both have it as it is."""
    disk = create(tmp_path / "vda", name)
    libvirt = Listed({name: SNAPSHOT.format(name="s1", disks=INTERNAL, domain="")})
    ListedSnapshots(libvirt, folder, restore(disk), move(disk)).drop_unfit()
    assert warnings(folder) == []
    create(disk)
    ListedSnapshots(libvirt, folder, restore(disk), move(disk)).drop_unfit()
    assert libvirt.lists["snapshot"] == {}


def test_any_name_of_a_disk_is_looked_for_as_it_is(folder: VmFolder, tmp_path: Path) -> None:
    """One that would end a path of ElementTree's, too; then nothing is known of it."""
    disk = create(tmp_path / "vda")
    listed = "<disk name=\"vd'a\" snapshot='external'/>"
    libvirt = Listed({"s1": SNAPSHOT.format(name="s1", disks=listed, domain=DOMAIN.format(path=disk))})
    ListedSnapshots(libvirt, folder, restore(disk), move(disk)).drop_unfit()
    assert list(libvirt.lists["snapshot"] or ()) == ["s1"]


def test_a_raw_disk_has_no_snapshots(folder: VmFolder, tmp_path: Path) -> None:
    """Also one whose list is of a libvirt that didn't list disks yet, or whose old disk wasn't QCOW2."""
    disk, old = create(tmp_path / "vda", form="raw"), create(tmp_path / "vda.old", form="raw")
    libvirt = Listed({"s1": SNAPSHOT.format(name="s1", disks="", domain="")})
    ListedSnapshots(libvirt, folder, restore(disk, "raw"), move(disk, old)).drop_unfit()
    assert libvirt.lists["snapshot"] == {}


def test_a_list_that_cant_be_changed_doesnt_hold_up_the_restore(folder: VmFolder, tmp_path: Path) -> None:
    """A warning says so; a second call finds the same."""
    disk = create(tmp_path / "vda")
    libvirt = Listed({"s1": SNAPSHOT.format(name="s1", disks=INTERNAL, domain="")})
    libvirt.refuses = True
    for _ in range(2):
        ListedSnapshots(libvirt, folder, restore(disk), move(disk)).drop_unfit()
    assert list(libvirt.lists["snapshot"] or ()) == ["s1"]
    [warning] = warnings(folder)
    assert warning.startswith("Libvirt still lists the snapshot s1")
