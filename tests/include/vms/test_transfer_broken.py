"""The transfer when something breaks: what was received is kept, and incomplete images don't count."""

import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import ImageGoneError, SourceUnreachableError, VmNotImagedError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.models import BegunBackup
from include.vms.transfer import Transferred, transfer, transfer_again
from tests.include.days.sample_days import tree
from tests.include.tcp_proxy import Wire
from tests.include.vms import transfer_process
from tests.include.vms.exported_disks import MIB, ExportedDisks, backup_of, image, noise
from tests.include.vms.folder_host import REQUEST
from tests.include.vms.sample_vms import INSTANT, verified

DAY = timedelta(days=1)
LARGE = 24 * MIB
SPARE = 300_000  # bytes that SSH's handshakes take


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk that takes a while: a hole, then random data."""
    return image(tmp_path / "disk", LARGE + MIB, at_1=noise(24))


def transferred(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, wire: Wire | None = None
) -> Transferred:
    """Transfer into staging."""
    with (
        VmArchive(vault).lock("maq1") as staged,
        exported.source(begun, wire.connection if wire else None) as source,
    ):
        return transfer(source, staged, None, print)


def write(path: Path, at: int, data: bytes) -> None:
    """Write into a file, read-only or not."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def noted(vault: Vault) -> int:
    """Return how many of the disk's chunks are noted in staging."""
    return VmArchive(vault).staged("maq1").received("vda").stat().st_size // 32


def staged_image(vault: Vault) -> bytes:
    """Return the content of the image in staging."""
    return VmArchive(vault).staged("maq1").image("vda").read_bytes()


def test_an_interrupted_transfer_resumes(exported: ExportedDisks, vault: Vault, disk: Path) -> None:
    """Only the rest is sent."""
    begun = exported.export({"vda": disk})
    with (
        Wire(exported.server, when=lambda wire: wire.carried > LARGE // 2, then=Wire.cut) as wire,
        pytest.raises(SourceUnreachableError, match="What was copied is kept"),
    ):
        transferred(exported, vault, begun, wire)
    received_chunks = noted(vault)
    assert LARGE // 2 - 3 * MIB < received_chunks * MIB < LARGE
    with Wire(exported.server) as wire:
        done = transferred(exported, vault, begun, wire)
        assert wire.carried < LARGE + MIB - received_chunks * MIB + SPARE
    assert done.disks[0].sent_bytes == LARGE + MIB - received_chunks * MIB
    assert staged_image(vault) == disk.read_bytes()


def test_a_connection_that_breaks_every_few_chunks_transfers_the_disk(
    exported: ExportedDisks, vault: Vault, disk: Path
) -> None:
    """Each try gets further."""
    begun, before = exported.export({"vda": disk}), 0
    for _ in range(12):
        with Wire(exported.server, when=lambda wire: wire.carried > 4 * MIB, then=Wire.cut) as wire:
            try:
                transferred(exported, vault, begun, wire)
                break
            except SourceUnreachableError:
                assert noted(vault) > before
                before = noted(vault)
    assert before > 1
    assert staged_image(vault) == disk.read_bytes()


def test_the_transfer_of_a_killed_worker_is_resumed(
    exported: ExportedDisks, vault: Vault, disk: Path
) -> None:
    """Killed by SIGKILL while data are being received and written."""
    begun, pids = exported.export({"vda": disk}), list[int]()
    with Wire(
        exported.server,
        when=lambda wire: wire.carried > LARGE // 2,
        then=lambda _: os.kill(pids[0], signal.SIGKILL),
    ) as wire:
        worker = transfer_process.begin(vault, begun, wire.connection, exported.command)
        pids.append(worker.pid)
        assert worker.wait() == -signal.SIGKILL
    received_chunks = noted(vault)
    assert received_chunks > 1
    assert transferred(exported, vault, begun).disks[0].sent_bytes == LARGE + MIB - received_chunks * MIB
    assert staged_image(vault) == disk.read_bytes()


def test_notes_zeroed_by_a_power_failure_dont_count(
    exported: ExportedDisks, vault: Vault, disk: Path
) -> None:
    """A file's size may reach the disk before its content; an incomplete note doesn't count either."""
    begun = exported.export({"vda": disk})
    complete = transferred(exported, vault, begun)
    assert complete.disks[0].sent_bytes == LARGE
    notes = VmArchive(vault).staged("maq1").received("vda")
    notes.write_bytes(notes.read_bytes()[: 5 * 32] + bytes(3 * 32) + b"torn")
    assert transferred(exported, vault, begun).disks[0].sent_bytes == LARGE - 4 * MIB
    assert staged_image(vault) == disk.read_bytes()


def test_bad_chunks_in_staging_are_transferred_again(
    exported: ExportedDisks, vault: Vault, tmp_path: Path
) -> None:
    """Verification finds them; only they are sent again. Those of a decayed base: test_read_back.py."""
    disk = image(tmp_path / "disk", 6 * MIB, at_0=noise(2.5), at_4=noise())
    backup = backup_of(vault, exported, {"vda": disk})
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    staged = VmArchive(vault).staged("maq1").image("vda")
    write(staged, MIB, b"decayed")
    write(staged, 3 * MIB, b"where only zeros are")
    backup.verify(begun)
    backup.publish(begun)
    (generation,) = VmArchive(vault).of("maq1")
    assert verified(generation)
    assert generation.image("vda").read_bytes() == disk.read_bytes()
    assert generation.record.verifications[0].how.endswith("; 2 chunks transferred again before")


def test_a_disk_that_changes_during_its_backup_is_never_published(
    exported: ExportedDisks, vault: Vault, disk: Path
) -> None:
    """Chunks transferred again must have the SHA-256 of the first transfer."""
    begun = exported.export({"vda": disk})
    transferred(exported, vault, begun)
    write(disk, 2 * MIB, b"somebody wrote below qemu-nbd")
    with VmArchive(vault).lock("maq1") as staged, exported.source(begun) as source:
        transfer_again(source, staged, {"vda": [0, 1]})
        with pytest.raises(VmNotImagedError, match="chunk 2 has changed on the host"):
            transfer_again(source, staged, {"vda": [2]})


def test_killed_exports_end_the_backup(exported: ExportedDisks, vault: Vault, tmp_path: Path) -> None:
    """A retry can't help, only a new backup."""
    begun = exported.export({"vda": image(tmp_path / "disk", 48 * MIB, at_0=noise(48))})
    with (
        Wire(
            exported.server, when=lambda wire: wire.carried > 4 * MIB, then=lambda _: exported.kill_exports()
        ) as wire,
        pytest.raises(ImageGoneError, match="The backup of maq1 isn't open any more"),
    ):
        transferred(exported, vault, begun, wire)
    with pytest.raises(ImageGoneError, match="doesn't answer"):
        transferred(exported, vault, begun)
    exported.stop()
    with pytest.raises(ImageGoneError, match="No backup of this VM is open"):
        transferred(exported, vault, begun)


def test_a_disk_that_the_host_cant_read_is_reported(
    exported: ExportedDisks, vault: Vault, disk: Path
) -> None:
    """With the disk's own error; the image doesn't count as complete."""
    sector = 9 * MIB // 512
    bad = f"file.inject-error.0.event=none,file.inject-error.0.errno=5,file.inject-error.0.sector={sector}"
    source = f"driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename={disk},{bad}"
    socket = exported.socket("vda")
    server = ["qemu-nbd", "--read-only", "--persistent", "--shared=0", "--fork", f"--socket={socket}"]
    subprocess.run([*server, "--export-name=vda", "--image-opts", source], check=True)
    begun = exported.write_journal([{"disk": "vda", "socket": str(socket), "export": "vda"}])
    with pytest.raises(VmNotImagedError, match=r"maq1 can't be sent.*Input/output error"):
        transferred(exported, vault, begun)
    assert not VmArchive(vault).staged("maq1").chunks("vda").exists()


def test_another_runs_backup_is_left_alone(exported: ExportedDisks, vault: Vault, tmp_path: Path) -> None:
    """As is its staging, whatever the clocks say."""
    begun = exported.export({"vda": image(tmp_path / "disk", MIB, at_0=noise())}, "next run")
    transferred(exported, vault, begun)
    before = tree(VmArchive(vault).staged("maq1").folder)
    mine = begun.model_copy(update={"run": "a run", "instant": INSTANT + DAY})
    with pytest.raises(ImageGoneError, match="The open backup is of next run, not of a run"):
        transferred(exported, vault, mine)
    assert tree(VmArchive(vault).staged("maq1").folder) == before
