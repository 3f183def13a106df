"""How a new disk is made from what is in its place, and what it won't have; with a real qemu-img."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.disks import new_disk, qcow2_options
from include.agent.restore.disk_place import DiskPlace, disk_place, lost_with
from include.agent.restore.request import RestoreRequest
from tests.include.agent.restore.test_request import DISK, REQUEST

OPTIONS = {"cluster_size": 1 << 17, "extended_l2": True, "lazy_refcounts": True}


def create(path: Path, *options: str) -> Path:
    """Create an image."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "1M"], check=True)
    return path


def place(path: Path, options: dict[str, Any] | None = None, *, keep_old: bool = True) -> DiskPlace:
    """Return the destination of a QCOW2 disk that is restored in place."""
    disk = {**DISK, "path": str(path), "format": "qcow2", "bytes": 1 << 20, "qcow2": options}
    restore = RestoreRequest({**REQUEST, "disks": [disk], "keep_old": keep_old})
    return disk_place(restore, restore.disks[0], {path: "qcow2"})


def made(target: DiskPlace) -> dict[str, Any]:
    """Make a new disk, and return what qemu-img has about it."""
    new_disk.make(target, lambda: None)
    command = ["qemu-img", "info", "--output=json", str(target.new)]
    return dict(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


def test_a_new_disk_shares_no_data_file_with_the_old_one(tmp_path: Path) -> None:
    """A copy of a QCOW2 file with an external data file would write to that of the old disk."""
    data = tmp_path / "data.raw"
    found = place(create(tmp_path / "maq1.qcow2", "-o", f"data_file={data}"), keep_old=False)
    assert (found.base, found.flat, found.overlay) == ("qcow2", False, False)
    assert "data-file" not in made(found)["format-specific"]["data"]
    assert list(lost_with(found, keep_old=False)) == [
        f"vda becomes a single file. What the old disk lay in besides its own file stays: {data}."
    ]


@pytest.mark.parametrize("lost", [True, False])
def test_a_disk_that_is_made_anew_has_the_options_of_the_backed_up_one(tmp_path: Path, *, lost: bool) -> None:
    """Whether the old one is lost, or lies on a backing file."""
    path = tmp_path / "maq1.qcow2"
    if not lost:
        create(path, "-F", "qcow2", "-b", str(create(tmp_path / "below")))
    found = place(path, OPTIONS)
    assert found.anew
    image = qcow2_options.of_image(made(found))
    assert image is not None
    assert OPTIONS.items() <= image.items()


def test_an_option_that_this_hosts_qemu_img_cant_make_is_named(tmp_path: Path) -> None:
    """The disk is made without it."""
    found = place(tmp_path / "maq1.qcow2", {"compat": "0.10", "lazy_refcounts": True})
    assert list(lost_with(found, keep_old=True)) == [
        "vda is made without lazy_refcounts=on, which this host's qemu-img can't make."
    ]
    assert made(found)["format-specific"]["data"]["compat"] == "0.10"


def test_what_an_older_qemu_img_has_no_choice_of_isnt_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 5.1 all was compressed by zlib, and before 5.2 no L2 entry was extended."""
    older = tmp_path / "qemu-img"
    refused = 'case "$*" in *compression_type*|*extended_l2*) exit 1 ;; esac'
    older.write_text(f'#!/bin/sh\n{refused}\nexec {shutil.which("qemu-img")} "$@"\n', encoding="utf-8")
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    plain = {"cluster_size": 1 << 17, "compression_type": "zlib", "extended_l2": False}
    found = place(tmp_path / "maq1.qcow2", plain)
    assert list(lost_with(found, keep_old=True)) == []
    assert made(found)["cluster-size"] == 1 << 17
    [warning] = lost_with(place(tmp_path / "maq1.qcow2", {**plain, "extended_l2": True}), keep_old=True)
    assert warning.startswith("vda is made without extended_l2=on,")


@pytest.mark.parametrize("keep_old", [True, False])
def test_internal_snapshots_that_the_new_disk_wont_have_are_named(tmp_path: Path, *, keep_old: bool) -> None:
    """A copy of a single file has them, and so has one that is overwritten; a copy of a chain hasn't."""
    path = create(tmp_path / "maq1.qcow2")
    snapshot = ["qemu-img", "snapshot", "-c", "before upgrade", str(path)]
    subprocess.run(snapshot, check=True)
    found = place(path, keep_old=keep_old)
    assert found.overlay != keep_old
    assert list(lost_with(found, keep_old=keep_old)) == []
    if keep_old:
        assert [one["name"] for one in made(found)["snapshots"]] == ["before upgrade"]
    path.unlink()
    create(path, "-F", "qcow2", "-b", str(create(tmp_path / "below")))
    subprocess.run(snapshot, check=True)
    warning, _ = lost_with(place(path, keep_old=keep_old), keep_old=keep_old)
    assert warning.startswith("vda won't have these internal snapshots: before upgrade. They ")
    assert ("stay in the old disk" in warning) == keep_old


@pytest.mark.parametrize("compat", ["0.10", "1.1"])
def test_an_old_disk_of_another_size_may_have_snapshots(tmp_path: Path, compat: str) -> None:
    """In QCOW2's first format, it can't be resized then: the new one is made anew, without them."""
    path = create(tmp_path / "maq1.qcow2", "-o", f"compat={compat}")
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", str(path), "2M"], check=True)
    subprocess.run(["qemu-img", "snapshot", "-c", "before upgrade", str(path)], check=True)
    found = place(path, {"compat": compat})
    lost = [one.split(":")[0] for one in lost_with(found, keep_old=True)]
    assert lost == ["vda won't have these internal snapshots"] * (compat == "0.10")
    image = made(found)
    assert (image["virtual-size"], len(image.get("snapshots", []))) == (1 << 20, compat != "0.10")
    assert image["format-specific"]["data"]["compat"] == compat
