"""``make demo CELERY=1``: the demo's Airflow as on several machines, on PostgreSQL and Redis.

As in docker-compose.celery.yaml: a worker beside the vault, and one without it for what needs none.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.site.celery_airflow import CeleryAirflow, Worker
from tests.site.postgres import PROGRAMS

QUEUE = "vault"


def airflow(home: Path, vault: Path, env: Mapping[str, str]) -> CeleryAirflow:
    """Return the Airflow, which isn't started.

    Raises:
        RuntimeError: this machine can't run it; the message says what would help.
    """
    if os.geteuid() != 0:
        raise RuntimeError("Workers with folders of their own need root: sudo make demo CELERY=1")
    if not (shutil.which("redis-server") and any(PROGRAMS.glob("*/bin/initdb"))):
        raise RuntimeError("Redis or PostgreSQL is missing: sudo tests/site/packages.sh slow")
    return CeleryAirflow(home, workers(vault), env=env)


def workers(vault: Path) -> list[Worker]:
    """Return the two workers."""
    return [
        Worker("worker", "default", "nobody", "127.0.0.3", lacks=[vault]),
        Worker("worker-vault", QUEUE, "root", "127.0.0.2", serves_logs=True),
    ]
