"""``supim_daily`` on Celery: Airflow, a worker for what needs no vault, and the vault's worker beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.vault.vault import Vault
from tests.dags import DAG, Daily
from tests.one_airflow import SOON, never_due
from tests.session import needs
from tests.site import Institute
from tests.site.accounts import give
from tests.site.celery_airflow import CeleryAirflow, Worker

QUEUE = "vault"
ACCOUNT = "backup"  # whose files the vault's are
ADDRESS = "127.0.0.2"
OTHER, BESIDE = "worker", "worker-vault"  # as in docker-compose.celery.yaml
_DAILY, _WEEKLY = never_due()
_USUAL = {
    "datasets": {"supim": {"schedule": _DAILY, "poke_interval_s": 5, "retry_delay_s": 1}},
    "vms": {"schedule": _WEEKLY},
    "vaults": {"main": {"queue": QUEUE}},
}


@dataclass(frozen=True)
class CeleryDaily(Daily):
    """Drives ``supim_daily`` there."""

    airflow: CeleryAirflow

    @classmethod
    @contextmanager
    def started(cls, root: Path) -> Iterator["CeleryDaily"]:
        """Start institute, Airflow and workers in a folder; the vault is its worker's account's."""
        vms = needs.lacks_kvm_host() is None
        with Institute(root / "institute", vms, usual=_USUAL) as institute:
            Vault.create(institute.vault)
            give(institute.vault, ACCOUNT)
            workers = [
                Worker(OTHER, "default", "nobody", "127.0.0.3", lacks=[institute.vault]),
                Worker(BESIDE, QUEUE, ACCOUNT, ADDRESS, serves_logs=True),
            ]
            env = institute.airflow_env() | SOON
            with CeleryAirflow(root / "airflow", workers, env=env) as airflow:
                airflow.unpause(DAG)
                yield cls(institute, airflow)
