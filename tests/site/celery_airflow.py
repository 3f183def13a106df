"""An Airflow as on several machines: PostgreSQL, Redis, and workers of Celery apart from each other.

Each worker is a machine of its own as far as one machine can be that: an account, a name (a UTS namespace)
that is its address on loopback, a home, and folders (a mount namespace) where others' vaults are empty. Needs
root.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.site import processes
from tests.site.accounts import as_account, give
from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import AirflowApi
from tests.site.airflow_loaded import Forked
from tests.site.broker import Broker
from tests.site.ports import kept_port
from tests.site.postgres import PostgresServer

CONCURRENCY = 8  # as in docker-compose.celery.yaml: what Airflow queues has a slot at once
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Worker:
    """A machine with a worker.

    Args:
        name: the service's.
        queue: which tasks it takes.
        account: as whom it runs.
        address: its host name, of 127.0.0.0/8, so that it can be reached by its name.
        lacks: folders that are empty there.
        serves_logs: whether it keeps its logs and serves them; else it writes to the web page's folder. The
            port is one for all machines, so only one of these can.
    """

    name: str
    queue: str
    account: str
    address: str
    lacks: Sequence[Path] = ()
    serves_logs: bool = False

    def command(self) -> list[str]:
        """Return the command that starts it, as root."""
        airflow = [sys.executable, "-m", "airflow", "celery", "worker"]
        worker = [*airflow, "--queues", self.queue, "--concurrency", str(CONCURRENCY)]
        worker += [] if self.serves_logs else ["--skip-serve-logs"]
        hidden = "".join(f"mount -t tmpfs -o mode=755 none '{folder}' && " for folder in self.lacks)
        script = f'hostname {self.address} && {hidden}exec "$@"'
        machine = ["unshare", "--uts", "--mount", "--propagation=private", "sh", "-c", script, "sh"]
        return [*machine, *as_account(self.account), *worker]


class CeleryAirflow(LocalAirflow):
    """An Airflow whose tasks run on workers; a context manager.

    Args:
        home: its folder.
        workers: its workers.
        env: environment of all its processes.
    """

    def __init__(self, home: Path, workers: Sequence[Worker], *, env: Mapping[str, str]) -> None:
        self.database = PostgresServer(home / "postgres")
        self.broker = Broker(home / "redis")
        self.workers = {worker.name: worker for worker in workers}
        self._machines: dict[str, Path] = {}
        self._leaders: dict[str, subprocess.Popen[bytes]] = {}
        self._begins: dict[str, int] = {}
        super().__init__(home, env={**self._settings(home), **env})
        self.services = (*self.services, *self.workers)

    def _settings(self, home: Path) -> dict[str, str]:
        settings = {
            "CORE__EXECUTOR": "CeleryExecutor",
            "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{self.database.address}",
            "CELERY__BROKER_URL": self.broker.url,
            "CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{self.database.address}",
            "LOGGING__WORKER_LOG_SERVER_PORT": str(kept_port(home / "log-port")),
        }
        return {f"AIRFLOW__{name}": value for name, value in settings.items()}

    def start(self) -> None:
        """Start database, broker, Airflow and its workers."""
        self.database.start()
        self.broker.start()
        super().start()
        for name in self.workers:
            self.wait_for_worker(name)

    def stop(self) -> None:
        """End everything started here."""
        super().stop()
        for leader in self._leaders.values():
            leader.wait()
        self.broker.stop()
        self.database.stop()
        for folder in self._machines.values():
            shutil.rmtree(folder, ignore_errors=True)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return a run's state."""
        return AirflowApi.run_state(self, dag_id, run_id)

    def log_of(self, worker: str) -> Path:
        """Return the log of a worker itself."""
        return self.home.log_file(worker)

    def pid(self, worker: str) -> int:
        """Return the PID of a worker's main process."""
        return self._services[worker].pid

    def wait_for_worker(self, name: str) -> None:
        """Wait until a worker takes tasks.

        Raises:
            RuntimeError: it doesn't; shows the end of its log.
        """
        log, deadline = self.log_of(name), time.monotonic() + _PATIENCE_S
        while f"celery@{self.workers[name].address} ready" not in self._since(name):
            if time.monotonic() > deadline or self._leaders[name].poll() is not None:
                raise RuntimeError(f"The worker {name} isn't ready. {log} ends:\n{processes.tail(log)}")
            time.sleep(0.1)

    def wait_for_end(self, name: str) -> None:
        """Wait until a worker that was asked to end has done so."""
        self._leaders[name].wait(_PATIENCE_S)
        self.kill(name)  # what it may have left

    def _since(self, name: str) -> str:
        return self.log_of(name).read_bytes()[self._begins[name] :].decode(errors="replace")

    def _migrate(self) -> None:
        self._migrate_now()

    def _start_service(self, name: str) -> None:
        if name not in self.workers:
            super()._start_service(name)
            return
        worker, home, log = self.workers[name], self._machine(name), self.log_of(name)
        logs = give(home / "logs" if worker.serves_logs else self.logs, worker.account)
        own = {"AIRFLOW_HOME": home, "HOME": home, "TMPDIR": home, "AIRFLOW__LOGGING__BASE_LOG_FOLDER": logs}
        env = self.home.environment() | {key: str(value) for key, value in own.items()}
        self._begins[name] = log.stat().st_size if log.exists() else 0
        self._leaders[name] = processes.start(worker.command(), log=log, env=env, cwd=home)
        self._services[name] = Forked(self._leaders[name].pid)

    def _machine(self, name: str) -> Path:
        """Return a worker's own folder: short, as names of sockets are, which ssh-agent makes there."""
        if name not in self._machines:
            self._machines[name] = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        return give(self._machines[name], self.workers[name].account)
