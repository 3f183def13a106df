"""Published sample backups, and ways to damage them."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.days.archive import DayArchive
from include.days.publication import publish, seal
from include.days.published import PublishedDay
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, record, stage

CONTENTS = {"a": b"first" * 500_000, "sub/b": b"second", "sub/\\ \n\udcff": b"odd", "empty": b""}


def day(
    vault: Vault,
    contents: Mapping[str, bytes] = CONTENTS,
    links: Mapping[str, str] | None = None,
    **fields: Any,  # noqa: ANN401 - any field of a record
) -> PublishedDay:
    """Publish a day, or its next revision."""
    with DayArchive(vault).lock(DAY) as staged:
        staged.data.mkdir(parents=True)
        for name, leads_to in (links or {}).items():
            (staged.data / name).symlink_to(leads_to)
        copy = stage(staged, contents)
        totals = copy.totals
        verified = {"fingerprint": totals.fingerprint, "structure": totals.structure}
        draft = record(files=totals.files, bytes=totals.bytes, **{**verified, **fields})
        published = publish(vault, staged, draft, copy)
        seal(published)
        staged.clear()
    return published


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Make a published file or folder writable for a block, and restore its time and mode afterwards."""
    before = path.stat()
    path.chmod(0o755)
    try:
        yield
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        path.chmod(before.st_mode & 0o7777)


def flip(path: Path, place: int = 0) -> None:
    """Flip a bit of a published file as a failing disk does, without changing the file's time."""
    with writable(path), path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def lose(path: Path) -> None:
    """Remove a published file."""
    with writable(path.parent):
        path.unlink()


def cut(path: Path, size: int) -> None:
    """Truncate a published file."""
    with writable(path):
        os.truncate(path, size)


def add(path: Path) -> None:
    """Add a file that was never published."""
    with writable(path.parent):
        path.write_bytes(b"restored")


def no_pace(_: int) -> None:
    """Don't limit the rate."""


def remove(folder: Path) -> None:
    """Remove a published folder, and nothing beside it, as ``rm -rf`` does."""
    for inner in (folder, *folder.rglob("*")):
        if inner.is_dir() and not inner.is_symlink():
            inner.chmod(0o755)
    shutil.rmtree(folder)
