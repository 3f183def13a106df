"""What is to be restored, as the vault's side asks for it: a machine's disks, its definition, its firmware.

    {"run": "a run", "generation": "2026-11-22T05-00-03Z", "in_place": true, "keep_old": true, "start": false,
     "definition": "<domain>...", "files": {"nvram.fd": "<base64>", "tpm.tar": "<base64>"},
     "disks": [{"name": "vda", "path": "/vms/maq1.img", "format": "raw", "bytes": 4294967296,
                "data_bytes": 2147483648}]}

The definition is the one that is to be: name, UUID and paths are those of the machine that it becomes. Each
disk is written beside its place, and gets there only when all are proven:

    <path>.restoring-<token>         the new one, until then
    <path>.restoring-<token>.qcow2   what differs, where the old content is to go: written over it in the end
    <path>.before-restore-<date>     what was there before, if it's kept
"""

from __future__ import annotations

import base64
import hashlib
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

from .domain import Domain
from .errors import UsageError
from .virsh import is_uuid

_FORMATS = ("raw", "qcow2")
_FILES = ("nvram.fd", "tpm.tar")


class Disk(NamedTuple):
    """A disk that is to be restored.

    Args:
        name: as the guest's definition calls it.
        path: where to.
        format: ``raw`` or ``qcow2``.
        bytes: what the guest sees.
        data_bytes: what of it isn't a hole, in the vault.
    """

    name: str
    path: Path
    format: str
    bytes: int
    data_bytes: int


class Restore:
    """What is asked for.

    Args:
        asked: see above.

    Raises:
        UsageError: it isn't in order.
    """

    def __init__(self, asked: dict[str, Any]) -> None:
        try:
            self.run, self.generation = str(asked["run"]), str(asked["generation"])
            self.in_place, self.keep_old, self.start = (
                bool(asked[key]) for key in ("in_place", "keep_old", "start")
            )
            self.definition = str(asked["definition"])
            self.disks = [_disk(one) for one in asked["disks"]]
            self.files = {
                name: base64.b64decode(asked["files"][name], validate=True)
                for name in _FILES
                if name in asked["files"]
            }
            domain = Domain(self.definition)
        except (KeyError, TypeError, ValueError, ET.ParseError) as wrong:
            raise UsageError(f"What is to be restored isn't told in order: {wrong!r}.") from wrong
        self.name, self.uuid = domain.name, domain.uuid
        if not self.name or not is_uuid(self.uuid):
            raise UsageError("The definition has no name, or no UUID.")
        self.firmware = {
            name: _checked(path)
            for name, path in (("nvram.fd", domain.nvram), ("tpm.tar", domain.tpm))
            if name in self.files and path
        }

    @property
    def token(self) -> str:
        """What marks the files of this restore: the same for each try of it, in whatever run."""
        what = f"{self.uuid} {self.generation} {self.in_place}"
        return hashlib.sha256(what.encode()).hexdigest()[:8]

    def new(self, place: Path) -> Path:
        """Give where something is written that is to come to a place."""
        return place.with_name(f"{place.name}.restoring-{self.token}")

    def overlay(self, place: Path) -> Path:
        """Give where what differs is written, if it's to be written over what is at a place."""
        return place.with_name(f"{place.name}.restoring-{self.token}.qcow2")


def _disk(told: dict[str, Any]) -> Disk:
    disk = Disk(
        str(told["name"]),
        _checked(told["path"]),
        str(told["format"]),
        int(told["bytes"]),
        int(told["data_bytes"]),
    )
    if disk.format not in _FORMATS or disk.bytes <= 0 or disk.data_bytes < 0 or "/" in disk.name:
        raise ValueError(f"no such disk can be: {told}")
    return disk


def _checked(path: object) -> Path:
    """Give a path that is absolute, and says itself where it leads."""
    text = str(path)
    if not text.startswith("/") or os.path.normpath(text) != text or "\0" in text:
        raise ValueError(f"{text!r} is no absolute path without detours")
    return Path(text)
