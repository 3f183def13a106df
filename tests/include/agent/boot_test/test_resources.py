"""The kernel bounds what a boot test's QEMU writes; the agent ends the test before."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from include.agent.boot_test import resources
from include.agent.boot_test.definition import BootSubstitutes
from include.agent.boot_test.resources import BootSpace, require_free, require_memory, scratch_folder
from include.agent.errors import NotPossibleError

MIB = 1 << 20
WRITER = """
import sys
sys.stdin.readline()
with open(sys.argv[1], "wb", buffering=0) as file:
    while True:
        file.write(bytes(1 << 20))
"""


def substitutes(folder: Path, *disks: str) -> BootSubstitutes:
    """Return the overlays of a boot test."""
    overlays = {disk: folder / f"{disk}.qcow2" for disk in disks}
    return BootSubstitutes("boot-test-of-a-test", "", folder, overlays, 0)


def test_a_qemu_is_killed_when_it_writes_more_than_its_share(tmp_path: Path) -> None:
    """Even while the agent sleeps; no other process is bounded."""
    space = BootSpace(substitutes(tmp_path, "vda", "vdb"), 8 * MIB)
    assert space.file_bytes == 4 * MIB
    files = [tmp_path / "vda.qcow2", tmp_path / "other"]
    names = ["guest=boot-test-of-a-test,debug-threads=on", "guest=boot-test-of-a-test-2,debug-threads=on"]
    qemu, other = (
        subprocess.Popen([sys.executable, "-c", WRITER, file, "-name", name], stdin=subprocess.PIPE)
        for file, name in zip(files, names, strict=True)
    )
    space.bound("boot-test-of-a-test")
    with qemu, other:
        for process in (other, qemu):
            assert process.stdin
            process.stdin.write(b"\n")
            process.stdin.flush()
        # Python ignores the signal, and gets an error instead.
        assert qemu.wait(20) in (1, -signal.SIGXFSZ)
        while not (files[1].exists() and files[1].stat().st_size > 8 * MIB):
            assert other.poll() is None
        other.kill()
    assert files[0].stat().st_size == 4 * MIB


def test_a_boot_test_ends_shortly_before_its_limit(tmp_path: Path) -> None:
    """Because of any disk, or of its console; the message says how much it was."""
    space = BootSpace(substitutes(tmp_path, "vda"), 160 * 10**6)
    space.require()
    for name in ("vda.qcow2", "console.log"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(150 * 10**6)
            space.require()
            file.truncate(151 * 10**6)
            with pytest.raises(NotPossibleError, match=f"{name} has 0.15 GB, of at most 0.16 GB"):
                space.require()
            file.truncate(0)


def test_space_that_isnt_there_is_required_for_each_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none of it may be missing when something is copied."""
    monkeypatch.setattr(resources, "usable_bytes", lambda _: 300 * MIB)
    assert BootSpace(substitutes(tmp_path, "vda"), 10**12).file_bytes == 300 * MIB
    with pytest.raises(NotPossibleError, match=r"needs 0.54 GB, and 0.31 GB are free. Nothing was booted"):
        BootSpace(substitutes(tmp_path, "vda", "vdb"), 10**12)
    with pytest.raises(NotPossibleError, match="Not enough space"):
        require_free(tmp_path, 301 * MIB)


def test_memory_that_isnt_there_and_a_missing_scratch_folder_are_reported(tmp_path: Path) -> None:
    """With what to do."""
    require_memory(1)
    with pytest.raises(NotPossibleError, match=r"Lower boot_test.memory_max"):
        require_memory(1 << 60)
    assert scratch_folder(str(tmp_path)) == tmp_path
    with pytest.raises(NotPossibleError, match=f"This host has no folder {tmp_path}/nowhere. Create it"):
        scratch_folder(f"{tmp_path}/nowhere")
