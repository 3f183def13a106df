"""A restore request, as the worker sends it: a VM's disks, its definition, its firmware.

    {"run": "a run", "generation": "2026-11-22T05-00-03Z", "in_place": true, "keep_old": true, "start": false,
     "original": "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001", "folders": ["/vms"],
     "definition": "<domain>...", "files": {"nvram.fd": "<base64>", "tpm.tar": "<base64>"},
     "disks": [{"name": "vda", "path": "/vms/maq1.img", "format": "raw", "bytes": 4294967296,
                "data_bytes": 2147483648, "qcow2": null}]}

The definition has the name and UUID of the restored VM; ``original`` is the UUID that it was backed up with.
What else stays of it, ``definition.py`` decides. Disks may be written to ``folders``, and where
``folders.py`` allows it. Each is written beside its place, and moved there once all are verified:

    <path>.restoring-<token>         the new disk, until then
    <path>.restoring-<token>.qcow2   an overlay on a disk whose old content isn't kept: committed to it last
    <path>.before-restore-<date>     the old disk, if it's kept
"""

from __future__ import annotations

import base64
import hashlib
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

from include.agent.disks import qcow2_options
from include.agent.domain import Domain
from include.agent.errors import UsageError
from include.agent.virsh import is_uuid

_NEW = ".restoring-"
_FORMATS = ("raw", "qcow2")
_FILES = ("nvram.fd", "tpm.tar")


class RequestedDisk(NamedTuple):
    """A disk to restore.

    Args:
        name: its target in the VM's definition, such as ``vda``.
        path: its destination.
        format: ``raw`` or ``qcow2``.
        bytes: its size for the guest.
        data_bytes: how much of its image in the vault isn't a hole.
        qcow2: the options that the backed up one was made with (``qcow2_options.py``).
    """

    name: str
    path: Path
    format: str
    bytes: int
    data_bytes: int
    qcow2: dict[str, Any]


class RestoreRequest:
    """A restore request, checked.

    Args:
        request: the JSON object, as above.

    Raises:
        UsageError: it's invalid.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        try:
            self.run, self.generation = str(request["run"]), str(request["generation"])
            self.in_place, self.keep_old, self.start = (
                bool(request[key]) for key in ("in_place", "keep_old", "start")
            )
            self.original, self.definition = str(request["original"]), str(request["definition"])
            self.folders = [_path(folder) for folder in request["folders"]]
            self.disks = [_disk(disk) for disk in request["disks"]]
            self.files = {
                name: base64.b64decode(request["files"][name], validate=True)
                for name in _FILES
                if name in request["files"]
            }
            domain = Domain(self.definition)
        except (KeyError, TypeError, ValueError, ET.ParseError) as wrong:
            raise UsageError(f"The restore request is invalid: {wrong!r}.") from wrong
        self.name, self.uuid = domain.name, domain.uuid
        if not self.name or "/" in self.name or not is_uuid(self.uuid):
            raise UsageError("The definition has no name, or no UUID.")
        if self.in_place and self.uuid != self.original:
            raise UsageError(f"The definition is that of another VM: {self.uuid}, not {self.original}.")

    @property
    def token(self) -> str:
        """What marks the files of this restore: the same in each try, whatever the run."""
        what = f"{self.uuid} {self.generation} {self.in_place}"
        return hashlib.sha256(what.encode()).hexdigest()[:8]

    def new(self, place: Path) -> Path:
        """Return the path at which the content of a place is written first."""
        return place.with_name(f"{place.name}{_NEW}{self.token}")

    def overlay(self, place: Path) -> Path:
        """Return the path of the overlay on a disk whose old content isn't kept."""
        return place.with_name(f"{place.name}{_NEW}{self.token}.qcow2")


def _disk(disk: dict[str, Any]) -> RequestedDisk:
    requested = RequestedDisk(
        str(disk["name"]),
        _path(disk["path"]),
        str(disk["format"]),
        int(disk["bytes"]),
        int(disk["data_bytes"]),
        qcow2_options.checked(disk["qcow2"]),
    )
    if (
        requested.format not in _FORMATS
        or requested.bytes <= 0
        or requested.data_bytes < 0
        or "/" in requested.name
        or (requested.qcow2 and requested.format != "qcow2")
    ):
        raise ValueError(f"invalid disk: {disk}")
    return requested


def _path(path: object) -> Path:
    """Return an absolute path without detours, and not of a disk that is being restored, checked."""
    text = str(path)
    if _NEW in os.path.basename(text):  # noqa: PTH119
        raise ValueError(f"{text!r} is a path of disks that are being restored")
    if not text.startswith("/") or os.path.normpath(text) != text or "\0" in text:
        raise ValueError(f"{text!r} isn't an absolute path without detours")
    return Path(text)
