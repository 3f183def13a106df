"""A restore as its task does it, from a vault that tests lay out."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from include import publication
from include.errors import NotYetError
from include.ordinal_day import FolderPattern, OrdinalDay
from include.report import Item
from include.restore.day import DayRestore
from include.restore.local_door import LocalDoor
from include.restore.request import RestoreRequest
from include.restore.target import Target
from include.vault import PublishedDay, Vault
from tests.include.days import DAY, hashed, record, stage

PLAIN = {"a": b"first" * 1000, "b": b"second", "sub/c": b"third"}
HARD = PLAIN | {
    "-rf": b"dash",
    "with space": b"1",
    "new\nline": b"2",
    "quo'te\"$(x)`y`": b"3",
    "*?[x]\\": b"4",
    "#comment": b"5",
    ";too": b"6",
    os.fsdecode(b"no utf-8 \xff\xe9"): b"7",
    "á/é": b"8",
}
"""Names that a shell, rsync's list or a line would take for something else."""


def publish(vault: Vault, contents: Mapping[str, bytes], day: OrdinalDay = DAY) -> PublishedDay:
    """Publish a day as a backup does, with two links and an empty folder."""
    with vault.hold(day) as staged:
        stage(staged, contents)
        (staged.data / "link").symlink_to("a")
        (staged.data / "link out").symlink_to("/nowhere/at all")
        (staged.data / "empty").mkdir()
        published = publication.publish(vault, staged, record(day), hashed(staged.data))
        staged.clear()
    publication.seal(published)
    return published


def publish_folder(vault: Vault, folder: Path, day: OrdinalDay) -> PublishedDay:
    """Publish a copy of a folder as a day."""
    with vault.hold(day) as staged:
        shutil.copytree(folder, staged.data)
        proven = hashed(staged.data)
        draft = record(day, files=len(proven.files), bytes=proven.bytes)
        published = publication.publish(vault, staged, draft, proven)
        staged.clear()
    publication.seal(published)
    return published


def damage(published: PublishedDay, name: str = "a") -> None:
    """Change a bit of a published file, as a disk does: length, times and mode stay."""
    path = published.folder / name
    before, content = path.stat(), bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@dataclass(frozen=True)
class Work:
    """A vault, a folder, and what a person asks for.

    Args:
        vault: where from.
        folder: where to.
        connection: the SSH connection, or None for this machine.
        reserve_bytes: what the vault's disk keeps free.
        said: what it said.
    """

    vault: Vault
    folder: str
    connection: str | None = None
    reserve_bytes: int = 0
    said: list[str] = field(default_factory=list)

    def but(self, **facts: Any) -> Self:  # noqa: ANN401 - any of its fields
        """Give the same with other facts."""
        return replace(self, **facts)

    def restore(self, day: str = str(DAY), **asked: Any) -> Item:  # noqa: ANN401 - the form's fields
        """Restore a day."""
        with self.of(day, **asked) as restore:
            return restore.restore()

    def restore_once_free(self, patience_s: float = 30) -> Item:
        """Restore the day once the other end of a connection that broke has noticed, as a task that waits."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return self.restore()
            except NotYetError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    @contextmanager
    def of(self, day: str = str(DAY), **asked: Any) -> Iterator[DayRestore]:  # noqa: ANN401 - the same
        """Give a restore that has not begun."""
        form = {"day": day, "folder": self.folder, "connection": self.connection, **asked}
        request = RestoreRequest.read(form)
        with Target(self._door(), self.folder, FolderPattern("{year}/{day:03d}")) as target:
            yield DayRestore(
                vault=self.vault,
                target=target,
                asked=request,
                day=request.day,
                reserve_bytes=self.reserve_bytes,
                run="a restore",
                say=self.said.append,
            )

    def _door(self) -> Any:  # noqa: ANN401 - a TargetDoor
        if self.connection is None:
            return LocalDoor()
        from inpe_backup.ssh import SshDoor  # noqa: PLC0415 - Airflow takes a second to import

        return SshDoor(self.connection)

    @property
    def day(self) -> Path:
        """Where the day comes to lie."""
        return Path(self.folder, "2026", "268")

    def left_over(self) -> list[str]:
        """Give what is in the target beside days."""
        return [str(path) for path in Path(self.folder).rglob("*.restoring")]
