"""Publishing: the last step, by which proven images in staging become a generation of the vault."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from include.errors import VaultError
from include.facts import Facts
from include.listing import Entry, Listing, sha256_lines
from include.machines.generation import PublishedGeneration, StagedGeneration, drop, to_the_second
from include.machines.machine_record import MachineRecord
from include.publication import FILE_MODE, sync


class Draft(Facts):
    """What staging keeps of proven images.

    Args:
        record: the record to be.
        sums: the SHA-256 of each file by its name; record and sums excepted.
    """

    record: MachineRecord
    sums: dict[str, str]


def read_draft(staged: StagedGeneration) -> Draft:
    """Read the draft of proven images.

    Raises:
        VaultError: it is missing or damaged.
    """
    try:
        return Draft.model_validate_json(staged.draft.read_bytes())
    except (OSError, ValueError) as damaged:
        raise VaultError(f"The draft {staged.draft} can't be read: {damaged}") from damaged


def publish(staged: StagedGeneration) -> PublishedGeneration:
    """Publish what is proven: read-only, synced, then renamed; the caller holds the machine.

    Raises:
        VaultError: its place is taken, the draft can't be read, or the disk can't be synced.
    """
    draft = read_draft(staged)
    record, sums = draft.record, dict(draft.sums)
    target = PublishedGeneration(record.machine, to_the_second(record.instant), staged.vault_root)
    if os.path.lexists(target.folder):
        raise VaultError(f"{target.folder} is there already and isn't this run's. Nothing was overwritten.")
    written = record.model_dump_json(indent=1).encode() + b"\n"
    sums[staged.record_file.name] = hashlib.sha256(written).hexdigest()
    _write(staged.record_file, written)
    _write(staged.sums, sha256_lines(Listing(tuple(_entry(*line) for line in sums.items()))))
    _make_read_only(staged.data, record.names)
    for folder in (target.folder.parent.parent, target.folder.parent):
        folder.mkdir(mode=0o700, exist_ok=True)  # the images in it can be read by all, for whoever is let in
    sync(staged.folder)
    staged.data.rename(target.folder)
    sync(target.folder.parent)
    return target


def _make_read_only(data: Path, names: Collection[str]) -> None:
    for item in data.iterdir():
        if item.name not in names:
            drop(item)  # left over from the transfer; no sum would prove it
    for name in names:
        (data / name).chmod(FILE_MODE)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # a try before may have left it read-only
    path.write_bytes(content)


def _entry(name: str, sha256: str) -> Entry:
    return Entry(name, "file", 0, 0, None, sha256)
