"""What belongs to a machine beside its disks: its definition, and what its firmware and TPM remember."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import NotRestoredError

_AS_IT_IS: Any = (
    {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
)  # with owners


def keep_definition(kept: Path, definition: str) -> None:
    """Begin a new folder with a machine's definition, as ``domain.xml``."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(mode=0o700)
    (kept / "domain.xml").write_text(definition + "\n", encoding="utf-8")


def keep_firmware(kept: Path, machine: dict[str, Any]) -> None:
    """Add ``nvram.fd`` and ``tpm.tar``, where there are such, while nobody changes them."""
    if nvram := machine["nvram"]:
        with suppress(FileNotFoundError):  # made at the first start
            shutil.copyfile(nvram, str(kept / "nvram.fd"))
    tpm = machine["tpm"]
    if tpm and Path(tpm).is_dir():
        with tarfile.open(str(kept / "tpm.tar"), "w") as archive:
            archive.add(tpm, arcname=".")


def write_nvram(content: bytes, new: Path) -> None:
    """Write what UEFI remembers, on the disk when this returns; what a try before left goes."""
    with suppress(FileNotFoundError):
        new.unlink()
    with new.open("xb") as file:
        new.chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def unpack_tpm(archive: bytes, new: Path) -> None:
    """Unpack what an emulated TPM remembers; what a try before left goes.

    Raises:
        NotRestoredError: the archive holds what is no file of a TPM's, or leads out of the folder.
    """
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed.getmembers():
            leads_out = member.name.startswith("/") or ".." in member.name.split("/")
            if leads_out or not (member.isfile() or member.isdir()):
                raise NotRestoredError(f"tpm.tar holds {member.name!r}, which is no file of a TPM's.")
        packed.extractall(new, **_AS_IT_IS)  # noqa: S202 - every member was looked at
