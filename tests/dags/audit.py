"""The audit at work: a vault whose proofs can be made old, and its backups damaged."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
