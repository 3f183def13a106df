"""Backups to read again, as publishing leaves them, and what can happen to them."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.publication import publish, seal
from include.vault import PublishedDay, Vault
from tests.include.days import DAY, record, stage

CONTENTS = {"a": b"first" * 500_000, "sub/b": b"second", "sub/\\ \n\udcff": b"odd", "empty": b""}


def day(
    vault: Vault,
    contents: Mapping[str, bytes] = CONTENTS,
    links: Mapping[str, str] | None = None,
    **facts: Any,  # noqa: ANN401 - any of a record
) -> PublishedDay:
    """Publish a day, or its next revision."""
    with vault.hold(DAY) as staged:
        staged.data.mkdir(parents=True)
        for name, leads_to in (links or {}).items():
            (staged.data / name).symlink_to(leads_to)
        copy = stage(staged, contents)
        proven = {"fingerprint": copy.fingerprint, "structure": copy.structure}
        draft = record(files=len(copy.files), bytes=copy.bytes, **{**proven, **facts})
        published = publish(vault, staged, draft, copy)
        seal(published)
        staged.clear()
    return published


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Have a published file, or folder, writable for a block, with its time as before."""
    before = path.stat()
    path.chmod(0o755)
    try:
        yield
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        path.chmod(before.st_mode & 0o7777)


def flip(path: Path, place: int = 0) -> None:
    """Turn a bit of a published file over, as a disk does that decays: its time stays as it was."""
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
    """Cut a published file short."""
    with writable(path):
        os.truncate(path, size)


def add(path: Path) -> None:
    """Put a stranger beside published files."""
    with writable(path.parent):
        path.write_bytes(b"restored")


def no_pace(_: int) -> None:
    """Let everything pass."""


def remove(folder: Path) -> None:
    """Remove a published folder as ``rm -rf`` does, with nothing else."""
    for inner in (folder, *folder.rglob("*")):
        if inner.is_dir() and not inner.is_symlink():
            inner.chmod(0o755)
    shutil.rmtree(folder)
