"""Restore days as the task does, from a vault that the tests fill."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from include.days import publication
from include.days.archive import DayArchive
from include.days.manifest import Manifest
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.errors import RescheduleError
from include.ordinal_day import FolderPattern, OrdinalDay
from include.remote.local import LocalTransport
from include.restore.day import DayRestore
from include.restore.day_request import DayRestoreRequest
from include.restore.target import RestoreTarget
from include.results.item import Item
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, hashed, record, stage

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
"""Names that are special in a shell, in rsync's list or in a line of text."""


def publish(vault: Vault, contents: Mapping[str, bytes], day: OrdinalDay = DAY) -> PublishedDay:
    """Publish a day as a backup does, with two links and an empty folder."""
    with DayArchive(vault).lock(day) as staged:
        stage(staged, contents)
        (staged.data / "link").symlink_to("a")
        (staged.data / "link out").symlink_to("/nowhere/at all")
        (staged.data / "empty").mkdir()
        verified = hashed(staged.data)
        published = publication.publish(vault, staged, _draft(day, verified), verified)
        staged.clear()
    publication.seal(published)
    return published


def publish_folder(vault: Vault, folder: Path, day: OrdinalDay) -> PublishedDay:
    """Publish a copy of a folder as a day."""
    with DayArchive(vault).lock(day) as staged:
        shutil.copytree(folder, staged.data)
        verified = hashed(staged.data)
        published = publication.publish(vault, staged, _draft(day, verified), verified)
        staged.clear()
    publication.seal(published)
    return published


def _draft(day: OrdinalDay, verified: Manifest) -> DayRecord:
    totals = verified.totals
    return record(day, files=totals.files, bytes=totals.bytes, structure=totals.structure)


def damage(published: PublishedDay, name: str = "a") -> None:
    """Change a bit of a published file as a failing disk does: length, times and mode stay."""
    path = published.folder / name
    before, content = path.stat(), bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@dataclass(frozen=True)
class Work:
    """A vault and a folder to restore to.

    Args:
        vault: the vault.
        folder: the target folder.
        ssh_conn_id: the SSH connection, or None for this machine.
        reserve_bytes: the space to leave free on the vault's disk.
        log_lines: the lines that the restores have logged.
    """

    vault: Vault
    folder: str
    ssh_conn_id: str | None = None
    reserve_bytes: int = 0
    log_lines: list[str] = field(default_factory=list)

    def but(self, **fields: Any) -> Self:  # noqa: ANN401 - any of its fields
        """Return a copy with some fields replaced."""
        return replace(self, **fields)

    def restore(self, day: str = str(DAY), **form: Any) -> Item:  # noqa: ANN401 - the form's fields
        """Restore a day."""
        with self.of(day, **form) as restore:
            return restore.restore()

    def restore_once_free(self, timeout_s: float = 30) -> Item:
        """Restore the day, and retry while the end of a broken connection still has it locked."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.restore()
            except RescheduleError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    @contextmanager
    def of(self, day: str = str(DAY), **form: Any) -> Iterator[DayRestore]:  # noqa: ANN401 - the same
        """Return a restore that hasn't begun, for a block."""
        fields = {"day": day, "folder": self.folder, "ssh_conn_id": self.ssh_conn_id, **form}
        request = DayRestoreRequest.read(fields)
        with RestoreTarget(self._transport(), self.folder, FolderPattern("{year}/{day:03d}")) as target:
            yield DayRestore(
                vault=self.vault,
                target=target,
                request=request,
                day=request.day,
                reserve_bytes=self.reserve_bytes,
                run="a restore",
                log=self.log_lines.append,
            )

    def _transport(self) -> Any:  # noqa: ANN401 - a transport
        if self.ssh_conn_id is None:
            return LocalTransport()
        from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - importing Airflow takes a second

        return SshTransport(self.ssh_conn_id)

    @property
    def day(self) -> Path:
        """The day's folder at the target."""
        return Path(self.folder, "2026", "268")

    def left_over(self) -> list[str]:
        """Return the staging folders at the target."""
        return [str(path) for path in Path(self.folder).rglob("*.restoring")]
