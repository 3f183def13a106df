"""A complete local Airflow on this project's DAGs and plugins, all that it keeps below one folder.

SQLite, LocalExecutor, and Airflow's four services as processes of their own, as a site runs them; up in
about ten seconds, for end-to-end tests and the demo. Not for production.
"""

import fcntl
import subprocess
import sys
import time
import urllib.error
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from tests.site import processes
from tests.site.airflow_api import AirflowApi, ApiError
from tests.site.airflow_home import PROJECT, USER, AirflowHome
from tests.site.switched import Switched

# api-server first: it takes longest to load. The logs lie on this machine's disk, so nobody needs to serve
# them over the network, at a fixed port that two Airflows on one machine would fight for.
SERVICES = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_START_PATIENCE_S = 120.0
_STOP_PATIENCE_S = 8.0
_POLL_S = 0.1


class LocalAirflow(Switched, AirflowApi):
    """One Airflow; a context manager, and its own REST client once it's up.

    Args:
        home: a folder for everything it keeps. A second start on it goes on where the first ended.
        env: variables for its processes, such as connections; they win over the settings made here.
        dags_folder: a folder of DAG files beside the project's own.
        project_dags: False leaves the project's own DAGs out.
        below: the path below which it's served, such as ``/airflow``, as behind a proxy of many things.
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
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self._lock: IO[bytes] | None = None
        super().__init__("", USER, "")

    @property
    def logs(self) -> Path:
        """Where the services and tasks log."""
        return self.home.folder / "logs"

    def start(self) -> None:
        """Start everything and wait until every component reports healthy.

        Raises:
            RuntimeError: another process runs this home, or a service didn't come up; with its log's end.
        """
        self._hold_home()
        try:
            # Of an earlier start whose stop() never ran.
            processes.end([], self._find, patience_s=0)
            self.home.prepare()
            self.url, self.password = self.home.url, self.home.passwords[USER]
            self._migrate()
            began = datetime.now(UTC)
            for name in SERVICES:
                self._start_service(name)
            self._wait_until_healthy(began)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process started here, and all their children; harmless when nothing runs."""
        if self._services:
            leaders = [service.pid for service in self._services.values()]
            processes.end(leaders, self._find, patience_s=_STOP_PATIENCE_S)
        for service in self._services.values():
            service.wait()
        self._services.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self, service: str) -> None:
        """Kill one service and its children at once, as a crash or the kernel would; see ``SERVICES``."""
        victim = self._services.pop(service)
        processes.end([], lambda: processes.family([victim.pid]), patience_s=0)
        victim.wait()

    def revive(self, service: str) -> None:
        """Start a killed service again; whoever needs it waits for what it does."""
        self._start_service(service)

    def cli(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """Run ``airflow ...`` on this home; look at its returncode, stdout and stderr."""
        return subprocess.run(
            [sys.executable, "-m", "airflow", *args],
            env=self.home.environment(),
            cwd=self.home.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _hold_home(self) -> None:
        self.home.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.home.folder / "lock").open("wb")
        try:
            # The kernel lets go of it when this process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise RuntimeError(f"Another process runs the Airflow in {self.home.folder}.") from None
        self._lock = lock

    def _find(self) -> set[int]:
        leaders = [service.pid for service in self._services.values()]
        return processes.family(leaders) | processes.family(processes.marked(self.home.mark))

    def _migrate(self) -> None:
        """Make the database, or bring it to the installed version; nothing to do takes no time."""
        note, installed = self.home.folder / "migrated", version("apache-airflow-core")
        with suppress(OSError):
            if note.read_text(encoding="ascii") == installed:
                return
        if not note.exists():  # the first start never finished: half a database helps nobody
            for part in self.home.folder.glob("airflow.db*"):
                part.unlink()
        done = self.cli("db", "migrate")
        if done.returncode:
            raise RuntimeError(f"airflow db migrate failed:\n{done.stdout}{done.stderr}")
        note.write_text(installed, encoding="ascii")

    def _start_service(self, name: str) -> None:
        self._services[name] = processes.start(
            [sys.executable, "-m", "airflow", *SERVICES[name]],
            log=self.home.log_file(name),
            env=self.home.environment(),
            cwd=self.home.folder,
        )

    def _wait_until_healthy(self, began: datetime) -> None:
        deadline = time.monotonic() + _START_PATIENCE_S
        while waiting := self._ill(began):
            dead = [name for name, service in self._services.items() if service.poll() is not None]
            if dead or time.monotonic() > deadline:
                tails = "\n".join(
                    f"{log} ends:\n{processes.tail(log)}" for log in map(self.home.log_file, dead or SERVICES)
                )
                told = f"{', '.join(dead)} ended" if dead else f"no sign of {', '.join(waiting)}"
                raise RuntimeError(f"Airflow did not come up: {told}.\n{tails}")
            time.sleep(_POLL_S)

    def _ill(self, began: datetime) -> list[str]:
        """Give the components that have shown no life since a moment: the database remembers older ones."""
        try:
            health = self.health()
        except (urllib.error.URLError, ApiError, ConnectionError, TimeoutError):
            return ["api-server"]
        components = {name: health.get(name) or {} for name in ("scheduler", "dag_processor", "triggerer")}
        beats = {name: facts.get(f"latest_{name}_heartbeat") for name, facts in components.items()}
        return [
            name
            for name, beat in beats.items()
            if not beat or datetime.fromisoformat(beat) < began or components[name]["status"] != "healthy"
        ]
