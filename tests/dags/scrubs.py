"""Drives ``vault_scrub``: a vault with old backups, which tests damage."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.agent.durable_files import write_json
from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
from include.vms.archive import PublishedVm
from tests.dags import Run
from tests.include.days.day_tasks import Rehearsal
from tests.include.vms import sample_vms
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow

DAG = "vault_scrub"
LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@dataclass(frozen=True)
class Scrubs:
    """Drives ``vault_scrub``."""

    institute: Institute
    airflow: LocalAirflow

    @property
    def vault(self) -> Vault:
        """The vault."""
        return Vault.open(self.institute.vault)

    def day(self, written: str) -> PublishedDay:
        """Write a day at the source, and publish it in the vault, last verified long ago."""
        day = OrdinalDay.parse(written)
        supim.write_day(self.institute.source, day)
        cluster, source = self.institute.cluster.connection, str(self.institute.source)
        Rehearsal(cluster, source, str(self.institute.vault), written, "long ago", steps_per_day=24).do()
        [published] = DayArchive(self.vault).revisions(day)
        record = published.record
        verifications = [record.verifications[0].model_copy(update={"when": LONG_AGO})]
        old = record.model_copy(update={"verifications": verifications})
        write_json(published.record_file, old.model_dump(mode="json"))
        published.record_file.chmod(0o444)
        return published

    def generation(self, vm: str) -> PublishedVm:
        """Publish an image of a VM in the vault, last verified long ago."""
        verification = {"when": LONG_AGO, "how": "It was read back.", "seconds": 2}
        return sample_vms.lay(self.vault, vm, LONG_AGO, verifications=[verification])

    def run(self, **params: object) -> Run:
        """Trigger a run and wait until it's over."""
        started = self.airflow.trigger(DAG, conf=params)
        run = Run(self.airflow, self.institute, started["dag_run_id"], DAG)
        run.end()
        return run
