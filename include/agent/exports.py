"""Where frozen disks can be read: an NBD server for each, in QEMU itself or in qemu-nbd."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from typing import Any

from .domain import account_of
from .errors import LibvirtError, NotFrozenError
from .nbd import Export, NbdError
from .virsh import Virsh

_ENDED_S = 10.0
_OURS = (b"qemu-nbd", b"qemu-img", b"cp")
READ_ONLY = ("--read-only",)
_COPY_UNITS = ("qemu-img", "convert", "-O", "raw")


def begin_backup(virsh: Virsh, uuid: str, keep: list[str], room: Path) -> list[dict[str, Any]]:
    """Have QEMU serve disks as they are now, whatever the guest writes from now on.

    Args:
        virsh: the host's libvirt.
        uuid: the machine; it runs, or is paused.
        keep: the disks' names; others, such as a CD-ROM drive's, are left alone.
        room: for the socket, and for what guests overwrite.

    Raises:
        LibvirtError: it refused.
    """
    _let_qemu_in(virsh, uuid, room)
    wanted = ET.Element("domainbackup", mode="pull")
    socket = str(room / "nbd.sock")
    ET.SubElement(wanted, "server", transport="unix", socket=socket)
    disks = ET.SubElement(wanted, "disks")
    for name in keep:
        disk = ET.SubElement(disks, "disk", name=name, backup="yes", type="file")
        ET.SubElement(disk, "scratch", file=str(room / f"{name}.scratch"))
    described = room / "backup.xml"
    described.write_bytes(ET.tostring(wanted))
    virsh.run("backup-begin", f"--domain={uuid}", f"--backupxml={described}")
    return [{"disk": name, "socket": socket, "export": name} for name in keep]


def _let_qemu_in(virsh: Virsh, uuid: str, room: Path) -> None:
    """Let QEMU make its socket in a room: its own user, where that is known; else whoever knows its name."""
    account = account_of(virsh.xml(uuid, inactive=False))
    try:
        if account is None:
            room.chmod(0o733)
        else:
            os.chown(room, *account)
    except PermissionError:  # we aren't root
        room.chmod(0o733)


def serve_files(
    disks: list[dict[str, str]], room: Path, access: tuple[str, ...] = READ_ONLY
) -> list[dict[str, Any]]:
    """Have qemu-nbd serve the disks of a machine that is off, or copies of them.

    While it does, QEMU's image lock keeps the machine from being started with these very files.

    Args:
        disks: ``name``, ``format`` and ``path`` of each.
        room: for sockets and process numbers.
        access: qemu-nbd's words for what may be done, and through which cache.

    Raises:
        NotFrozenError: one can't be opened; the message has qemu-nbd's words.
    """
    found = []
    for disk in disks:
        socket = str(room / f"{disk['name']}.sock")
        how = [*access, "--persistent", "--shared=0", "--fork", f"--format={disk['format']}"]
        pid = room / f"{disk['name']}.pid"
        where = [f"--socket={socket}", f"--export-name={disk['name']}", f"--pid-file={pid}"]
        _run(["qemu-nbd", *how, *where, "--", disk["path"]], f"{disk['name']} ({disk['path']}) can't be read")
        found.append({"disk": disk["name"], "socket": socket, "export": disk["name"]})
    return found


def copy(disk: dict[str, Any], room: Path, patience_s: float) -> dict[str, str]:
    """Copy the disk of a machine that is off; at once where the file system shares blocks.

    Returns:
        ``name``, ``format`` and ``path`` of the copy.

    Raises:
        NotFrozenError: it failed, or took too long.
    """
    to = str(room / f"{disk['name']}.copy")
    if len(disk["chain"]) == 1 and disk["kind"] == "file":
        words, form = ["cp", "--reflink=auto", "--sparse=always", "--", disk["path"], to], disk["format"]
    else:  # the files below it would go on changing
        words, form = [*_COPY_UNITS, f"-f{disk['format']}", "--", disk["path"], to], "raw"
    _run(words, f"{disk['name']} ({disk['path']}) can't be copied", patience_s)
    return {"name": disk["name"], "format": form, "path": to}


def measured(exports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Open each export, as a reader will, and add how many bytes it has.

    Raises:
        NotFrozenError: one doesn't answer.
    """
    found = []
    for export in exports:
        try:
            with Export(export["socket"], export["export"]) as opened:
                found.append({**export, "bytes": opened.bytes})
        except NbdError as error:
            raise NotFrozenError(f"{export['disk']} can't be read where it's served: {error}") from error
    return found


def end(virsh: Virsh, uuid: str, room: str) -> None:
    """End what serves the disks from a room, or copies them to it.

    Raises:
        LibvirtError: the job doesn't end.
    """
    _end_backup(virsh, uuid, room)
    end_processes(room)


def end_processes(room: str) -> None:
    """End qemu-nbd, and copies that outlived who started them: all that name a room in their command line."""
    end_marked(f"{room}/")


def end_marked(mark: str) -> None:
    """End those of our programs that have a mark in their command line."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _ENDED_S
        for pid in _at_work_with(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        while _at_work_with(mark):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def _end_backup(virsh: Virsh, uuid: str, room: str) -> None:
    deadline = time.monotonic() + _ENDED_S
    while is_served(virsh, uuid, room):
        with suppress(LibvirtError):  # it may just have ended by itself
            virsh.run("domjobabort", f"--domain={uuid}")
        if time.monotonic() > deadline:
            raise LibvirtError(f"The backup job of {uuid} doesn't end within {_ENDED_S:.0f} s.")
        time.sleep(0.05)


def is_served(virsh: Virsh, uuid: str, room: str) -> bool:
    """Tell whether libvirt serves a machine's disks from a room.

    Raises:
        LibvirtError: it can't be asked.
    """
    try:
        described = virsh.run("backup-dumpxml", f"--domain={uuid}")
    except LibvirtError:
        virsh.uuids()  # libvirt itself answers, so that there is no job
        return False
    server = ET.fromstring(described).find("server")  # noqa: S314 - libvirt's own answer
    return server is not None and str(server.get("socket")).startswith(f"{room}/")


def _at_work_with(mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0] in _OURS and any(mark.encode() in word for word in words):
                found.append(int(process.name))
    return found


def _run(words: list[str], trouble: str, patience_s: float | None = None) -> None:
    try:
        done = subprocess.run(words, capture_output=True, timeout=patience_s, check=False)
    except FileNotFoundError as error:
        raise NotFrozenError(f"{trouble}: this host has no {words[0]} (Debian: qemu-utils).") from error
    except subprocess.TimeoutExpired as error:
        raise NotFrozenError(f"{trouble}: it took more than {patience_s:.0f} s.") from error
    if done.returncode:
        raise NotFrozenError(f"{trouble}: {' '.join(done.stderr.decode(errors='replace').split())}")
