"""A backup as its tasks do it, over real SSH, in the test's own process or in a worker's (``worker.py``)."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from include.day_backup import DayBackup
from include.ordinal_day import FolderPattern, OrdinalDay
from include.record import Record
from include.source import Source
from include.vault import PublishedDay, Vault
from tests.include.days import DAY, proven
from tests.site import supim

Step = Literal["copy", "prove", "publish"]
ALL_STEPS: tuple[Step, ...] = ("copy", "prove", "publish")


@dataclass(frozen=True)
class Rehearsal:
    """One day's way from a source on an SSH server into a vault.

    Args:
        connection: the server, as an Airflow connection.
        source: the root folder there.
        vault_root: the vault; made when there is none.
        day: such as ``2026-268``.
        run: the run's id.
        reserve_bytes: room that the vault keeps free.
        waits: whether an incomplete day is waited for.
        steps_per_day: time steps that make a day; None for a folder of any content.
        said: what it said.
    """

    connection: dict[str, Any]
    source: str
    vault_root: str
    day: str = str(DAY)
    run: str = "this run"
    reserve_bytes: int = 0
    waits: bool = False
    steps_per_day: int | None = 2
    said: list[str] = field(default_factory=list)

    @property
    def vault(self) -> Vault:
        """The vault."""
        return Vault.open(Path(self.vault_root))

    @property
    def folder(self) -> Path:
        """The day's folder at the source."""
        day = OrdinalDay.parse(self.day)
        return Path(self.source, f"{day.year}", f"{day.number:03d}")

    def write_day(self, **facts: Any) -> Path:  # noqa: ANN401 - what ``supim.write_day`` takes
        """Write the day at the source, of two time steps if not told otherwise."""
        return supim.write_day(Path(self.source), OrdinalDay.parse(self.day), **{"steps": 2, **facts})

    def write_files(self, **contents: bytes) -> Path:
        """Write a folder of any content instead."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (self.folder / name).write_bytes(content)
        return self.folder

    def but(self, **facts: Any) -> Self:  # noqa: ANN401 - any of its fields
        """Give the same rehearsal with other facts."""
        return replace(self, **facts)

    @contextmanager
    def backup(self) -> Iterator[DayBackup]:
        """Give the backup, with a session to the source of its own, as each task has one."""
        from inpe_backup.ssh import SshDoor  # noqa: PLC0415 - Airflow takes a second to import

        os.environ["AIRFLOW_CONN_SUPIM_CLUSTER"] = json.dumps(self.connection)
        pattern, checks = FolderPattern("{year}/{day:03d}"), self.steps_per_day is not None
        with Source(SshDoor("supim_cluster"), self.source, pattern, checks, self.steps_per_day) as source:
            yield DayBackup(
                vault=self.vault,
                source=source,
                day=OrdinalDay.parse(self.day),
                run=self.run,
                reserve_bytes=self.reserve_bytes,
                recheck_s=5,
                give_up_at=datetime.now(UTC) + timedelta(hours=1 if self.waits else -1),
                say=self.said.append,
            )

    def do(self, *steps: Step) -> Record | None:
        """Take steps in one session, and give what the last one gave; all three if none is named."""
        with self.backup() as backup:
            takes: dict[Step, Callable[[], Record | None]] = {
                "copy": backup.copy,
                "prove": backup.prove,
                "publish": backup.publish,
            }
            return [takes[step]() for step in steps or ALL_STEPS][-1]

    def published(self) -> list[PublishedDay]:
        """Give the published revisions, each of which sha256sum has proven."""
        revisions = self.vault.revisions(OrdinalDay.parse(self.day))
        for revision in revisions:
            assert proven(revision), f"{revision.folder} isn't what its sums say"
        return revisions

    def published_names(self) -> list[str]:
        """Give their names: ``["268", "268.r2"]``."""
        return [revision.name for revision in self.published()]

    def is_published(self) -> bool:
        """Tell whether the newest revision is what the source holds, to the byte."""
        published = self.published()
        return bool(published) and contents(published[-1].folder) == contents(self.folder)

    def facts(self) -> dict[str, Any]:
        """Give it as JSON, for another process."""
        return asdict(self)


def contents(folder: Path) -> dict[str, object]:
    """Give all that two equal folders share: names, kinds, times, bytes, link targets; no special files."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file() or path.is_dir())
    return {str(path.relative_to(folder)): _content(path) for path in paths}


def _content(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    return (path.stat().st_mtime_ns, path.read_bytes()) if path.is_file() else None
