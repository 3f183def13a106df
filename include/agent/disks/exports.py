"""Export a VM's disks over NBD: QEMU itself does it for a running VM, qemu-nbd for one that is off."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent.disks import disk_program
from include.agent.disks.nbd_client import Export, NbdError
from include.agent.errors import BackupNotBegunError, LibvirtError, NotPossibleError
from include.agent.qemu_account import account_of, default_account, give
from include.agent.virsh import Virsh

_ENDED_S = 10.0
_PROGRAMS = (b"qemu-nbd", b"qemu-img", b"cp")
READ_ONLY = ("--read-only",)
_CONVERT = ("qemu-img", "convert", "--force-share", "-O", "raw")  # a start of the VM mustn't fail


def begin_backup(virsh: Virsh, vm: dict[str, Any], work_folder: Path) -> list[dict[str, Any]]:
    """Begin libvirt's backup job: QEMU exports the disks as they are now, whatever the guest writes later.

    Args:
        virsh: the host's libvirt.
        vm: the VM, as :func:`survey.vm_of` returns it; it runs or is paused.
        work_folder: the folder for the socket and the scratch files.

    Returns:
        ``disk``, ``socket`` and ``export`` of each disk.

    Raises:
        LibvirtError: libvirt refused.
        NotPossibleError: QEMU can't be admitted to the folder.
    """
    uuid, names = vm["uuid"], [disk["name"] for disk in vm["disks"]]
    running = virsh.xml(uuid, inactive=False)
    account = account_of(running) or default_account(virsh.run("capabilities"))
    give(work_folder, account)  # QEMU makes its socket there
    backup = ET.Element("domainbackup", mode="pull")
    socket = str(work_folder / "nbd.sock")
    ET.SubElement(backup, "server", transport="unix", socket=socket)
    disks = ET.SubElement(backup, "disks")
    for name in names:
        disk = ET.SubElement(disks, "disk", name=name, backup="yes", type="file")
        ET.SubElement(disk, "scratch", file=str(work_folder / f"{name}.scratch"))
    with tempfile.NamedTemporaryFile(suffix=".xml") as backup_xml:  # in QEMU's folder, QEMU could replace it
        backup_xml.write(ET.tostring(backup))
        backup_xml.flush()
        virsh.run("backup-begin", f"--domain={uuid}", f"--backupxml={backup_xml.name}")
    return [{"disk": name, "socket": socket, "export": name} for name in names]


def rehearse(virsh: Virsh, vm: dict[str, Any], work_folder: Path) -> None:
    """Begin and end a backup of a running VM, to see that it works before the VM is stopped.

    Raises:
        NotPossibleError: it doesn't; the message says why.
        LibvirtError: libvirt gives no answer.
    """
    try:
        with_sizes(begin_backup(virsh, vm, work_folder))
        end(virsh, vm["uuid"], str(work_folder))
    except (LibvirtError, BackupNotBegunError) as error:
        virsh.uuids()  # raises if libvirt is merely away
        raise NotPossibleError(
            f"{vm['name']} can't be backed up with scratch files in {work_folder.parent}: {error} It wasn't "
            "stopped. If a security module such as AppArmor keeps QEMU out of that folder, allow it."
        ) from error


def start_nbd_servers(
    disks: list[dict[str, str]],
    work_folder: Path,
    options: tuple[str, ...] = READ_ONLY,
    *,
    shared: bool = False,
) -> list[dict[str, Any]]:
    """Start qemu-nbd for each disk of a VM that is off, or for copies of them.

    Args:
        disks: ``name``, ``format`` and ``path`` of each.
        work_folder: the folder for sockets and PID files.
        options: qemu-nbd's options for access and cache.
        shared: don't lock the images. Otherwise QEMU's locks keep a VM from being started with most of them.

    Returns:
        ``disk``, ``socket`` and ``export`` of each disk.

    Raises:
        BackupNotBegunError: a disk can't be opened; the message contains qemu-nbd's error.
    """
    exported = []
    for disk in disks:
        socket = str(work_folder / f"{disk['name']}.sock")
        mode = [*options, "--persistent", "--shared=0", "--fork"]
        pid = work_folder / f"{disk['name']}.pid"
        with suppress(FileNotFoundError):
            pid.unlink()  # a server that was ended a moment ago may still have it locked
        names = [f"--socket={socket}", f"--export-name={disk['name']}", f"--pid-file={pid}"]
        image = _shared_image(disk) if shared else [f"--format={disk['format']}", "--", disk["path"]]
        _run(["qemu-nbd", *mode, *names, *image], f"{disk['name']} ({disk['path']}) can't be read")
        exported.append({"disk": disk["name"], "socket": socket, "export": disk["name"]})
    return exported


def _shared_image(disk: dict[str, str]) -> list[str]:
    path = disk["path"].replace(",", ",,")
    return ["--image-opts", f"driver={disk['format']},read-only=on,force-share=on,file.filename={path}"]


def copy(disk: dict[str, Any], work_folder: Path, timeout_s: float) -> dict[str, str]:
    """Copy a disk of a VM that is off: at once if the scratch folder is on the disk's own XFS or Btrfs.

    It isn't copied into the disk's folder: the space that the guest's writes then take would have to be
    watched there, as for clones.

    Returns:
        ``name``, ``format`` and ``path`` of the copy.

    Raises:
        BackupNotBegunError: the copy failed, took too long, or would have filled the file system.
    """
    target = str(work_folder / f"{disk['name']}.copy")
    if len(disk["chain"]) == 1 and disk["kind"] == "file":
        command = ["cp", "--reflink=auto", "--sparse=always", "--", disk["path"], target]
        target_format = disk["format"]
    else:  # the copy must not depend on backing files, which may change
        command = [*_CONVERT, f"-f{disk['format']}", "--", disk["path"], target]
        target_format = "raw"
    try:
        disk_program.run(command, work_folder, timeout_s=timeout_s)
    except disk_program.DiskProgramError as error:
        raise BackupNotBegunError(f"{disk['name']} ({disk['path']}) can't be copied: {error}") from error
    return {"name": disk["name"], "format": target_format, "path": target}


def with_sizes(exports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Open each export, as the sender will, and return them with their sizes (``bytes``).

    Raises:
        BackupNotBegunError: a server doesn't answer.
    """
    found = []
    for export in exports:
        try:
            with Export(export["socket"], export["export"]) as opened:
                found.append({**export, "bytes": opened.bytes})
        except NbdError as error:
            raise BackupNotBegunError(f"{export['disk']} can't be read over NBD: {error}") from error
    return found


def end(virsh: Virsh, uuid: str, work_folder: str) -> None:
    """End the backup job, NBD servers and copies that use a work folder.

    Raises:
        LibvirtError: the job doesn't end.
    """
    _end_job(virsh, uuid, work_folder)
    end_processes(work_folder)


def end_processes(work_folder: str) -> None:
    """End all NBD servers and copies that have a work folder in their command line, whoever started them."""
    end_marked(f"{work_folder}/")


def end_marked(mark: str) -> None:
    """End the programs of ours that have a text in their command line."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _ENDED_S
        for pid in _pids_with(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        while _pids_with(mark):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def _end_job(virsh: Virsh, uuid: str, work_folder: str) -> None:
    deadline = time.monotonic() + _ENDED_S
    while is_backup_open(virsh, uuid, work_folder):
        with suppress(LibvirtError):  # it may just have ended by itself
            virsh.run("domjobabort", f"--domain={uuid}")
        if time.monotonic() > deadline:
            raise LibvirtError(f"The backup job of {uuid} doesn't end within {_ENDED_S:.0f} s.")
        time.sleep(0.05)


def is_backup_open(virsh: Virsh, uuid: str, work_folder: str) -> bool:
    """Return whether libvirt has a backup job of a VM whose socket is in a work folder.

    Raises:
        LibvirtError: libvirt gives no answer.
    """
    try:
        backup_xml = virsh.run("backup-dumpxml", f"--domain={uuid}")
    except LibvirtError:
        virsh.uuids()  # if libvirt answers this, there is no job
        return False
    server = ET.fromstring(backup_xml).find("server")  # noqa: S314 - libvirt's own output
    return server is not None and str(server.get("socket")).startswith(f"{work_folder}/")


def _pids_with(mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if arguments[0] in _PROGRAMS and any(mark.encode() in argument for argument in arguments):
                found.append(int(process.name))
    return found


def _run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise BackupNotBegunError(
            f"{failure}: this host has no {command[0]}. Install it (Debian: qemu-utils)."
        ) from error
    if done.returncode:
        raise BackupNotBegunError(f"{failure}: {' '.join(done.stderr.decode(errors='replace').split())}")
