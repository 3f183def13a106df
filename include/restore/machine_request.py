"""What a host is asked for, to fulfil a wish."""

import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from include.errors import ConfigError, VaultError
from include.machines.generation import PublishedGeneration
from include.machines.machine_record import KeptDisk, MachineRecord
from include.machines.restore_facts import RestoreDisk, RestoreRequest
from include.restore import machine_definition
from include.restore.machine_definition import Definition
from include.restore.machine_proof import require_whole
from include.restore.machine_wish import MachineWish

_OURS = uuid.UUID("5f1f3c3e-9d64-4b43-8f52-0f8b8f6c2a11")  # a name space for the UUIDs of restored machines
_FIRMWARE = ("nvram.fd", "tpm.tar")


@dataclass(frozen=True)
class Asked:
    """What the host is asked, and what a person should know of it."""

    request: RestoreRequest
    warnings: tuple[str, ...]


def asked(wish: MachineWish, generation: PublishedGeneration, run: str) -> Asked:
    """Give what the host is asked for, to fulfil a wish.

    Raises:
        ConfigError: a disk was on a block device, and no folder is named.
        VaultError: the generation can't be read, or is damaged.
    """
    record = require_whole(generation)
    try:
        xml = generation.file("domain.xml").read_text(encoding="utf-8")
        files = {name: generation.file(name).read_bytes() for name in _FIRMWARE if name in record.files}
    except (OSError, ValueError) as damaged:
        raise VaultError(f"{generation.folder} can't be read: {damaged}") from damaged
    definition, paths = _own(wish, record, xml) if wish.in_place else _new(wish, generation, record, xml)
    disks = tuple(_disk(generation, disk, paths[disk.name]) for disk in record.disks)
    return Asked(
        RestoreRequest(
            run=run,
            generation=generation.name,
            in_place=wish.in_place,
            keep_old=wish.keep_old,
            start=wish.start,
            definition=definition.xml,
            disks=disks,
            files=files,
        ),
        definition.warnings,
    )


def _own(wish: MachineWish, record: MachineRecord, xml: str) -> tuple[Definition, dict[str, str]]:
    paths = {disk.name: disk.source_path for disk in record.disks}
    moved = {}
    if wish.folder:
        moved = {
            name: str(PurePosixPath(wish.folder) / PurePosixPath(path).name) for name, path in paths.items()
        }
    return machine_definition.in_place(xml, moved), paths | moved


def _new(
    wish: MachineWish, generation: PublishedGeneration, record: MachineRecord, xml: str
) -> tuple[Definition, dict[str, str]]:
    formats = {disk.name: disk.source_format for disk in record.disks}
    old = {disk.name: disk.source_path for disk in record.disks}
    try:
        paths = machine_definition.files_beside(xml, wish.becomes, wish.folder, formats, old)
    except KeyError as device:
        raise ConfigError(
            f"{device.args[0]} of {wish.machine} is on a block device. Name a folder for the files that it "
            "becomes."
        ) from device
    nvram = machine_definition.nvram_of(xml)
    becomes = machine_definition.NewMachine(
        name=wish.becomes,
        uuid=str(uuid.uuid5(_OURS, f"{record.uuid} {generation.name} {wish.becomes}")),
        disks=paths,
        nvram=str(PurePosixPath(nvram).with_name(f"{wish.becomes}_VARS.fd")) if nvram else None,
    )
    return machine_definition.beside(xml, becomes), paths


def _disk(generation: PublishedGeneration, disk: KeptDisk, path: str) -> RestoreDisk:
    return RestoreDisk(
        name=disk.name,
        path=path,
        format=disk.source_format,
        bytes=disk.bytes,
        data_bytes=min(disk.bytes, _data_bytes(generation.image(disk.name))),
    )


def _data_bytes(image: Path) -> int:
    try:
        return image.stat().st_blocks * 512
    except OSError as damaged:
        raise VaultError(f"{image} can't be read: {damaged}") from damaged
