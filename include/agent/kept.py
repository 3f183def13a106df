"""What belongs to a machine beside its disks: its definition, and what its firmware and TPM remember."""

from __future__ import annotations

import shutil
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any


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
