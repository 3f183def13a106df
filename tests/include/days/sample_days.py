"""Sample days and vaults: records, staged copies, and published days without a source."""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from include.days import folder_scan
from include.days.manifest import Manifest
from include.days.manifest_builder import manifest_of
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.days.staged import StagedDay
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault

DAY = OrdinalDay.parse("2026-268")
WHEN = datetime(2026, 9, 27, 9, 30, tzinfo=UTC)
MTIME_NS = 1_790_000_000_123_456_789


def record(day: OrdinalDay = DAY, **fields: object) -> DayRecord:
    """Return the record of a verified day, with some fields changed."""
    verification = {
        "when": WHEN,
        "how": "SHA-256 of 48 files equal at both ends; 24 descriptors match",
        "seconds": 2,
    }
    what = {
        "day": day,
        "revision": 1,
        "cause": "changed at the source" if fields.get("revision", 1) != 1 else "first copy",
        "files": 48,
        "bytes": 412_000_000,
        "steps": 24,
        "fingerprint": "ab",
        "structure": "",
    }
    where = {"origin": {"ssh_conn_id": "supim_cluster", "folder": "/data/2026/268"}, "run": "an earlier run"}
    done = {"warnings": [], "copied": WHEN, "copy_seconds": 30, "verifications": [verification]}
    return DayRecord.model_validate({**what, **where, **done, **fields})


def lay(vault: Vault, day: OrdinalDay = DAY, revision: int = 1, **fields: object) -> PublishedDay:
    """Put a published day into a vault: an empty folder, its sums and its record."""
    published = PublishedDay(day, revision, vault.root / "supim" / f"{day.year:04d}")
    published.folder.mkdir(parents=True)
    published.sums.write_bytes(b"")
    content = record(day, revision=revision, **fields).model_dump_json()
    published.record_file.write_text(content, encoding="utf-8")
    return published


def stage(staged: StagedDay, contents: Mapping[str, bytes], mtime_ns: int = MTIME_NS) -> Manifest:
    """Put a copy into staging, and return its manifest with hashes."""
    for name, content in contents.items():
        path = staged.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return hashed(staged.data)


def hashed(folder: Path) -> Manifest:
    """Return a folder's manifest with the SHA-256 of each file."""
    scan = os.fsencode(folder)
    return manifest_of(folder_scan.hashed(scan, folder_scan.walk(scan)))


def contents_of(manifest: Manifest) -> dict[str, tuple[object, ...]]:
    """Return the content of each entry but special files, by path."""
    return {entry.path: entry.content for entry in manifest.compared}


def tree(folder: Path) -> dict[str, object]:
    """Return everything in a folder that must not change: names, kinds, modes, times, bytes."""
    return {str(path.relative_to(folder)): _state(path) for path in [folder, *folder.rglob("*")]}


def verified(day: PublishedDay) -> bool:
    """Verify a published day with sha256sum alone, as anybody can."""
    command = ["sha256sum", "--check", "--strict", "--quiet", str(day.sums)]
    return subprocess.run(command, cwd=day.folder, capture_output=True, check=False).returncode == 0


def _state(path: Path) -> object:
    status = path.lstat()
    if path.is_symlink():
        return status.st_mode, path.readlink()
    content = path.read_bytes() if path.is_file() else None
    return status.st_mode, status.st_mtime_ns, content
