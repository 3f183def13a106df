"""Check a published generation: the names and sizes of its files, and every byte of them if asked to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from include.agent.bitmap import Bitmap
from include.errors import BackupError, VaultError
from include.names import shown
from include.scrub.faults import Fault, Faults, FirstPaths, size_fault, writable_warnings
from include.scrub.finding import ReadBackup, damaged, is_there, missing
from include.scrub.hashing import Pace, compare, missing_and_unexpected, writable
from include.text import counted
from include.vault.files import read_whole
from include.vault.sha256sums import parse_sums
from include.vms import image
from include.vms.archive import PublishedVm, to_the_second
from include.vms.chunks import Chunks
from include.vms.generation_name import generation_name
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
    opened = _opened(generation)
    return opened if isinstance(opened, ReadBackup) else opened.read(pace)


def quick_check(generation: PublishedVm) -> ReadBackup:
    """Check the names, kinds and sizes of a generation's files; read only its record and SHA256SUMS.

    Raises:
        PermissionError: this user may not list all of it.
    """
    opened = _opened(generation)
    return opened if isinstance(opened, ReadBackup) else opened.quick_check()


def _opened(generation: PublishedVm) -> "ReadBackup | _VmCheck":
    """Read the record and SHA256SUMS; return the damage where they can't be read."""
    if not is_there(generation.folder):
        return damaged(missing(generation.folder), _removed_by_hand(generation))
    try:
        record = VmRecord.model_validate_json(read_whole(generation.record_file))
        sums = parse_sums(read_whole(generation.sums))
    except PermissionError:
        raise
    except (BackupError, OSError, ValueError) as error:
        return damaged(f"Its record or SHA256SUMS can't be read: {error}")
    return _VmCheck(generation, record, sums)


@dataclass(frozen=True)
class _VmCheck:
    generation: PublishedVm
    record: VmRecord
    sums: Mapping[str, str]

    def quick_check(self) -> ReadBackup:
        files = counted(len(self.record.names), "file")
        return ReadBackup(
            verification=f"Names, kinds and sizes of {files} equal to the record",
            damage=(*Faults(self._faults).sentences, *self._misfits()),
            files=len(self._there),
        )

    def read(self, pace: Pace) -> ReadBackup:
        generation, record, faults = self.generation, self.record, dict(self._faults)
        small = record.names - record.images - {generation.sums.name} - faults.keys()
        files = [(name, self.sums.get(name, "")) for name in small]
        compare(generation.folder, files, pace, faults.__setitem__)
        misfits = list(self._misfits())
        for disk in record.disks:
            misfits += _of_disk(generation, disk, faults, self.sums, pace)
        return ReadBackup(
            verification=_verification(record),
            damage=(*Faults(faults).sentences, *misfits),
            warnings=tuple(self._warnings()),
            files=len(self._there),
            bytes=sum((generation.folder / name).stat().st_blocks * 512 for name in self._there),
        )

    @cached_property
    def _there(self) -> set[str]:
        """The names of the regular files."""
        folder = self.generation.folder
        return {path.name for path in folder.iterdir() if not path.is_symlink() and path.is_file()}

    @cached_property
    def _faults(self) -> dict[str, Fault]:
        """What names and sizes show."""
        record, listed = self.record, {path.name for path in self.generation.folder.iterdir()}
        faults = dict(missing_and_unexpected(record.names, listed))
        faults |= dict.fromkeys(record.names & listed - self._there, Fault.REPLACED)
        for name in record.sizes.keys() & self._there:
            size = (self.generation.folder / name).stat().st_size
            if fault := size_fault(size, record.sizes[name]):
                faults[name] = fault
        return faults

    def _misfits(self) -> Iterable[str]:
        """Yield the contradictions between the generation, its record and its list of sums, as sentences."""
        generation, record = self.generation, self.record
        if (record.vm, to_the_second(record.instant)) != (generation.vm, generation.instant):
            yield f"Its record belongs to {shown(record.vm)} {generation_name(record.instant)}."
        if record.names - {generation.sums.name} != self.sums.keys():
            yield "SHA256SUMS and the record list different files."
        for disk in record.disks:
            if self.sums.get(f"{disk.name}.img") != disk.sha256:
                yield f"SHA256SUMS and the record disagree about {disk.name}.img."

    def _warnings(self) -> Iterable[str]:
        generation = self.generation
        places = ((generation.folder.parent, [generation.name]), (generation.folder, sorted(self._there)))
        for folder, names in places:
            paths = FirstPaths()
            for name in writable(folder, names):
                paths.add(name)
            yield from writable_warnings(paths)


def _removed_by_hand(generation: PublishedVm) -> str:
    log = shown(generation.verification_log.path.name)
    return f"If you removed it on purpose, remove {log} beside it as well."


def _of_disk(
    generation: PublishedVm,
    disk: DiskRecord,
    faults: Mapping[str, Fault],
    sums: Mapping[str, str],
    pace: Pace,
) -> list[str]:
    path, name = generation.image(disk.name), f"{disk.name}.img"
    if name in faults:
        return []  # names and sizes have shown it already
    if (size := path.stat().st_size) != disk.bytes:
        return [f"{name} has {size:,} bytes instead of {disk.bytes:,}."]
    if f"{disk.name}.chunks" in faults:  # without its chunks, hash the entire image, on one core
        found = dict[str, Fault]()
        compare(generation.folder, [(name, sums.get(name, ""))], pace, found.__setitem__)
        return Faults(found).sentences or [f"{name} itself is intact."]
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
