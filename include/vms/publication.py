"""Publication: the last step, which turns verified images in staging into a generation of the vault."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from include.errors import VaultError
from include.models import Model
from include.results.task_labels import task_label
from include.vault.clock import is_ahead
from include.vault.files import FILE_MODE, sync
from include.vault.sha256sums import format_sums
from include.vms.archive import PublishedVm, StagedVm, drop, to_the_second
from include.vms.generation_name import generation_name
from include.vms.record import VmRecord


class DraftRecord(Model):
    """The record of verified images before publication.

    Args:
        record: the record.
        sums: the SHA-256 of each file by its name, except for record and checksum file.
    """

    record: VmRecord
    sums: dict[str, str]


def read_draft(staged: StagedVm) -> DraftRecord:
    """Read the draft record from staging.

    Raises:
        VaultError: it is missing or damaged.
    """
    try:
        return DraftRecord.model_validate_json(staged.draft.read_bytes())
    except (OSError, ValueError) as damaged:
        raise VaultError(f"The draft record {staged.draft} can't be read: {damaged}") from damaged


def publish(staged: StagedVm) -> PublishedVm:
    """Publish verified images: make them read-only, sync, then rename; the caller has locked the VM.

    Raises:
        VaultError: it is dated in the future, the name is taken, the draft can't be read, or the disk can't
            be synced.
    """
    draft = read_draft(staged)
    record, sums = draft.record, dict(draft.sums)
    if is_ahead(record.instant):
        raise VaultError(
            f"{record.vm}: its image would be {generation_name(record.instant)}, which is in the future. "
            f"Nothing was published. Set this machine's clock, then clear {task_label('publish_image')}."
        )
    target = PublishedVm(record.vm, to_the_second(record.instant), staged.vault_root)
    if os.path.lexists(target.folder):
        raise VaultError(f"{target.folder} exists already and isn't of this run. Nothing was overwritten.")
    written = record.model_dump_json(indent=1).encode() + b"\n"
    sums[staged.record_file.name] = hashlib.sha256(written).hexdigest()
    _write(staged.record_file, written)
    _write(staged.sums, b"".join(format_sums(sums.items())))
    _make_read_only(staged.data, record.names)
    for folder in (target.folder.parent.parent, target.folder.parent):
        folder.mkdir(mode=0o700, exist_ok=True)  # image files are world-readable: the folder protects them
    sync(staged.folder)
    staged.data.rename(target.folder)
    sync(target.folder.parent)
    return target


def _make_read_only(data: Path, names: Collection[str]) -> None:
    for item in data.iterdir():
        if item.name not in names:
            drop(item)  # left by the transfer, without a checksum
    for name in names:
        (data / name).chmod(FILE_MODE)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # an earlier try may have left it read-only
    path.write_bytes(content)
