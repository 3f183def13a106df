"""The audit at work: a vault whose proofs can be made old, and its backups damaged."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.day_backup import write_json
from include.machines.generation import PublishedGeneration
from include.ordinal_day import OrdinalDay
from include.vault import PublishedDay, Vault
from tests.dags import Run
from tests.include.machines import machines
from tests.include.rehearsal import Rehearsal
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow

DAG = "audit_vault"
LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@dataclass(frozen=True)
class Audits:
    """The audit at work."""

    institute: Institute
    airflow: LocalAirflow

    @property
    def vault(self) -> Vault:
        """What is audited."""
        return Vault.open(self.institute.vault)

    def day(self, written: str) -> PublishedDay:
        """Have a day at the source, and in the vault since long ago."""
        day = OrdinalDay.parse(written)
        supim.write_day(self.institute.source, day)
        cluster, source = self.institute.cluster.connection, str(self.institute.source)
        Rehearsal(cluster, source, str(self.institute.vault), written, "long ago", steps_per_day=24).do()
        [published] = self.vault.revisions(day)
        record = published.record
        proofs = [record.proofs[0].model_copy(update={"when": LONG_AGO})]
        old = record.model_copy(update={"proofs": proofs})
        write_json(published.record_file, old.model_dump(mode="json"))
        published.record_file.chmod(0o444)
        return published

    def generation(self, machine: str) -> PublishedGeneration:
        """Have an image of a machine in the vault since long ago."""
        proof = {"when": LONG_AGO, "how": "It was read back.", "seconds": 2}
        return machines.lay(self.vault, machine, LONG_AGO, proofs=[proof])

    def run(self, **params: object) -> Run:
        """Trigger a run and wait until it's over."""
        started = self.airflow.trigger(DAG, conf=params)
        run = Run(self.airflow, self.institute, started["dag_run_id"], DAG)
        run.end()
        return run


def flip(path: Path, place: int = 0) -> None:
    """Turn a bit of a published file over, as a disk does that decays: its time stays as it was."""
    with writable(path), path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))


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
