"""The backup of a day as its tasks do it, over real SSH, in this process or in a worker's (``worker.py``)."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from include.days.archive import DayArchive
from include.days.backup import DayBackup
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.days.source import Source
from include.ordinal_day import FolderPattern, OrdinalDay
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, verified
from tests.site import supim

Step = Literal["copy", "verify", "publish"]
ALL_STEPS: tuple[Step, ...] = ("copy", "verify", "publish")


@dataclass(frozen=True)
class Rehearsal:
    """The backup of one day from a source on an SSH server into a vault.

    Args:
        connection: the server, as an Airflow connection.
        source: the root folder there.
        vault_root: the vault's folder.
        day: such as ``2026-268``.
        run: the run's id.
        reserve_bytes: space that stays free in the vault.
        waits: whether an incomplete day is waited for.
        steps_per_day: the time steps of a complete day; None for a folder of any content.
        exclude: patterns of names that are no part of a day.
        log_lines: what the backup has logged.
    """

    connection: dict[str, Any]
    source: str
    vault_root: str
    day: str = str(DAY)
    run: str = "this run"
    reserve_bytes: int = 0
    waits: bool = False
    steps_per_day: int | None = 2
    exclude: tuple[str, ...] = ()
    log_lines: list[str] = field(default_factory=list)

    @property
    def vault(self) -> Vault:
        """The vault."""
        return Vault.open(Path(self.vault_root))

    @property
    def folder(self) -> Path:
        """The day's folder at the source."""
        day = OrdinalDay.parse(self.day)
        return Path(self.source, f"{day.year}", f"{day.number:03d}")

    def write_day(self, **options: Any) -> Path:  # noqa: ANN401 - what ``supim.write_day`` takes
        """Write the day at the source, with two time steps unless ``steps`` is given."""
        return supim.write_day(Path(self.source), OrdinalDay.parse(self.day), **{"steps": 2, **options})

    def write_files(self, **contents: bytes) -> Path:
        """Write files of any content into the day's folder instead."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (self.folder / name).write_bytes(content)
        return self.folder

    def but(self, **changes: Any) -> Self:  # noqa: ANN401 - any of its fields
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    @contextmanager
    def backup(self) -> Iterator[DayBackup]:
        """Open the backup with its own session to the source, as each task does."""
        from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - Airflow takes a second to import

        os.environ["AIRFLOW_CONN_SUPIM_CLUSTER"] = json.dumps(self.connection)
        pattern, checks = FolderPattern("{year}/{day:03d}"), self.steps_per_day is not None
        with Source(
            SshTransport("supim_cluster"), self.source, pattern, checks, self.steps_per_day, self.exclude
        ) as source:
            yield DayBackup(
                vault=self.vault,
                source=source,
                day=OrdinalDay.parse(self.day),
                run=self.run,
                reserve_bytes=self.reserve_bytes,
                poke_interval_s=5,
                deadline=datetime.now(UTC) + timedelta(hours=1 if self.waits else -1),
                log=self.log_lines.append,
            )

    def do(self, *steps: Step) -> DayRecord | None:
        """Run the steps, or all three, in one session, and return the result of the last one."""
        with self.backup() as backup:
            methods: dict[Step, Callable[[], DayRecord | None]] = {
                "copy": backup.copy,
                "verify": backup.verify,
                "publish": backup.publish,
            }
            return [methods[step]() for step in steps or ALL_STEPS][-1]

    def published(self) -> list[PublishedDay]:
        """Return the published revisions, after verifying each with sha256sum."""
        revisions = DayArchive(self.vault).revisions(OrdinalDay.parse(self.day))
        for revision in revisions:
            assert verified(revision), f"{revision.folder} doesn't match its checksums"
        return revisions

    def published_names(self) -> list[str]:
        """Return their names: ``["268", "268.r2"]``."""
        return [revision.name for revision in self.published()]

    def is_published(self) -> bool:
        """Return whether the newest revision equals the source to the byte."""
        published = self.published()
        return bool(published) and contents(published[-1].folder) == contents(self.folder)

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON, for another process."""
        return asdict(self)


def contents(folder: Path) -> dict[str, object]:
    """Return what two equal folders share: names, kinds, times, bytes, link targets; no special files."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file() or path.is_dir())
    return {str(path.relative_to(folder)): _content(path) for path in paths}


def _content(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    return (path.stat().st_mtime_ns, path.read_bytes()) if path.is_file() else None
