"""A complete local Airflow with this project's DAGs and plugins, in one folder.

SQLite, LocalExecutor, and Airflow's four services as processes of their own, as at a site; up in less than
ten seconds, for end-to-end tests and the demo. Not for production.
"""

import fcntl
import shutil
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from tests.site import processes
from tests.site.airflow_api import AirflowApi, ApiError
from tests.site.airflow_home import PROJECT, USER, AirflowHome
from tests.site.airflow_loaded import Forked, LoadedAirflow
from tests.site.switched import Switched

# The api-server first: it takes longest to load. No log server: the logs are on this machine's disk, and its
# port is fixed, so two Airflows on one machine would collide.
SERVICES = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_START_PATIENCE_S = 240.0  # no test measures time, and a machine that runs tests is busy
_STOP_PATIENCE_S = 4.0
_POLL_S = 0.1
TEMPLATES = PROJECT / ".test" / "templates"
"""The folder of a database that ``airflow db migrate`` made, to be copied instead of made again."""


class LocalAirflow(Switched, AirflowApi):
    """An Airflow; a context manager, and a REST client of itself.

    Args:
        home: its folder. A second start there continues with the same data.
        env: environment of its processes, such as connections; overrides the settings made here.
        dags_folder: a folder of DAG files in addition to the project's.
        project_dags: whether it has the project's own DAGs.
        below: the URL path that it's served below, such as ``/airflow``, as behind a proxy.
    """

    def __init__(
        self,
        home: Path,
        *,
        env: Mapping[str, str] | None = None,
        dags_folder: Path | None = None,
        project_dags: bool = True,
        below: str = "",
    ) -> None:
        folders = [PROJECT / "dags"] * project_dags + [dags_folder] * (dags_folder is not None)
        self.home = AirflowHome(home, [folder for folder in folders if folder], env or {}, below)
        self.services = tuple(SERVICES)
        self._services: dict[str, Forked] = {}
        self._loaded: LoadedAirflow | None = None
        self._lock: IO[bytes] | None = None
        super().__init__("", USER, "")

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.home.folder / "logs"

    def start(self) -> None:
        """Start all services, and wait until every component is healthy.

        Raises:
            RuntimeError: another process runs this home, or a service didn't start; shows the end of its log.
        """
        self._lock_home()
        try:
            # Left by an earlier start whose stop() never ran.
            processes.end([], self._find, patience_s=0)
            self.home.prepare()
            self.url, self.password = self.home.url, self.home.passwords[USER]
            self._migrate()
            began = datetime.now(UTC)
            for name in self.services:
                self._start_service(name)
            self._wait_until_healthy(began)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all processes started here and their children; do nothing if none runs."""
        if self._loaded is not None:
            self._loaded.end()
            self._loaded = None
        if self._services:
            leaders = [service.pid for service in self._services.values()]
            processes.end(leaders, self._find, patience_s=_STOP_PATIENCE_S)
        self._services.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self, service: str) -> None:
        """Kill a service and its children, as a crash or the kernel would; see ``services``."""
        victim = self._services.pop(service)
        processes.end([], lambda: processes.family([victim.pid]), patience_s=0)

    def revive(self, service: str) -> None:
        """Start a killed service again, without waiting until it's healthy."""
        self._start_service(service)

    def repair(self) -> list[str]:
        """Start services that should run and don't, wait until all are healthy, and return their names."""
        dead = [
            name
            for name in self.services
            if name not in self._services or not self._services[name].is_alive()
        ]
        if not self._services:  # stopped on purpose
            return []
        began = datetime.now(UTC)
        for name in dead:
            if name in self._services:
                self.kill(name)  # its children may occupy its port
            self._start_service(name)
        if dead:
            self._wait_until_healthy(began)
        return dead

    def cli(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """Run ``airflow ...`` on this home, and return its status and output."""
        with tempfile.TemporaryDirectory(prefix="airflow-") as folder:
            output = Path(folder) / "output"
            status = self._airflow.run(args, output)
            printed = [path.read_text(encoding="utf-8") for path in (output, Path(f"{output}.err"))]
        return subprocess.CompletedProcess(["airflow", *args], status, *printed)

    @property
    def _airflow(self) -> LoadedAirflow:
        if self._loaded is None:
            log = self.home.log_file("loading")
            self._loaded = LoadedAirflow(self.home.environment(), self.home.folder, log)
        return self._loaded

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return a run's state from the database, at a hundredth of the API's cost; "" if it's busy."""
        query = "SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?"
        try:
            with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=5)) as database:
                (state,) = database.execute(query, (dag_id, run_id)).fetchone() or ("",)
        except sqlite3.OperationalError:  # another process is writing
            return ""
        return str(state)

    def _lock_home(self) -> None:
        self.home.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.home.folder / "lock").open("wb")
        try:
            # The kernel releases it when this process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise RuntimeError(f"Another process runs the Airflow in {self.home.folder}.") from None
        self._lock = lock

    def _find(self) -> set[int]:
        leaders = [service.pid for service in self._services.values()]
        return processes.family(leaders) | processes.family(processes.marked(self.home.mark))

    def _migrate(self) -> None:
        """Create or migrate the database, unless it has the installed version already."""
        note, installed = self.home.folder / "migrated", version("apache-airflow-core")
        with suppress(OSError):
            if note.read_text(encoding="ascii") == installed:
                return
        if not note.exists():  # the first start never finished: drop its half-made database
            for part in self.home.folder.glob("airflow.db*"):
                part.unlink()
        template = TEMPLATES / f"airflow-{installed}.db"
        if not note.exists() and template.exists():
            shutil.copyfile(template, self._database)
        else:
            self._migrate_now()
        if not note.exists():  # a used database is no template
            _save_template(self._database, template)
        note.write_text(installed, encoding="ascii")

    def _migrate_now(self) -> None:
        done = self.cli("db", "migrate")
        if done.returncode:
            raise RuntimeError(f"airflow db migrate failed:\n{done.stdout}{done.stderr}")

    @property
    def _database(self) -> Path:
        return self.home.folder / "airflow.db"

    def _start_service(self, name: str) -> None:
        self._services[name] = self._airflow.start(SERVICES[name], self.home.log_file(name))

    def _wait_until_healthy(self, began: datetime) -> None:
        deadline = time.monotonic() + _START_PATIENCE_S
        while waiting := self._unhealthy(began):
            dead = [name for name, service in self._services.items() if not service.is_alive()]
            if dead or time.monotonic() > deadline:
                tails = "\n".join(
                    f"{log} ends:\n{processes.tail(log)}"
                    for log in map(self.home.log_file, dead or self.services)
                )
                reason = f"{', '.join(dead)} ended" if dead else f"no sign of {', '.join(waiting)}"
                raise RuntimeError(f"Airflow did not come up: {reason}.\n{tails}")
            time.sleep(_POLL_S)

    def _unhealthy(self, began: datetime) -> list[str]:
        """Return the components without a heartbeat since a moment; the database has older ones."""
        try:
            health = self.health()
        except (urllib.error.URLError, ApiError, ConnectionError, TimeoutError):
            return ["api-server"]
        components = {name: health.get(name) or {} for name in ("scheduler", "dag_processor", "triggerer")}
        beats = {name: state.get(f"latest_{name}_heartbeat") for name, state in components.items()}
        return [
            name
            for name, beat in beats.items()
            if not beat or datetime.fromisoformat(beat) < began or components[name]["status"] != "healthy"
        ]


def _save_template(database: Path, template: Path) -> None:
    """Save an unused database as a template, atomically: another process may do the same now."""
    if not template.exists():
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as folder:
            copy = Path(folder) / template.name
            with closing(sqlite3.connect(database)) as used, closing(sqlite3.connect(copy)) as saved:
                used.backup(saved)  # including its write-ahead log
            copy.replace(template)
