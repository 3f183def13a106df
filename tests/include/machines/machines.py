"""Machines and generations to test with: images in staging, proven and published, without a host."""

import hashlib
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from include.day_backup import write_json
from include.machines.chunks import Chunks
from include.machines.generation import Generations, PublishedGeneration, StagedGeneration
from include.machines.machine_record import MachineRecord
from include.machines.publication import publish
from include.vault import Vault

INSTANT = datetime(2026, 11, 22, 5, 0, 3, 123456, tzinfo=UTC)
UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
IMAGES = {"vda": b"system" * 300_000, "vdb": b"data"}


def record(machine: str = "maq1", **facts: object) -> MachineRecord:
    """Give the record of a proven generation, with what differs."""
    proof = {
        "when": INSTANT,
        "how": "SHA-256 of 3 chunks read back from the disk equal to the host's",
        "seconds": 2,
    }
    steps = [{"step": "shutdown", "at": INSTANT, "seconds": 0.2}]
    disk = {"source_format": "raw", "sent_bytes": 9, "filesystems": []}
    sums = {name: hashlib.sha256(image).hexdigest() for name, image in IMAGES.items()}
    disks = [
        {"name": name, "bytes": len(image), "source_path": f"/vms/{name}", "sha256": sums[name], **disk}
        for name, image in IMAGES.items()
    ]
    what = {"machine": machine, "uuid": UUID, "host": "kvm_host", "instant": INSTANT, "disks": disks}
    how = {"method": "cold", "was": "running", "downtime_s": 4.2, "steps": steps, "stopped": "by itself"}
    kept = {"proof_of_life": "It runs.", "files": ["domain.xml"], "base": None, "bytes": 9, "run": "a run"}
    rest = {"pull_seconds": 3, "warnings": [], "proofs": [proof]}
    return MachineRecord.model_validate({**what, **how, **kept, **rest, **facts})


def stage(staged: StagedGeneration, definition: str = "<domain/>", **facts: object) -> None:
    """Put proven images and the definition into staging; the caller holds the machine."""
    draft = record(staged.machine, **facts)
    staged.begin(draft.run, draft.instant)
    for name, image in IMAGES.items():
        staged.image(name).write_bytes(image)
        chunks_of(image).write(staged.chunks(name))
    staged.file("domain.xml").write_text(definition)
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in staged.data.iterdir()}
    write_json(staged.draft, {"record": draft.model_dump(mode="json"), "sums": sums})


def lay(
    vault: Vault,
    machine: str = "maq1",
    instant: datetime = INSTANT,
    definition: str = "<domain/>",
    **facts: object,
) -> PublishedGeneration:
    """Publish a generation."""
    with Generations(vault).hold(machine) as staged:
        stage(staged, definition, instant=instant, **facts)
        generation = publish(staged)
        staged.clear()
        generation.seal()
    return generation


def chunks_of(image: bytes, chunk_bytes: int = 1 << 20) -> Chunks:
    """Hash an image's chunks."""
    blocks = [image[at : at + chunk_bytes] for at in range(0, len(image), chunk_bytes)]
    return Chunks(
        len(image), chunk_bytes, bytearray().join(hashlib.sha256(block).digest() for block in blocks)
    )


def proven(generation: PublishedGeneration) -> bool:
    """Prove a generation as a person does, with sha256sum and nothing of ours."""
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    done = subprocess.run(command, cwd=generation.folder, capture_output=True, check=False)
    listed = {line.split("  ", 1)[1] for line in generation.sums.read_text().splitlines()}
    everything = set(os.listdir(generation.folder)) - {"SHA256SUMS"}  # noqa: PTH208 - names
    return done.returncode == 0 and listed == everything


def names(folder: Path) -> list[str]:
    """Give what a folder holds."""
    return sorted(path.name for path in folder.iterdir())
