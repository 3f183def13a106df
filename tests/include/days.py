"""Days and vaults to test with: records as they are written, and published days without a source."""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from include import source_agent
from include.listing import Listing
from include.ordinal_day import OrdinalDay
from include.record import Record
from include.vault import PublishedDay, StagedDay, Vault

DAY = OrdinalDay.parse("2026-268")
WHEN = datetime(2026, 9, 27, 9, 30, tzinfo=UTC)
MTIME_NS = 1_790_000_000_123_456_789


def record(day: OrdinalDay = DAY, **facts: object) -> Record:
    """Give the record of a proven day, with what differs."""
    proof = {"when": WHEN, "how": "SHA-256 of 48 files equal at both ends; 24 descriptors hold", "seconds": 2}
    what = {"day": day, "revision": 1, "files": 48, "bytes": 412_000_000, "steps": 24, "fingerprint": "ab"}
    where = {"origin": {"connection": "supim_cluster", "folder": "/data/2026/268"}, "run": "an earlier run"}
    done = {"warnings": [], "copied": WHEN, "copy_seconds": 30, "proofs": [proof]}
    return Record.model_validate({**what, **where, **done, **facts})


def lay(vault: Vault, day: OrdinalDay = DAY, revision: int = 1, **facts: object) -> PublishedDay:
    """Put a published day into a vault, as publishing leaves it: an empty folder and its record."""
    published = PublishedDay(day, revision, vault.root / "supim" / f"{day.year:04d}")
    published.folder.mkdir(parents=True)
    published.sums.write_bytes(b"")
    written = record(day, revision=revision, **facts).model_dump_json()
    published.record_file.write_text(written, encoding="utf-8")
    return published


def stage(staged: StagedDay, contents: Mapping[str, bytes], mtime_ns: int = MTIME_NS) -> Listing:
    """Put a copy into staging, and give its listing with hashes, as proving does."""
    for name, content in contents.items():
        path = staged.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return hashed(staged.data)


def hashed(folder: Path) -> Listing:
    """Give a folder's listing with the SHA-256 of each file."""
    return Listing.read(source_agent.hashed(os.fsencode(folder)))


def tree(folder: Path) -> dict[str, object]:
    """Give all of a folder that must not change: names, kinds, modes, times, bytes. Equal means untouched."""
    return {str(path.relative_to(folder)): _seen(path) for path in [folder, *folder.rglob("*")]}


def proven(day: PublishedDay) -> bool:
    """Prove a published day as a person does, with sha256sum and nothing of ours."""
    command = ["sha256sum", "--check", "--strict", "--quiet", str(day.sums)]
    return subprocess.run(command, cwd=day.folder, capture_output=True, check=False).returncode == 0


def _seen(path: Path) -> object:
    status = path.lstat()
    if path.is_symlink():
        return status.st_mode, path.readlink()
    content = path.read_bytes() if path.is_file() else None
    return status.st_mode, status.st_mtime_ns, content
