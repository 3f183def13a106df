"""A machine without its host: a folder of raw disks that is asked, and pulled from, as a host is.

What hosts and wires do is tried where they are tested; here the vault's side is, step by step.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from include.errors import ImageGoneError
from include.machines.chunks import CHUNK_BYTES, Chunks
from include.machines.facts import FreezeRequest, Frozen, LifeSigns, Released
from include.machines.generation import PublishedGeneration, StagedGeneration
from include.machines.host import Host, Ran
from include.machines.machine_backup import MachineBackup
from include.machines.pull import Pulled
from include.machines.served import Way
from include.transfer import Route
from include.vault import Vault
from tests.include.machines.machines import INSTANT, UUID, record

FROZEN_FOR = "frozen-for"
REQUEST = FreezeRequest(
    run="a run",
    method="cold",
    on_timeout="leave",
    shutdown_timeout_s=60,
    lease_s=600,
    scratch=None,
    proof=LifeSigns(),
)


@dataclass(frozen=True)
class NoDoor:
    """A connection that nothing goes through."""

    connection: str = "kvm_host"
    route: Route = field(default=Route("127.0.0.1", 1, "nobody", "ssh-ed25519 AAAA"))

    def run(self, command: str, stdin: bytes = b"") -> Ran:
        """Nobody is there."""
        raise NotImplementedError(command, stdin)

    def put(self, path: str, content: bytes) -> None:
        """Nobody is there."""
        raise NotImplementedError(path, content)


@dataclass(frozen=True)
class FolderHost(Host):
    """The folder; it writes down what it was asked."""

    folder: Path = Path()
    instant: datetime = INSTANT
    asked: list[str] = field(default_factory=list)

    def freeze(self, uuid: str, request: FreezeRequest) -> Frozen:
        """Hold the disks."""
        self.asked.append(f"freeze {request.run}")
        (self.folder / FROZEN_FOR).write_text(request.run)
        disks = [
            {"name": path.stem, "format": "raw", "bytes": path.stat().st_size, "path": str(path)}
            for path in sorted(self.folder.glob("*.raw"))
        ]
        facts = record().frozen.model_dump() | {"run": request.run, "uuid": uuid, "instant": self.instant}
        return Frozen.model_validate({**facts, "disks": disks})

    def release(self, uuid: str, run: str) -> Released:
        """Let go of them."""
        self.asked.append(f"release {run}")
        return Released(machine=uuid, state="running", repaired=(), scratch_bytes=0)

    def serve_command(self, uuid: str) -> str:
        """Give the folder."""
        self.asked.append(f"serve {uuid}")
        return str(self.folder)


def without_a_wire() -> pytest.MonkeyPatch:
    """Pull from folders, until the patch is undone."""
    patch = pytest.MonkeyPatch()
    patch.setattr("include.machines.machine_backup.pull", pull)
    patch.setattr("include.machines.machine_backup.pull_again", pull_again)
    return patch


def backup(vault: Vault, folder: Path, run: str = "a run", instant: datetime = INSTANT) -> MachineBackup:
    """Give the backup of a machine whose disks are a folder's."""
    host = FolderHost(NoDoor(), "qemu:///system", "/var/lib/inpe-backup", None, folder, instant)
    return MachineBackup(vault, host, "maq1", UUID, run, 0, print)


def take(one: MachineBackup) -> None:
    """Take all steps, in the order of a run."""
    frozen = one.freeze(REQUEST.model_copy(update={"run": one.run}))
    one.pull(frozen)
    one.prove(frozen)
    one.release()
    one.publish(frozen)


def pull(
    way: Way, into: StagedGeneration, base: PublishedGeneration | None, _say: Callable[[str], None]
) -> Pulled:
    """Bring a folder's disks into staging; chunks that the base has by its hashes, from there.

    Raises:
        ImageGoneError: it was frozen for another run since.
    """
    if (run := Path(way.command, FROZEN_FOR).read_text()) != way.frozen.run:
        raise ImageGoneError(f"What is frozen now is of {run}.")
    into.begin(way.frozen.run, way.frozen.instant)
    disks = [_pulled(path, into, base) for path in sorted(Path(way.command).glob("*.raw"))]
    into.file("domain.xml").write_text("<domain/>")
    return Pulled.model_validate({"disks": disks, "files": ["domain.xml"], "seconds": 0.5})


def _pulled(source: Path, into: StagedGeneration, base: PublishedGeneration | None) -> dict[str, object]:
    disk, chunks = source.stem, hashed(source)
    old = Chunks.read(base.chunks(disk)) if base else Chunks.unknown(chunks.bytes)
    same = [index for index in range(chunks.count) if old.digest(index) == chunks.digest(index)]
    into.image(disk).write_bytes(source.read_bytes())
    if base:
        _copy(base.image(disk), into.image(disk), same)
    chunks.write(into.chunks(disk))
    sent = (chunks.count - len(same)) * CHUNK_BYTES
    kept = len(same) * CHUNK_BYTES
    facts = {"name": disk, "bytes": chunks.bytes}
    return facts | {"sent_bytes": sent, "same_bytes": kept, "zero_bytes": 0}


def pull_again(way: Way, into: StagedGeneration, bad: Mapping[str, list[int]]) -> None:
    """Bring some chunks anew."""
    for disk, chunks in bad.items():
        _copy(Path(way.command) / f"{disk}.raw", into.image(disk), chunks)


def hashed(image: Path) -> Chunks:
    """Hash an image's chunks."""
    content = image.read_bytes()
    blocks = (content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))
    return Chunks(len(content), digests=bytearray().join(hashlib.sha256(block).digest() for block in blocks))


def _copy(source: Path, target: Path, chunks: list[int]) -> None:
    with source.open("rb") as reading, target.open("r+b") as writing:
        for index in chunks:
            reading.seek(index * CHUNK_BYTES)
            writing.seek(index * CHUNK_BYTES)
            writing.write(reading.read(CHUNK_BYTES))
