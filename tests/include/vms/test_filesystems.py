"""File systems in an image: real ones, made by mkfs and sfdisk, copied while mounted and after."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.vms.filesystems import FileSystem, inspect
from tests.session.needs import disk_mounts, program

MIB = 1 << 20
UUID = "0e4a1d2c-77aa-4f3e-9d43-2f6a51c0ffee"


def run(*command: str, stdin: str = "") -> None:
    """Run a program; it must succeed."""
    program(command[0])
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def blank(path: Path, mebibytes: int = 32) -> Path:
    """Make a sparse image of zeros."""
    with path.open("wb") as file:
        file.truncate(mebibytes * MIB)
    return path


def ext4(path: Path, *options: str, kind: str = "ext4", mebibytes: int = 8) -> Path:
    """Make an image of one ext file system, without partitions."""
    run(f"mkfs.{kind}", "-q", "-F", "-L", "data", "-U", UUID, *options, str(blank(path, mebibytes)))
    return path


def put(part: Path, image: Path, mebibyte: int) -> None:
    """Write an image of a partition into its place on a disk."""
    with image.open("r+b") as file:
        file.seek(mebibyte * MIB)
        file.write(part.read_bytes())


def change(image: Path, at: int, kind: str, value: int, start: int = 0) -> Path:
    """Overwrite a number in a superblock."""
    with image.open("r+b") as file:
        file.seek(start + 1024 + at)
        file.write(struct.pack(kind, value))
    return image


def descriptions(image: Path) -> list[str]:
    """Return the descriptions of an image's file systems."""
    return [file_system.description for file_system in inspect(image)]


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
def test_a_new_file_system_is_clean(tmp_path: Path, kind: str) -> None:
    """As mkfs leaves it; UUID and label are recorded."""
    assert inspect(ext4(tmp_path / "vda.img", kind=kind)) == [
        FileSystem(
            place="whole disk",
            kind=kind,
            uuid=UUID,
            label="data",
            clean=True,
            description=f"whole disk, {kind} 'data': cleanly unmounted.",
        )
    ]


@pytest.mark.parametrize("block_bytes", [1024, 2048, 4096])
def test_a_superblock_is_found_for_any_block_size(tmp_path: Path, block_bytes: int) -> None:
    """It is always at byte 1024: in block 1 or in block 0."""
    image = ext4(tmp_path / "vda.img", "-b", str(block_bytes))
    assert [file_system.kind for file_system in inspect(image)] == ["ext4"]


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_a_mounted_file_system_isnt_clean_and_is_after_unmounting(tmp_path: Path, kind: str) -> None:
    """By the flags that the real kernel sets: ext4 needs its journal, ext2 isn't valid."""
    image, folder, copy = ext4(tmp_path / "vda.img", kind=kind), tmp_path / "mnt", tmp_path / "copy.img"
    folder.mkdir()
    script = 'mount -o loop "$1" "$2" && echo x > "$2/file" && sync && cp "$1" "$3" && umount "$2"'
    run(*disk_mounts(), "sh", "-ec", script, "sh", str(image), str(folder), str(copy))
    (mounted,), (unmounted,) = inspect(copy), inspect(image)
    assert (mounted.kind, mounted.clean, unmounted.clean) == (kind, False, True)
    journal = "in use; its journal is replayed at the next mount"
    problem = {"ext2": "not cleanly unmounted", "ext4": journal}[kind]
    assert mounted.description == f"whole disk, {kind} 'data': {problem}."


def test_a_file_system_with_errors_isnt_clean(tmp_path: Path) -> None:
    """Even after a clean unmount: the kernel keeps the flag."""
    image = change(ext4(tmp_path / "vda.img"), 0x3A, "<H", 0x3)
    assert [file_system.clean for file_system in inspect(image)] == [False]
    assert "errors" in descriptions(image)[0]


def test_partitions_of_a_gpt_are_found(tmp_path: Path) -> None:
    """By their own numbers, even where some are missing."""
    disk = blank(tmp_path / "vda.img", 48)
    table = "label: gpt\n2: start=2048, size=16384, type=linux\n7: start=32768, size=16384, type=linux\n"
    run("sfdisk", "--quiet", str(disk), stdin=table)
    put(ext4(tmp_path / "a"), disk, 1)
    put(change(ext4(tmp_path / "b", "-L", ""), 0x60, "<I", 0x2C6), disk, 16)
    assert descriptions(disk) == [
        "partition 2, ext4 'data': cleanly unmounted.",
        "partition 7, ext4: in use; its journal is replayed at the next mount.",
    ]


def test_partitions_of_a_gpt_with_large_sectors_are_found(tmp_path: Path) -> None:
    """With sectors of 4096 bytes, the table lies elsewhere and counts in other units."""
    disk = blank(tmp_path / "vda.img", 48)
    run("fdisk", "--sector-size=4096", str(disk), stdin="g\nn\n1\n256\n+2047\nw\n")
    put(ext4(tmp_path / "a"), disk, 1)
    assert descriptions(disk) == ["partition 1, ext4 'data': cleanly unmounted."]


def test_partitions_of_an_mbr_are_found_including_logical_ones(tmp_path: Path) -> None:
    """One primary partition, and three in an extended one."""
    disk = blank(tmp_path / "vda.img", 64)
    table = """label: dos
1: start=2048, size=16384, type=83
3: start=20480, size=100000, type=5
5: start=22528, size=16384, type=83
6: start=43008, size=16384, type=82
7: start=65536, size=16384, type=83
"""
    run("sfdisk", "--quiet", str(disk), stdin=table)
    for mebibyte in (1, 11, 32):
        put(ext4(tmp_path / f"at{mebibyte}"), disk, mebibyte)
    with disk.open("r+b") as file:
        file.seek(21 * MIB + 4086)
        file.write(b"SWAPSPACE2")
    assert descriptions(disk) == [
        "partition 1, ext4 'data': cleanly unmounted.",
        "partition 5, ext4 'data': cleanly unmounted.",
        "partition 6, swap: not checked for a clean unmount.",
        "partition 7, ext4 'data': cleanly unmounted.",
    ]


def test_other_file_systems_are_listed_as_not_checked(tmp_path: Path) -> None:
    """A real XFS is neither clean nor unclean."""
    disk = blank(tmp_path / "vda.img", 320)
    run("mkfs.xfs", "-q", str(disk))
    assert [(file_system.kind, file_system.clean) for file_system in inspect(disk)] == [("xfs", None)]


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\0" * MIB, b"\xff" * MIB, b"\x55\xaa" * MIB],
    ids=["empty", "short", "zeros", "ones", "signatures"],
)
def test_unrecognized_content_has_no_file_systems(tmp_path: Path, content: bytes) -> None:
    """An empty disk, a short one, zeros, ones, and boot signatures."""
    image = tmp_path / "vda.img"
    image.write_bytes(content)
    assert inspect(image) == []


def test_a_cyclic_chain_of_logical_partitions_ends(tmp_path: Path) -> None:
    """A damaged table, or a malicious one."""
    entry = struct.Struct("<B3xB3xII")
    record = b"\0" * 446 + entry.pack(0, 0x83, 1, 8) + entry.pack(0, 0x05, 1, 8) + b"\0" * 32 + b"\x55\xaa"
    first = b"\0" * 446 + entry.pack(0, 0x05, 1, 8) + b"\0" * 48 + b"\x55\xaa"
    image = tmp_path / "vda.img"
    image.write_bytes((first + record + record).ljust(MIB, b"\0"))
    assert inspect(image) == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "partx can't be run: No such file or directory"),
        ("echo 'partx: cannot open it' >&2; exit 1", "partx ended with status 1: 'partx: cannot open it'"),
    ],
    ids=["missing", "failing"],
)
def test_without_partx_partitions_are_listed_as_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, reason: str
) -> None:
    """With the reason; a file system on the whole disk is checked all the same."""
    image, programs = ext4(tmp_path / "vda.img"), tmp_path / "bin"
    programs.mkdir()
    if script:
        (programs / "partx").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "partx").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    assert [(found.place, found.clean) for found in inspect(image)] == [
        ("whole disk", True),
        ("partitions", None),
    ]
    assert descriptions(image)[1] == f"partitions: not checked, since {reason}."


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """One small disk of each kind, to be damaged."""
    folder = tmp_path_factory.mktemp("disks")
    made = []
    for label in ("gpt", "dos"):
        disk = blank(folder / label, 4)
        run("sfdisk", "--quiet", str(disk), stdin=f"label: {label}\n1: start=2048, type=linux\n")
        made.append(disk.read_bytes())
    return [*made, ext4(folder / "ext4", mebibytes=2).read_bytes()]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path at which each damaged disk is written."""
    return tmp_path_factory.mktemp("damaged") / "vda.img"


@given(st.data())
def test_damaged_disks_raise_no_error(damaged: Path, disks: list[bytes], data: st.DataObject) -> None:
    """Whatever the table and the superblock contain."""
    disk = bytearray(data.draw(st.sampled_from(disks)))
    for _ in range(data.draw(st.integers(1, 8))):
        at, noise = data.draw(st.integers(0, 2500)), data.draw(st.binary(min_size=1, max_size=64))
        disk[at : at + len(noise)] = noise
    damaged.write_bytes(disk)
    assert all(file_system.description.endswith(".") for file_system in inspect(damaged))
