"""A folder of raw disks in place of a VM's host, for tests of the vault's side of a backup.

The host and the connection to it are tested elsewhere.
"""

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import pytest

from include.config.vms import HealthChecks
from include.errors import ImageGoneError
from include.remote.ssh import Endpoint
from include.remote.transport import CommandResult, Session
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, StagedVm, VmArchive
from include.vms.backup import VmBackup
from include.vms.chunks import CHUNK_BYTES, Chunks
from include.vms.host import Host
from include.vms.image_stream import ImageSource
from include.vms.models import BackupRequest, BegunBackup, EndedBackup
from include.vms.transfer import Transferred
from tests.include.nowhere import NOWHERE
from tests.include.vms.sample_vms import INSTANT, UUID, record, verified
from tests.session.needs import program

BEGUN_BY = "begun-by"
MIB = 1 << 20
REQUEST = BackupRequest(
    run="a run",
    method="cold",
    managed_save="refuse",
    on_timeout="leave",
    restart_changes="refuse",
    shutdown_timeout_s=60,
    watchdog_s=600,
    scratch=None,
    health_check=HealthChecks(),
)


@dataclass(frozen=True)
class NoTransport:
    """A connection to no host."""

    ssh_conn_id: str = "kvm_host"
    endpoint: Endpoint = field(default=NOWHERE)

    def run(self, command: str, stdin: bytes = b"") -> CommandResult:
        """Fail: there is no host."""
        raise NotImplementedError(command, stdin)

    def put(self, path: str, content: bytes) -> None:
        """Fail: there is no host."""
        raise NotImplementedError(path, content)

    def open(self, command: str, program: bytes) -> Session:
        """Fail: there is no host."""
        raise NotImplementedError(command, program)


@dataclass(frozen=True)
class FolderHost(Host):
    """The folder; it records what it was asked."""

    folder: Path = Path()
    instant: datetime = INSTANT
    asked: list[str] = field(default_factory=list)

    def begin_backup(self, uuid: str, request: BackupRequest) -> BegunBackup:
        """Record the run, and list the disks."""
        self.asked.append(f"begin-backup {request.run}")
        (self.folder / BEGUN_BY).write_text(request.run)
        disks = [
            {"name": path.stem, "format": "raw", "bytes": path.stat().st_size, "path": str(path)}
            for path in sorted(self.folder.glob("*.raw"))
        ]
        fields = record().begun.model_dump() | {"run": request.run, "uuid": uuid, "instant": self.instant}
        return BegunBackup.model_validate({**fields, "disks": disks})

    def end_backup(self, uuid: str, run: str) -> EndedBackup:
        """Do nothing."""
        self.asked.append(f"end-backup {run}")
        return EndedBackup(vm=uuid, state="running", repaired=(), scratch_bytes=0)

    def install_agent(self) -> Self:
        """Install nothing."""
        return self

    def command(self, *words: str) -> str:
        """Return the folder's path in place of a command."""
        self.asked.append(" ".join(words))
        return str(self.folder)


def without_a_connection() -> pytest.MonkeyPatch:
    """Transfer from folders until the patch is undone."""
    patch = pytest.MonkeyPatch()
    patch.setattr("include.vms.backup.transfer", transfer)
    patch.setattr("include.vms.backup.transfer_again", transfer_again)
    return patch


def two_disks(folder: Path) -> Path:
    """Make two disks in a new folder: random data with a hole, and an ext4 file system."""
    folder.mkdir()
    with (folder / "vda.raw").open("wb") as vda:
        vda.write(os.urandom(2 * MIB + 5))
        vda.seek(7 * MIB)
        vda.write(os.urandom(MIB // 2))
    with (folder / "vdb.raw").open("wb") as vdb:
        vdb.truncate(2 * MIB)
    subprocess.run([program("mkfs.ext4"), "-q", "-L", "data", folder / "vdb.raw"], check=True)
    return folder


def backup_of(vault: Vault, folder: Path, run: str = "a run", instant: datetime = INSTANT) -> VmBackup:
    """Return the backup of a VM whose disks are in a folder."""
    host = FolderHost(NoTransport(), "qemu:///system", "/var/lib/inpe-backup", None, folder, instant)
    return VmBackup(vault, host, "maq1", UUID, run, 0, print)


def take(backup: VmBackup) -> None:
    """Do all steps of a backup, in the order of a run."""
    begun = backup.begin_backup(REQUEST.model_copy(update={"run": backup.run}))
    backup.transfer(begun)
    backup.verify(begun)
    backup.end_backup()
    backup.publish(begun)


def transfer(
    source: ImageSource, into: StagedVm, base: PublishedVm | None, _log: Callable[[str], None]
) -> Transferred:
    """Copy a folder's disks into staging; chunks that the base has are copied from there.

    Raises:
        ImageGoneError: another run has begun a backup since.
    """
    if (run := Path(source.command, BEGUN_BY).read_text()) != source.begun.run:
        raise ImageGoneError(f"The open backup is of {run}.")
    into.begin(source.begun.run, source.begun.instant)
    disks = [_receive(path, into, base) for path in sorted(Path(source.command).glob("*.raw"))]
    into.file("domain.xml").write_text("<domain/>")
    return Transferred.model_validate({"disks": disks, "files": ["domain.xml"], "seconds": 0.5})


def _receive(source: Path, into: StagedVm, base: PublishedVm | None) -> dict[str, object]:
    disk, chunks = source.stem, hashed(source)
    old = Chunks.read(base.chunks(disk)) if base else Chunks.unknown(chunks.bytes)
    same = [index for index in range(chunks.count) if old.digest(index) == chunks.digest(index)]
    into.image(disk).write_bytes(source.read_bytes())
    if base:
        _copy(base.image(disk), into.image(disk), same)
    chunks.write(into.chunks(disk))
    sent_bytes, same_bytes = (chunks.count - len(same)) * CHUNK_BYTES, len(same) * CHUNK_BYTES
    received = {"name": disk, "bytes": chunks.bytes, "zero_bytes": 0}
    return received | {"sent_bytes": sent_bytes, "same_bytes": same_bytes}


def transfer_again(source: ImageSource, into: StagedVm, bad: Mapping[str, list[int]]) -> None:
    """Copy some chunks again."""
    for disk, chunks in bad.items():
        _copy(Path(source.command) / f"{disk}.raw", into.image(disk), chunks)


def hashed(image: Path) -> Chunks:
    """Return the chunks of an image."""
    content = image.read_bytes()
    blocks = (content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))
    return Chunks(len(content), digests=bytearray().join(hashlib.sha256(block).digest() for block in blocks))


def _copy(source: Path, target: Path, chunks: list[int]) -> None:
    with source.open("rb") as reading, target.open("r+b") as writing:
        for index in chunks:
            reading.seek(index * CHUNK_BYTES)
            writing.seek(index * CHUNK_BYTES)
            writing.write(reading.read(CHUNK_BYTES))


def change(disk: Path, at: int, content: bytes) -> None:
    """Overwrite a part of a file, read-only or not."""
    mode = disk.stat().st_mode
    disk.chmod(0o644)
    with disk.open("r+b") as file:
        file.seek(at)
        file.write(content)
    disk.chmod(mode)


def published(vault: Vault) -> list[PublishedVm]:
    """Return the VM's generations, and verify all."""
    generations = VmArchive(vault).of("maq1")
    assert all(verified(generation) for generation in generations)
    return generations


def asked(backup: VmBackup) -> list[str]:
    """Return what the host was asked."""
    assert isinstance(backup.host, FolderHost)
    return backup.host.asked
