"""Read a published generation: images chunk by chunk, the other files by their SHA-256."""

from collections.abc import Iterable, Mapping
from itertools import islice

from include.agent.bitmap import Bitmap
from include.errors import BackupError, VaultError
from include.names import shown
from include.scrub.finding import ReadBackup, damaged, missing, writable_warnings
from include.scrub.hashing import Fault, Pace, compare, describe, missing_and_unexpected, writable
from include.text import counted
from include.vault.sha256sums import parse_sums
from include.vms import image
from include.vms.archive import PublishedVm, to_the_second
from include.vms.chunks import Chunks
from include.vms.record import DiskRecord, VmRecord

_MOST_RANGES = 3


def read(generation: PublishedVm, pace: Pace) -> ReadBackup:
    """Read all of a generation, and return what was found.

    An image is compared with the SHA-256 of its chunks, and the list of chunks with SHA256SUMS. So every byte
    is verified, all cores can work on one image, and damage is located.

    Args:
        generation: the generation.
        pace: called with the length of each block that is read.

    Raises:
        PermissionError: this user may not read all of it.
    """
    if not generation.folder.is_dir():
        return damaged(missing(generation.folder), _removed_by_hand(generation))
    try:
        record = VmRecord.model_validate_json(generation.record_file.read_bytes())
        sums = parse_sums(generation.sums.read_bytes())
    except PermissionError:
        raise
    except (BackupError, OSError, ValueError) as error:
        return damaged(f"Its record or SHA256SUMS can't be read: {error}")
    there = {path.name for path in generation.folder.iterdir() if not path.is_symlink() and path.is_file()}
    unexpected = {path.name for path in generation.folder.iterdir()} - record.names
    faults = dict(missing_and_unexpected(record.names, there | unexpected))
    small = record.names - record.images - {generation.sums.name} - faults.keys()
    faults |= compare(generation.folder, {name: sums.get(name, "") for name in small}, pace)
    misfits = list(_misfits(generation, record, sums))
    for disk in record.disks:
        misfits += _of_disk(generation, disk, faults, sums, pace)
    warnings = writable_warnings([*writable(generation.folder.parent, [generation.name])])
    return ReadBackup(
        verification=_verification(record),
        damage=(*describe(faults), *misfits),
        warnings=warnings + writable_warnings(writable(generation.folder, sorted(there))),
        files=len(there),
        bytes=sum((generation.folder / name).stat().st_blocks * 512 for name in there),
    )


def _removed_by_hand(generation: PublishedVm) -> str:
    log = shown(generation.verification_log.path.name)
    return f"If you removed it on purpose, remove {log} beside it as well."


def _misfits(generation: PublishedVm, record: VmRecord, sums: Mapping[str, str]) -> Iterable[str]:
    """Yield the contradictions between the generation, its record and its list of sums, as sentences."""
    if (record.vm, to_the_second(record.instant)) != (generation.vm, generation.instant):
        yield f"Its record belongs to {shown(record.vm)} at {record.instant}."
    if record.names - {generation.sums.name} != sums.keys():
        yield "SHA256SUMS and the record list different files."
    for disk in record.disks:
        if sums.get(f"{disk.name}.img") != disk.sha256:
            yield f"SHA256SUMS and the record disagree about {disk.name}.img."


def _of_disk(
    generation: PublishedVm,
    disk: DiskRecord,
    faults: Mapping[str, Fault],
    sums: Mapping[str, str],
    pace: Pace,
) -> list[str]:
    path, name = generation.image(disk.name), f"{disk.name}.img"
    if name in faults:
        return []  # it is missing or isn't a file, which is reported already
    if (size := path.stat().st_size) != disk.bytes:
        return [f"{name} has {size:,} bytes instead of {disk.bytes:,}."]
    if f"{disk.name}.chunks" in faults:  # without its chunks, hash the entire image, on one core
        fault = compare(generation.folder, {name: sums.get(name, "")}, pace)
        return describe(fault) or [f"{name} itself is intact."]
    try:
        chunks = Chunks.read(generation.chunks(disk.name))
        return _bad_chunks(name, chunks, image.bad_chunks(path, chunks, pace))
    except VaultError as error:
        return [str(error)]


def _bad_chunks(name: str, chunks: Chunks, bad: Bitmap) -> list[str]:
    if not bad:
        return []
    runs = bad.runs()
    places = [
        f"{found.start * chunks.chunk_bytes}-{min(found.stop * chunks.chunk_bytes, chunks.bytes) - 1}"
        for found in islice(runs, _MOST_RANGES)
    ]
    more = sum(1 for _ in runs)
    where = f"bytes {', '.join(places)}{f' and {more} more' if more else ''}"
    are = "isn't" if len(bad) == 1 else "aren't"
    return [f"{counted(len(bad), 'chunk')} of {chunks.count:,} of {name} {are} as published: {where}."]


def _verification(record: VmRecord) -> str:
    disks = counted(len(record.disks), "disk")
    files = counted(len(record.names) - 1, "file")
    return f"SHA-256 of every chunk of {disks} and of {files} read back equal to those recorded"
