"""What is known of a disk, and every file that it lies in, by a real qemu-img."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.disks.image_info import disk_info, files_below, kept_inside
from include.agent.errors import LibvirtError

MIB = 1 << 20


def create(path: Path, *options: str, form: str = "qcow2", size: str = "4M") -> Path:
    """Create an image."""
    command = ["qemu-img", "create", "-q", "-f", form, *options, str(path), size]
    subprocess.run(command, check=True, cwd=path.parent)
    return path


def write(path: Path, form: str = "qcow2") -> None:
    """Write 1 MiB into an image."""
    subprocess.run(["qemu-io", "-f", form, "-c", "write -P 7 0 1M", path], check=True, capture_output=True)


def info(path: Path, form: str = "qcow2", kind: str = "file") -> dict[str, Any]:
    """Return what is known of a disk."""
    return disk_info({"path": str(path), "format": form, "kind": kind})


def allocated(*paths: Path) -> int:
    """Return what files occupy."""
    return sum(path.stat().st_blocks * 512 for path in paths)


def test_the_files_below_an_image_are_all_of_its_chain(tmp_path: Path) -> None:
    """Even one that is missing, an external data file, and one whose format isn't known."""
    data, missing = tmp_path / "data.raw", tmp_path / "missing"
    low = create(tmp_path / "low", "-u", "-F", "raw", "-b", str(missing))
    middle = create(tmp_path / "middle", "-u", "-F", "qcow2", "-b", str(low))
    top = create(tmp_path / "top", "-u", "-F", "qcow2", "-b", str(middle))
    assert list(files_below(str(top), "qcow2")) == [str(path) for path in (middle, low, missing)]
    assert list(files_below(str(top), "")) == list(files_below(str(top), "qcow2"))
    outside = create(tmp_path / "outside", "-o", f"data_file={data}")
    assert list(files_below(str(outside), "qcow2")) == [str(data)]
    with pytest.raises(LibvirtError, match="qemu-img: Could not open"):
        list(files_below(str(low), "vmdk"))


@pytest.mark.parametrize(
    "name",
    [
        "file:{}",
        'json:{{"driver":"qcow2","file":{{"driver":"file","filename":"{}"}}}}',
        'json:{{"driver":"qcow2","file.driver":"file","file.filename":"{}"}}',
    ],
)
def test_a_backing_file_is_found_however_its_image_names_it(tmp_path: Path, name: str) -> None:
    """QEMU and libvirt write such names, too; files below that one count as well."""
    low = create(tmp_path / "low")
    base = create(tmp_path / "base", "-F", "qcow2", "-b", str(low))
    clone = create(tmp_path / "clone", "-F", "qcow2", "-b", name.format(base))
    assert list(files_below(str(clone), "qcow2")) == [str(base), str(low)]
    assert info(clone)["chain"] == [str(clone), str(base), str(low)]
    assert info(clone)["backing"] == [str(base), str(low)]


def test_a_backing_file_elsewhere_is_no_file(tmp_path: Path) -> None:
    """What it is can't be overwritten on this host; a name that can't be understood is an error."""
    for name in ("nbd://there/x", 'json:{"driver":"nbd","server.path":"/x","server.type":"unix"}'):
        clone = create(tmp_path / "clone", "-u", "-F", "raw", "-b", name)
        assert list(files_below(str(clone), "qcow2")) == []
    clone = create(tmp_path / "clone", "-u", "-F", "raw", "-b", "json:{")
    with pytest.raises(LibvirtError, match=r"json:\{"):
        list(files_below(str(clone), "qcow2"))


@pytest.mark.parametrize("raw", ["on", "off"])
def test_a_disk_occupies_what_its_data_file_does(tmp_path: Path, raw: str) -> None:
    """The QCOW2 file itself is small, whatever is written."""
    data = tmp_path / "data.raw"
    disk = create(tmp_path / "disk", "-o", f"data_file={data},data_file_raw={raw}")
    write(disk)
    found = info(disk)
    assert found["chain"] == [str(disk), str(data)]
    assert found["allocated"] == allocated(disk, data) >= MIB


def test_a_data_file_that_qemu_may_mistake_for_another_is_refused(tmp_path: Path) -> None:
    """By a relative name, it is the file of that name in the folder that QEMU was started in."""
    data, low = tmp_path / "data.raw", create(tmp_path / "low", "-o", "data_file=data.raw")
    top = create(tmp_path / "top", "-F", "qcow2", "-b", str(low))
    for disk in (low, top):
        with pytest.raises(LibvirtError, match=f"{low} names its data file data.raw, which QEMU looks for"):
            info(disk)
        assert str(data) in files_below(str(disk), "qcow2")
    amend = ["qemu-img", "amend", "-f", "qcow2", "-o", f"data_file={data}", str(low)]
    subprocess.run(amend, check=True, cwd=tmp_path)
    assert info(low)["chain"] == [str(low), str(data)]


def test_a_backing_file_in_parts_is_all_of_its_parts(tmp_path: Path) -> None:
    """VMDK has a descriptor and extents; below it, a part of a raw file is still that file."""
    parts = create(tmp_path / "base.vmdk", "-o", "subformat=twoGbMaxExtentFlat", form="vmdk")
    write(parts, "vmdk")
    extent = tmp_path / "base-f001.vmdk"
    disk = create(tmp_path / "disk", "-F", "vmdk", "-b", str(parts))
    assert (
        info(disk)["chain"]
        == [str(disk), str(parts), str(extent)]
        == [str(disk), *files_below(str(disk), "")]
    )
    assert info(disk)["allocated"] == allocated(disk, parts, extent) >= MIB
    slice_of = {"driver": "raw", "offset": MIB, "file": {"driver": "file", "filename": str(extent)}}
    sliced = create(tmp_path / "sliced", "-F", "raw", "-b", f"json:{json.dumps(slice_of)}")
    assert info(sliced)["chain"] == [str(sliced), str(extent)]


def test_a_backing_file_that_is_read_from_several_copies_is_all_of_them(tmp_path: Path) -> None:
    """QEMU's quorum compares them."""
    copies = [create(tmp_path / name, form="raw") for name in ("one", "two")]
    children = [{"driver": "raw", "file": {"driver": "file", "filename": str(copy)}} for copy in copies]
    quorum = {"driver": "quorum", "vote-threshold": 2, "children": children}
    disk = create(tmp_path / "disk", "-u", "-F", "raw", "-b", f"json:{json.dumps(quorum)}")
    assert list(files_below(str(disk), "qcow2")) == [str(copy) for copy in copies[::-1]]


def test_how_much_of_a_device_is_in_use_is_unknown(tmp_path: Path) -> None:
    """Also where it lies below the disk; then the disk may need all of its size."""
    disk = create(tmp_path / "disk", "-u", "-F", "raw", "-b", "/dev/null")
    assert info(disk)["allocated"] == 4 * MIB
    assert info(create(tmp_path / "raw", form="raw"), "raw", "block")["allocated"] == 4 * MIB
    assert info(tmp_path / "raw", "raw")["allocated"] < MIB


def test_what_is_kept_inside_a_disk_is_known(tmp_path: Path) -> None:
    """Snapshots and dirty bitmaps; in a raw disk, there are none."""
    disk = create(tmp_path / "disk")
    subprocess.run(["qemu-img", "snapshot", "-c", "before upgrade", str(disk)], check=True)
    subprocess.run(["qemu-img", "bitmap", "--add", str(disk), "week1"], check=True)
    assert kept_inside(str(disk), "qcow2") == ({"before upgrade"}, {"week1"})
    assert info(disk)["snapshots"] == ["before upgrade"]
    raw = create(tmp_path / "raw", form="raw")
    assert kept_inside(str(raw), "raw") == (set(), set())
    assert (info(raw, "raw")["snapshots"], info(raw, "raw")["qcow2"]) == ([], None)
    with pytest.raises(LibvirtError, match="No such file"):
        info(tmp_path / "missing")
    os.truncate(raw, 0)
    with pytest.raises(LibvirtError, match="qcow2"):
        kept_inside(str(raw), "qcow2")
