"""The options of QCOW2 images, read from and given to a real qemu-img."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.disks.qcow2_options import arguments, checked, of_image, possible

OPTIONS = {
    "cluster_size": 131072,
    "compat": "1.1",
    "compression_type": "zlib",
    "extended_l2": True,
    "lazy_refcounts": True,
    "refcount_bits": 8,
}


def info(path: Path) -> dict[str, Any]:
    """Return what qemu-img has about an image."""
    command = ["qemu-img", "info", "--output=json", str(path)]
    return dict(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


def create(path: Path, options: dict[str, Any]) -> Path:
    """Create a QCOW2 image."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *arguments(options), str(path), "1M"]
    subprocess.run(command, check=True)
    return path


@pytest.mark.parametrize("options", [OPTIONS, {"compat": "0.10"}, {}])
def test_an_image_is_made_like_another_one(tmp_path: Path, options: dict[str, Any]) -> None:
    """What is read of one is all that is needed to make another."""
    one = create(tmp_path / "one", options)
    found = of_image(info(one))
    assert found is not None
    assert options.items() <= found.items()
    assert of_image(info(create(tmp_path / "two", found))) == found


def test_an_option_without_a_known_value_isnt_taken_over(tmp_path: Path) -> None:
    """Neither one that leads to a file, nor a value of a newer format."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path}/data"]
    subprocess.run([*command, str(tmp_path / "one"), "1M"], check=True)
    image = info(tmp_path / "one")
    image["format-specific"]["data"]["compat"] = "7.0"
    found = of_image(image)
    assert found is not None
    assert found.keys() == OPTIONS.keys() - {"compat"}
    assert of_image({**image, "format": "raw"}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_file": "/etc/shadow"},
        {"backing_file": "/etc/shadow"},
        {"cluster_size": "65536,data_file=/etc/shadow"},
        {"cluster_size": 65537},
        {"extended_l2": 1},
        {"refcount_bits": True},
        ["cluster_size"],
        "cluster_size=65536",
    ],
)
def test_options_from_another_host_cant_lead_to_a_file(wrong: object) -> None:
    """Nor to anything else that isn't on the list."""
    with pytest.raises(ValueError, match="invalid options"):
        checked(wrong)
    assert (checked(OPTIONS), checked(None)) == (OPTIONS, {})


def test_an_option_that_this_qemu_img_cant_make_is_dropped_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old one lacks some; here, the old format has no lazy refcounts."""
    assert possible(OPTIONS, 1 << 20) == OPTIONS
    old = {**OPTIONS, "compat": "0.10", "extended_l2": False, "refcount_bits": 16}
    assert possible(old, 1 << 20) == {name: value for name, value in old.items() if name != "lazy_refcounts"}
    assert possible({}, 1 << 20) == {}
    monkeypatch.setenv("PATH", "")
    assert possible(OPTIONS, 1 << 20) == OPTIONS, "that it is missing is another error"


def test_a_full_folder_of_temporary_files_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk to try is in memory."""
    monkeypatch.setattr("tempfile.tempdir", "/proc")  # nothing can be written there
    monkeypatch.setenv("TMPDIR", "/proc")
    assert possible(OPTIONS, 1 << 40) == OPTIONS


def test_a_qemu_img_that_hangs_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes the disk notices."""
    (tmp_path / "qemu-img").write_text("#!/bin/sh\nexec sleep 5\n")
    (tmp_path / "qemu-img").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("include.agent.disks.qcow2_options._PATIENCE_S", 0.1)
    assert possible(OPTIONS, 1 << 20) == OPTIONS
