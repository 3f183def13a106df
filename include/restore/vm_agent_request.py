"""Build the order for the host's agent from a restore request and a generation."""

import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from include.errors import RequestError, VaultError
from include.restore import vm_definition
from include.restore.vm_request import VmRestoreRequest
from include.restore.vm_verification import require_intact
from include.vms.archive import PublishedVm
from include.vms.record import DiskRecord, VmRecord
from include.vms.restore_models import RestoreDiskOrder, VmRestoreOrder

_OURS = uuid.UUID("5f1f3c3e-9d64-4b43-8f52-0f8b8f6c2a11")  # the UUID namespace of restored VMs
_FIRMWARE = ("nvram.fd", "tpm.tar")


def restore_order(
    request: VmRestoreRequest, generation: PublishedVm, run: str, folders: tuple[str, ...]
) -> VmRestoreOrder:
    """Verify the small files of a generation, and build the order to restore it.

    Args:
        request: the parameters of the restore.
        generation: the generation to restore.
        run: the run's name.
        folders: the folders that the site file has for disks on the host.

    Raises:
        RequestError: a disk was on a block device, and the request names no folder; or two disks would get
            the same path.
        VaultError: the generation can't be read, or is damaged.
    """
    record = require_intact(generation)
    try:
        xml = generation.file("domain.xml").read_text(encoding="utf-8")
        files = {name: generation.file(name).read_bytes() for name in _FIRMWARE if name in record.files}
    except (OSError, ValueError) as damaged:
        raise VaultError(f"{generation.folder} can't be read: {damaged}") from damaged
    if (found := (vm_definition.name_of(xml), vm_definition.uuid_of(xml))) != (generation.vm, record.uuid):
        raise VaultError(
            f"The definition in {generation.folder} is that of {' '.join(found)}, and not of {generation.vm} "
            f"{record.uuid}. Its host may be compromised. Nothing was changed."
        )
    definition, paths = (
        (xml, _in_place(request, record)) if request.in_place else _beside(request, generation, record, xml)
    )
    _check_apart(request, paths)
    return VmRestoreOrder(
        run=run,
        generation=generation.name,
        in_place=request.in_place,
        keep_old=request.keep_old,
        start=request.start,
        original=record.uuid,
        folders=(*([request.folder] if request.folder else []), *folders),
        definition=definition,
        disks=tuple(_disk(generation, disk, paths[disk.name]) for disk in record.disks),
        files=files,
    )


def _check_apart(request: VmRestoreRequest, paths: Mapping[str, str]) -> None:
    disks: dict[str, list[str]] = {}
    for disk, path in paths.items():
        disks.setdefault(path, []).append(disk)
    for path, names in disks.items():
        if len(names) > 1:
            raise RequestError(
                f"{' and '.join(names)} of {request.vm} would both be written to {path}. Restore it under a "
                "new name, or without naming a folder."
            )


def _in_place(request: VmRestoreRequest, record: VmRecord) -> dict[str, str]:
    paths = {disk.name: disk.source_path for disk in record.disks}
    if not request.folder:
        return paths
    return {
        name: str(PurePosixPath(request.folder) / PurePosixPath(path).name) for name, path in paths.items()
    }


def _beside(
    request: VmRestoreRequest, generation: PublishedVm, record: VmRecord, xml: str
) -> tuple[str, dict[str, str]]:
    formats = {disk.name: disk.source_format for disk in record.disks}
    old = {disk.name: disk.source_path for disk in record.disks}
    try:
        paths = vm_definition.files_beside(xml, request.restored_name, request.folder, formats, old)
    except KeyError as device:
        raise RequestError(
            f"{device.args[0]} of {request.vm} is on a block device. Name a folder for the new disks."
        ) from device
    nvram = vm_definition.nvram_of(xml)
    new = vm_definition.NewVm(
        name=request.restored_name,
        uuid=str(uuid.uuid5(_OURS, f"{record.uuid} {generation.name} {request.restored_name}")),
        nvram=str(PurePosixPath(nvram).with_name(f"{request.restored_name}_VARS.fd")) if nvram else None,
    )
    return vm_definition.beside(xml, new), paths


def _disk(generation: PublishedVm, disk: DiskRecord, path: str) -> RestoreDiskOrder:
    return RestoreDiskOrder(
        name=disk.name,
        path=path,
        format=disk.source_format,
        bytes=disk.bytes,
        data_bytes=min(disk.bytes, _data_bytes(generation.image(disk.name))),
        qcow2=disk.qcow2 if disk.source_format == "qcow2" else None,
    )


def _data_bytes(image: Path) -> int:
    try:
        return image.stat().st_blocks * 512
    except OSError as damaged:
        raise VaultError(f"{image} can't be read: {damaged}") from damaged
