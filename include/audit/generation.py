"""Reading a published generation: images chunk by chunk, the other files by their SHA-256."""

from collections.abc import Iterable, Mapping

from include.audit.finding import Seen, damaged, missing, oddities_of
from include.audit.hashing import Fault, Pace, compare, missing_and_strange, told, writable
from include.errors import BackupError, VaultError
from include.listing import sha256_of
from include.machines import image
from include.machines.chunks import Chunks
from include.machines.generation import PublishedGeneration, to_the_second
from include.machines.machine_record import KeptDisk, MachineRecord
from include.names import shown
from include.wording import counted

_MOST_RANGES = 3


def read(generation: PublishedGeneration, pace: Pace) -> Seen:
    """Read all of a generation.

    An image is held against the SHA-256 of its chunks, which all cores can make at once, and the list of
    these against SHA256SUMS; so every byte is proven, and damage has a place.

    Args:
        generation: which.
        pace: asked before more is read.

    Raises:
        PermissionError: this user may not read it.
    """
    if not generation.folder.is_dir():
        return damaged(missing(generation.folder), _not_by_us(generation))
    try:
        record = MachineRecord.model_validate_json(generation.record_file.read_bytes())
        sums = sha256_of(generation.sums.read_bytes())
    except PermissionError:
        raise
    except (BackupError, OSError, ValueError) as wrong:
        return damaged(f"Its record or SHA256SUMS can't be read: {wrong}")
    there = {path.name for path in generation.folder.iterdir() if not path.is_symlink() and path.is_file()}
    strange = {path.name for path in generation.folder.iterdir()} - record.names
    faults = dict(missing_and_strange(record.names, there | strange))
    small = record.names - record.images - {generation.sums.name} - faults.keys()
    faults |= compare(generation.folder, {name: sums.get(name, "") for name in small}, pace)
    misfits = list(_misfits(generation, record, sums))
    for disk in record.disks:
        misfits += _of_disk(generation, disk, faults, sums, pace)
    oddities = oddities_of([*writable(generation.folder.parent, [generation.name])])
    return Seen(
        proof=_proof(record),
        wrong=(*told(faults), *misfits),
        oddities=oddities + oddities_of(writable(generation.folder, sorted(there))),
        files=len(there),
        bytes=sum((generation.folder / name).stat().st_blocks * 512 for name in there),
    )


def ranges(chunks: Iterable[int]) -> list[range]:
    """Put chunk numbers that follow one another together."""
    found: list[range] = []
    for index in chunks:
        if found and found[-1].stop == index:
            found[-1] = range(found[-1].start, index + 1)
        else:
            found.append(range(index, index + 1))
    return found


def _not_by_us(generation: PublishedGeneration) -> str:
    beside = shown(generation.proofs.path.name)
    return f"Retention would have removed {beside} too; if a person removed the folder, remove that as well."


def _misfits(
    generation: PublishedGeneration, record: MachineRecord, sums: Mapping[str, str]
) -> Iterable[str]:
    """Say where the generation, its record and its sums tell of different things."""
    if (record.machine, to_the_second(record.instant)) != (generation.machine, generation.instant):
        yield f"Its record is that of {shown(record.machine)} at {record.instant}."
    if record.names - {generation.sums.name} != sums.keys():
        yield "SHA256SUMS names other files than its record."
    for disk in record.disks:
        if sums.get(f"{disk.name}.img") != disk.sha256:
            yield f"SHA256SUMS and its record give {disk.name}.img another SHA-256."


def _of_disk(
    generation: PublishedGeneration,
    disk: KeptDisk,
    faults: Mapping[str, Fault],
    sums: Mapping[str, str],
    pace: Pace,
) -> list[str]:
    path, name = generation.image(disk.name), f"{disk.name}.img"
    if name in faults:
        return []  # missing, or no file: told already
    if (size := path.stat().st_size) != disk.bytes:
        return [f"{name} has {size:,} bytes, and was published with {disk.bytes:,}."]
    if f"{disk.name}.chunks" in faults:  # its chunks prove nothing; its own SHA-256 does, on one core
        again = compare(generation.folder, {name: sums.get(name, "")}, pace)
        return told(again) or [f"{name} itself is whole."]
    try:
        chunks = Chunks.read(generation.chunks(disk.name))
        return _told(name, chunks, image.bad_chunks(path, chunks, pace))
    except VaultError as misfit:
        return [str(misfit)]


def _told(name: str, chunks: Chunks, bad: list[int]) -> list[str]:
    if not bad:
        return []
    places = [
        f"{found.start * chunks.chunk_bytes}-{min(found.stop * chunks.chunk_bytes, chunks.bytes) - 1}"
        for found in ranges(bad)
    ]
    rest = f" and {len(places) - _MOST_RANGES} more" if len(places) > _MOST_RANGES else ""
    where = f"bytes {', '.join(places[:_MOST_RANGES])}{rest}"
    are = "isn't" if len(bad) == 1 else "aren't"
    return [f"{counted(len(bad), 'chunk')} of {chunks.count:,} of {name} {are} as published: {where}."]


def _proof(record: MachineRecord) -> str:
    disks = counted(len(record.disks), "disk")
    return (
        f"SHA-256 of every chunk of {disks} and of {counted(len(record.names) - 1, 'file')} read back equal"
    )
