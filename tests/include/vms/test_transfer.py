"""The transfer over a real connection: exact, sparse, and only of the chunks that differ."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import VaultError
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.chunks import Chunks, StoredDigests
from include.vms.image import read_back
from include.vms.received_notes import ReceivedDisk
from include.vms.transfer import transfer
from tests.include.days.sample_days import tree
from tests.include.tcp_proxy import Wire
from tests.include.vms.exported_disks import MIB, ExportedDisks, allocated, backup_of, image, noise, transport
from tests.include.vms.folder_host import take
from tests.include.vms.sample_vms import INSTANT, verified
from tests.site.sshd import SshServer

DAY = timedelta(days=1)
SPARE = 200_000  # bytes that SSH's handshakes and the digests take


def test_an_image_equals_the_disk_and_is_as_sparse(
    exported: ExportedDisks, vault: Vault, tmp_path: Path
) -> None:
    """Holes and zeros aren't sent; the last chunk may be short."""
    size = 9 * MIB + 512
    disk = image(tmp_path / "d", size, at_1=noise(1.5), at_4=bytes(MIB), at_7=b"x", at_9=noise(1 / 2048))
    begun = exported.export({"vda": disk})
    with (
        Wire(exported.server) as wire,
        exported.source(begun, wire.connection) as source,
        VmArchive(vault).lock("maq1") as staged,
    ):
        transferred = transfer(source, staged, None, print)
        assert staged.image("vda").read_bytes() == disk.read_bytes()
        assert allocated(staged.image("vda")) <= 3 * MIB + 512 + 8192
        sent = 3 * MIB + 512
        counted = {"sent_bytes": sent, "same_bytes": 0, "zero_bytes": size - sent, "read_bytes": sent}
        disk_result = ReceivedDisk.model_validate({"name": "vda", "bytes": size, **counted})
        assert (transferred.disks, transferred.files) == ((disk_result,), ("domain.xml",))
        assert sent < wire.carried < sent + SPARE
        assert staged.file("domain.xml").read_text() == "<domain/>\n"
        assert not read_back(staged.image("vda"), Chunks.read(staged.chunks("vda"))).bad


def test_disks_of_any_size_are_transferred(exported: ExportedDisks, vault: Vault, tmp_path: Path) -> None:
    """Including an empty one."""
    sizes = [0, 512, 4096, MIB - 512, MIB, MIB + 512, 3 * MIB]
    disks = {f"vd{size}": image(tmp_path / f"{size}", size, at_0=noise(size / MIB)) for size in sizes}
    take(backup_of(vault, exported, disks))
    (generation,) = VmArchive(vault).of("maq1")
    assert verified(generation)
    for name, disk in disks.items():
        assert generation.image(name).read_bytes() == disk.read_bytes()


def test_a_qcow2_disk_is_transferred_as_the_guest_sees_it(
    exported: ExportedDisks, vault: Vault, tmp_path: Path
) -> None:
    """Compressed, and on top of a backing file."""
    raw = image(tmp_path / "raw", 8 * MIB, at_2=b"packed" * MIB)
    below, top = tmp_path / "below.qcow2", tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, below], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, top], check=True)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", top], check=True, capture_output=True)
    take(backup_of(vault, exported, {"vda": top}))
    (generation,) = VmArchive(vault).of("maq1")
    assert generation.image("vda").read_bytes() == b"\7" * MIB + raw.read_bytes()[MIB:]
    assert generation.record.disks[0].sent_bytes == 7 * MIB


@pytest.fixture(scope="module")
def last_week(cluster: SshServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a disk and a vault that has a generation of it.

    The disk is eight chunks and a half of random data, with a hole at chunk 5.
    """
    folder = tmp_path_factory.mktemp("last week")
    disk = image(folder / "disk", 8 * MIB + MIB // 2, at_0=noise(5), at_6=noise(2.5))
    with tempfile.TemporaryDirectory(prefix="kvm-", dir="/tmp") as state:
        exported = ExportedDisks(cluster, Path(state))
        take(backup_of(Vault.create(folder / "vault"), exported, {"vda": disk}))
    return folder


@pytest.fixture
def this_week(last_week: Path, tmp_path: Path) -> tuple[Vault, Path]:
    """A copy of the vault and the disk."""
    subprocess.run(["cp", "--archive", "--sparse=always", f"{last_week}/.", tmp_path], check=True)
    return Vault(tmp_path / "vault"), tmp_path / "disk"


def write(disk: Path, at: float, data: bytes) -> None:
    """Write into a disk, from a chunk on."""
    with disk.open("r+b") as file:
        file.seek(int(at * MIB))
        file.write(data)


def punch(disk: Path, at: int) -> None:
    """Punch a hole in place of a chunk."""
    subprocess.run(["fallocate", "--punch-hole", f"--offset={at * MIB}", f"--length={MIB}", disk], check=True)


# A change of the disk, and how many chunks are sent after it.
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
def test_a_week_later_only_changed_chunks_are_sent(
    exported: ExportedDisks, this_week: tuple[Vault, Path], change: Callable[[Path], object], chunks: float
) -> None:
    """The rest is copied from the newest generation, which isn't changed."""
    vault, disk = this_week
    before = tree(VmArchive(vault).of("maq1")[0].folder)
    change(disk)
    with Wire(exported.server) as wire:
        backup = backup_of(vault, exported, {"vda": disk}, "next run", INSTANT + DAY)
        object.__setattr__(backup.host, "transport", transport(wire.connection))
        take(backup)
        carried = wire.carried
    first, second = VmArchive(vault).of("maq1")
    assert tree(first.folder) == before
    assert verified(second)
    assert second.image("vda").read_bytes() == disk.read_bytes()
    assert allocated(second.image("vda")) <= allocated(disk) + MIB
    assert second.record.disks[0].sent_bytes == chunks * MIB
    assert chunks * MIB < carried < chunks * MIB + SPARE


def cut_image(base: PublishedVm) -> None:
    """Make an image shorter than its chunk file says."""
    base.image("vda").chmod(0o644)
    os.truncate(base.image("vda"), MIB)


def replace_by_link(base: PublishedVm) -> None:
    """Replace an image by a link."""
    base.folder.chmod(0o755)
    base.image("vda").unlink()
    base.image("vda").symlink_to("/dev/zero")


def damage_chunks(base: PublishedVm) -> None:
    """Overwrite the chunk file."""
    base.chunks("vda").chmod(0o644)
    base.chunks("vda").write_bytes(b"{}")


def lose_chunks(base: PublishedVm) -> None:
    """Delete the chunk file."""
    base.folder.chmod(0o755)
    base.chunks("vda").unlink()


@pytest.mark.parametrize("damage", [cut_image, replace_by_link, damage_chunks, lose_chunks])
def test_a_disk_without_a_usable_base_is_sent_completely(
    exported: ExportedDisks, this_week: tuple[Vault, Path], damage: Callable[[PublishedVm], None]
) -> None:
    """A damaged base doesn't stop backups."""
    vault, disk = this_week
    damage(VmArchive(vault).of("maq1")[0])
    take(backup_of(vault, exported, {"vda": disk}, "next run", INSTANT + DAY))
    second = VmArchive(vault).of("maq1")[-1]
    assert verified(second)
    assert [disk.sent_bytes for disk in second.record.disks] == [7 * MIB + MIB // 2]


def test_a_base_whose_digests_are_on_a_bad_sector_is_no_base(
    exported: ExportedDisks, this_week: tuple[Vault, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is found before the transfer, and not in the middle of it: there, no retry would get further."""
    vault, disk = this_week
    base, read = VmArchive(vault).of("maq1")[0].chunks("vda"), StoredDigests._read  # noqa: SLF001

    def bad_sector(digests: StoredDigests, start: int, length: int) -> bytes:
        if digests._path == base:  # noqa: SLF001
            raise VaultError("Input/output error")
        return read(digests, start, length)

    monkeypatch.setattr(StoredDigests, "_read", bad_sector)
    take(backup_of(vault, exported, {"vda": disk}, "next run", INSTANT + DAY))
    monkeypatch.undo()
    second = VmArchive(vault).of("maq1")[-1]
    assert verified(second)
    assert [disk.sent_bytes for disk in second.record.disks] == [7 * MIB + MIB // 2]


def test_a_new_disk_is_sent_completely(exported: ExportedDisks, vault: Vault, tmp_path: Path) -> None:
    """A disk that the VM doesn't have any more is left out."""
    disks = {name: image(tmp_path / name, 3 * MIB, at_1=noise()) for name in ("vda", "vdb", "vdc")}
    take(backup_of(vault, exported, {name: disks[name] for name in ("vda", "vdb")}))
    take(
        backup_of(vault, exported, {name: disks[name] for name in ("vda", "vdc")}, "next run", INSTANT + DAY)
    )
    second = VmArchive(vault).of("maq1")[-1]
    assert verified(second)
    assert {disk.name: disk.sent_bytes for disk in second.record.disks} == {"vda": 0, "vdc": MIB}
