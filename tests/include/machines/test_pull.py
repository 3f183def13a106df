"""Pulling: frozen disks come over a real wire, to the byte, sparse, and only as far as they differ."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include.machines.arriving_disk import PulledDisk
from include.machines.chunks import Chunks
from include.machines.generation import Generations, PublishedGeneration
from include.machines.image import read_back
from include.machines.pull import pull
from include.vault import Vault
from tests.include.days import tree
from tests.include.machines.folder_host import take
from tests.include.machines.held_disks import MIB, HeldDisks, allocated, backup, door, image, noise
from tests.include.machines.machines import INSTANT, proven
from tests.include.wire import Wire
from tests.site.sshd import SshServer

WEEK = timedelta(weeks=1)
SPARE = 200_000  # bytes that SSH's own handshakes take, and the hashes


def test_a_full_image_is_the_disk_and_as_sparse(held: HeldDisks, vault: Vault, tmp_path: Path) -> None:
    """Holes and zeros aren't sent; the last chunk may be short."""
    size = 9 * MIB + 512
    disk = image(tmp_path / "d", size, at_1=noise(1.5), at_4=bytes(MIB), at_7=b"x", at_9=noise(1 / 2048))
    frozen = held.hold({"vda": disk})
    with (
        Wire(held.server) as wire,
        held.way(frozen, wire.connection) as way,
        Generations(vault).hold("maq1") as staged,
    ):
        pulled = pull(way, staged, None, print)
        assert staged.image("vda").read_bytes() == disk.read_bytes()
        assert allocated(staged.image("vda")) <= 3 * MIB + 512 + 8192
        sent = 3 * MIB + 512
        told = PulledDisk(name="vda", bytes=size, sent_bytes=sent, same_bytes=0, zero_bytes=size - sent)
        assert (pulled.disks, pulled.files) == ((told,), ("domain.xml",))
        assert sent < wire.carried < sent + SPARE
        assert staged.file("domain.xml").read_text() == "<domain/>\n"
        assert read_back(staged.image("vda"), Chunks.read(staged.chunks("vda"))).bad == []


def test_disks_of_any_size_come(held: HeldDisks, vault: Vault, tmp_path: Path) -> None:
    """One of no bytes too."""
    sizes = [0, 512, 4096, MIB - 512, MIB, MIB + 512, 3 * MIB]
    disks = {f"vd{size}": image(tmp_path / f"{size}", size, at_0=noise(size / MIB)) for size in sizes}
    take(backup(vault, held, disks))
    (generation,) = Generations(vault).of("maq1")
    assert proven(generation)
    for name, disk in disks.items():
        assert generation.image(name).read_bytes() == disk.read_bytes()


def test_a_qcow2_comes_as_the_guest_sees_it(held: HeldDisks, vault: Vault, tmp_path: Path) -> None:
    """Compressed as it may be, and on top of another file."""
    raw = image(tmp_path / "raw", 8 * MIB, at_2=b"packed" * MIB)
    below, top = tmp_path / "below.qcow2", tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, below], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, top], check=True)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", top], check=True, capture_output=True)
    take(backup(vault, held, {"vda": top}))
    (generation,) = Generations(vault).of("maq1")
    assert generation.image("vda").read_bytes() == b"\7" * MIB + raw.read_bytes()[MIB:]
    assert generation.record.disks[0].sent_bytes == 7 * MIB


@pytest.fixture(scope="module")
def last_week(cluster: SshServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault that has a generation, and with the disk that it is of.

    Eight chunks and a half of noise, but for a hole at chunk 5.
    """
    folder = tmp_path_factory.mktemp("last week")
    disk = image(folder / "disk", 8 * MIB + MIB // 2, at_0=noise(5), at_6=noise(2.5))
    with tempfile.TemporaryDirectory(prefix="kvm-", dir="/tmp") as state:
        held = HeldDisks(cluster, Path(state))
        take(backup(Vault.create(folder / "vault"), held, {"vda": disk}))
    return folder


@pytest.fixture
def this_week(last_week: Path, tmp_path: Path) -> tuple[Vault, Path]:
    """A copy of both."""
    subprocess.run(["cp", "--archive", "--sparse=always", f"{last_week}/.", tmp_path], check=True)
    return Vault(tmp_path / "vault"), tmp_path / "disk"


def write(disk: Path, at: float, data: bytes) -> None:
    """Write into a disk, at a chunk."""
    with disk.open("r+b") as file:
        file.seek(int(at * MIB))
        file.write(data)


def punch(disk: Path, at: int) -> None:
    """Give back the blocks of a chunk."""
    subprocess.run(["fallocate", "--punch-hole", f"--offset={at * MIB}", f"--length={MIB}", disk], check=True)


# What is done to the disk, and the chunks that are sent then.
@pytest.mark.parametrize(
    ("change", "chunks"),
    [
        pytest.param(lambda _: None, 0, id="nothing"),
        pytest.param(lambda disk: write(disk, 2.5, b"x"), 1, id="a byte"),
        pytest.param(lambda disk: write(disk, 1.5, noise()), 2, id="across a border"),
        pytest.param(lambda disk: write(disk, 5, b"x"), 1, id="into the hole"),
        pytest.param(lambda disk: write(disk, 3, bytes(MIB)), 0, id="zeros"),
        pytest.param(lambda disk: punch(disk, 3), 0, id="trimmed"),
        pytest.param(lambda disk: write(disk, 8.25, b"x"), 0.5, id="the short end"),
        pytest.param(lambda disk: os.truncate(disk, 11 * MIB), 1, id="grown"),
        pytest.param(lambda disk: write(disk, 8.5, noise(2)), 2.5, id="grown by data"),
        pytest.param(lambda disk: os.truncate(disk, 3 * MIB + 4096), 1 / 256, id="shrunk"),
        pytest.param(lambda disk: os.truncate(disk, 0), 0, id="emptied"),
    ],
)
def test_a_week_later_only_what_changed_is_on_the_wire(
    held: HeldDisks, this_week: tuple[Vault, Path], change: Callable[[Path], object], chunks: float
) -> None:
    """The rest is taken from the newest generation, which isn't touched."""
    vault, disk = this_week
    before = tree(Generations(vault).of("maq1")[0].folder)
    change(disk)
    with Wire(held.server) as wire:
        one = backup(vault, held, {"vda": disk}, "next run", INSTANT + WEEK)
        object.__setattr__(one.host, "door", door(wire.connection))
        take(one)
        carried = wire.carried
    first, second = Generations(vault).of("maq1")
    assert tree(first.folder) == before
    assert proven(second)
    assert second.image("vda").read_bytes() == disk.read_bytes()
    assert allocated(second.image("vda")) <= allocated(disk) + MIB
    assert second.record.disks[0].sent_bytes == chunks * MIB
    assert chunks * MIB < carried < chunks * MIB + SPARE


def cut_image(base: PublishedGeneration) -> None:
    """Make an image shorter than its hashes say."""
    base.image("vda").chmod(0o644)
    os.truncate(base.image("vda"), MIB)


def replace_by_link(base: PublishedGeneration) -> None:
    """Put a link in an image's place."""
    base.folder.chmod(0o755)
    base.image("vda").unlink()
    base.image("vda").symlink_to("/dev/zero")


def damage_chunks(base: PublishedGeneration) -> None:
    """Damage the file of hashes."""
    base.chunks("vda").chmod(0o644)
    base.chunks("vda").write_bytes(b"{}")


def lose_chunks(base: PublishedGeneration) -> None:
    """Lose the file of hashes."""
    base.folder.chmod(0o755)
    base.chunks("vda").unlink()


@pytest.mark.parametrize("damage", [cut_image, replace_by_link, damage_chunks, lose_chunks])
def test_a_disk_whose_base_cant_be_used_is_sent_whole(
    held: HeldDisks, this_week: tuple[Vault, Path], damage: Callable[[PublishedGeneration], None]
) -> None:
    """The base's damage is no end to backups."""
    vault, disk = this_week
    damage(Generations(vault).of("maq1")[0])
    take(backup(vault, held, {"vda": disk}, "next run", INSTANT + WEEK))
    second = Generations(vault).of("maq1")[-1]
    assert proven(second)
    assert [disk.sent_bytes for disk in second.record.disks] == [7 * MIB + MIB // 2]


def test_a_disk_that_is_new_is_sent_whole(held: HeldDisks, vault: Vault, tmp_path: Path) -> None:
    """And one that is gone isn't missed."""
    disks = {name: image(tmp_path / name, 3 * MIB, at_1=noise()) for name in ("vda", "vdb", "vdc")}
    take(backup(vault, held, {name: disks[name] for name in ("vda", "vdb")}))
    take(backup(vault, held, {name: disks[name] for name in ("vda", "vdc")}, "next run", INSTANT + WEEK))
    second = Generations(vault).of("maq1")[-1]
    assert proven(second)
    assert {disk.name: disk.sent_bytes for disk in second.record.disks} == {"vda": 0, "vdc": MIB}
