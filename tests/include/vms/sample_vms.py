"""Generations of VMs for tests: images staged, verified and published without a host."""

import hashlib
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.agent.durable_files import write_json
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, StagedVm, VmArchive
from include.vms.chunks import Chunks
from include.vms.publication import publish
from include.vms.record import VmRecord

INSTANT = datetime(2026, 11, 22, 5, 0, 3, 123456, tzinfo=UTC)
AHEAD = datetime(2099, 1, 4, 5, tzinfo=UTC)
UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
IMAGES = {"vda": b"system" * 300_000, "vdb": b"data"}


def record(vm: str = "maq1", **fields: object) -> VmRecord:
    """Return the record of a verified generation, with these fields replaced."""
    verification = {
        "when": INSTANT,
        "how": "SHA-256 of 3 chunks read back from the disk equal to the host's",
        "seconds": 2,
    }
    steps = [{"step": "shutdown", "at": INSTANT, "seconds": 0.2}]
    counts = dict.fromkeys(("read_bytes", "carried_bytes", "reread_bytes", "exclusive_bytes"), 0)
    disk = {"source_format": "raw", "sent_bytes": 9, "filesystems": [], "doubt": "", **counts}
    sums = {name: hashlib.sha256(image).hexdigest() for name, image in IMAGES.items()}
    disks = [
        {"name": name, "bytes": len(image), "source_path": f"/vms/{name}", "sha256": sums[name], **disk}
        for name, image in IMAGES.items()
    ]
    vm_fields = {"vm": vm, "uuid": UUID, "host": "kvm_host", "instant": INSTANT, "disks": disks}
    host_fields = {
        "method": "cold",
        "cloned": False,
        "not_cloned": "",
        "clock_offset_s": 0,
        "was": "running",
        "downtime_s": 4.2,
        "steps": steps,
        "stopped": "by itself",
    }
    vault_fields = {
        "health_check": "It runs.",
        "files": ["domain.xml"],
        "sizes": {"domain.xml": 9, **_sizes()},
        "left_out": [],
        "base": None,
        "reread_turn": 0,
        "bytes": 9,
        "run": "a run",
    }
    results = {"transfer_seconds": 3, "warnings": [], "verifications": [verification]}
    return VmRecord.model_validate({**vm_fields, **host_fields, **vault_fields, **results, **fields})


def _sizes() -> dict[str, int]:
    """Return the sizes of images and chunk files."""
    sizes = {f"{name}.img": len(image) for name, image in IMAGES.items()}
    for name, image in IMAGES.items():
        chunks = chunks_of(image)
        header = {"format": 1, "bytes": chunks.bytes, "chunk_bytes": chunks.chunk_bytes}
        sizes[f"{name}.chunks"] = len(json.dumps(header)) + 1 + len(chunks.digests)
    return sizes


def stage(staged: StagedVm, definition: str = "<domain/>", **fields: object) -> None:
    """Write verified images and the definition into staging; the caller has locked the VM."""
    draft = record(staged.vm, **fields)
    staged.begin(draft.run, draft.instant)
    for name, image in IMAGES.items():
        staged.image(name).write_bytes(image)
        chunks_of(image).write(staged.chunks(name))
    staged.file("domain.xml").write_text(definition)
    draft = draft.model_copy(update={"sizes": staged.sizes})
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in staged.data.iterdir()}
    write_json(staged.draft, {"record": draft.model_dump(mode="json"), "sums": sums})


def lay(
    vault: Vault,
    vm: str = "maq1",
    instant: datetime = INSTANT,
    definition: str = "<domain/>",
    **fields: object,
) -> PublishedVm:
    """Publish a generation."""
    with VmArchive(vault).lock(vm) as staged:
        stage(staged, definition, instant=instant, **fields)
        generation = publish(staged)
        staged.clear()
        generation.seal()
    return generation


def lay_ahead(vault: Vault, verified: datetime = INSTANT) -> PublishedVm:
    """Lay a generation that was dated in the future, as no run publishes it.

    Args:
        vault: the vault.
        verified: when it was verified.
    """
    verification = {"when": verified, "how": "All of it was read.", "seconds": 1}
    laid = lay(vault, instant=INSTANT - timedelta(hours=1), verifications=[verification], run="a wrong clock")
    ahead = PublishedVm(laid.vm, AHEAD, vault.root)
    laid_record = laid.record
    laid.folder.chmod(0o700)
    laid.folder.rename(ahead.folder)
    ahead.record_file.unlink()
    dated = laid_record.model_copy(update={"instant": AHEAD})
    ahead.record_file.write_text(dated.model_dump_json())
    return ahead


def chunks_of(image: bytes, chunk_bytes: int = 1 << 20) -> Chunks:
    """Return the chunks of an image."""
    blocks = [image[at : at + chunk_bytes] for at in range(0, len(image), chunk_bytes)]
    return Chunks(
        len(image), chunk_bytes, bytearray().join(hashlib.sha256(block).digest() for block in blocks)
    )


def verified(generation: PublishedVm) -> bool:
    """Verify a generation with sha256sum alone, as a person does."""
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    done = subprocess.run(command, cwd=generation.folder, capture_output=True, check=False)
    listed = {line.split("  ", 1)[1] for line in generation.sums.read_text().splitlines()}
    everything = set(os.listdir(generation.folder)) - {"SHA256SUMS"}  # noqa: PTH208 - names
    return done.returncode == 0 and listed == everything


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())
