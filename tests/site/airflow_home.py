"""An Airflow's home: its settings, its secrets and its port, made once and kept for the next start."""

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.site.ports import LOOPBACK, kept_port

PROJECT = Path(__file__).resolve().parents[2]
USER = "admin"
VIEWER = "viewer"
# SimpleAuthManager's role of each account: an admin does everything, a viewer sees and changes nothing.
_ROLES = {USER: "admin", VIEWER: "viewer"}

_SETTINGS = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__LOAD_EXAMPLES": "False",
    # The default asks the network for this machine's name, and waits where there is none.
    "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    "LOGGING__COLORED_CONSOLE_LOG": "False",
    # A chain of tasks waits the idle time at each link; eight workers are enough and start faster than 32.
    "CORE__PARALLELISM": "8",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A new DAG file shows within seconds, not minutes. One that is known isn't read again and again: that
    # loads all of Airflow each time, and several of these share a machine.
    "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    # After a crash the next start takes up what was running within a minute, not five.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
}


class AirflowHome:
    """One home folder.

    Args:
        folder: where everything lies.
        dags_folders: the folders of DAG files.
        env: variables that win over the settings made here.
        below: the path below which everything is served, such as ``/airflow``.
    """

    def __init__(
        self, folder: Path, dags_folders: Sequence[Path], env: Mapping[str, str], below: str = ""
    ) -> None:
        self.folder = folder.resolve()
        self._below = below
        self._bundles = json.dumps([_bundle(path.resolve()) for path in dags_folders])
        self._env = dict(env)
        self.port = 0
        self.secrets: dict[str, str] = {}
        self.passwords: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where the web page and the API are."""
        return f"http://{LOOPBACK}:{self.port}{self._below}"

    @property
    def mark(self) -> str:
        """A variable that only processes of this home have, as ``NAME=value``."""
        return f"STAND_IN_AIRFLOW_HOME={self.folder}"

    def log_file(self, service: str) -> Path:
        """Give the log of one service."""
        return self.folder / "logs" / f"{service}.log"

    def prepare(self) -> None:
        """Choose the port, and make the secrets and each account's password if this is the first start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = kept_port(self.folder / "port")
        made = {name: secrets.token_urlsafe(64) for name in ("api_secret_key", "jwt_secret")}
        made["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.secrets = _kept(self.folder / "secrets.json", made)
        self.passwords = _kept(self._passwords_file, {user: secrets.token_urlsafe(9) for user in _ROLES})

    def environment(self) -> dict[str, str]:
        """Give the whole environment of this Airflow's processes; another Airflow's settings are left out."""
        around = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "INPE_"))}
        if around.pop("PYTHONDONTWRITEBYTECODE", ""):
            # Loading Airflow from source takes twice as long, and each of its processes would do it again.
            around.setdefault("PYTHONPYCACHEPREFIX", str(PROJECT / ".test" / "pycache"))
        name, _, folder = self.mark.partition("=")
        own = {
            "AIRFLOW_HOME": str(self.folder),
            "PYTHONPATH": str(PROJECT),
            name: folder,
            # A process that sets its title writes over its environment in /proc, and with it over the mark.
            "SPT_NOENV": "1",
        }
        settings = {f"AIRFLOW__{key}": value for key, value in (_SETTINGS | self._own_settings()).items()}
        return around | own | settings | self._env

    @property
    def _passwords_file(self) -> Path:
        return self.folder / "passwords.json"

    def _own_settings(self) -> dict[str, str]:
        return {
            "API__BASE_URL": self.url,
            "API__HOST": LOOPBACK,
            "API__PORT": str(self.port),
            "API__SECRET_KEY": self.secrets["api_secret_key"],
            "API_AUTH__JWT_SECRET": self.secrets["jwt_secret"],
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__FERNET_KEY": self.secrets["fernet_key"],
            "CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in _ROLES.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_file),
            "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": self._bundles,
            # Four services share one writer's lock: better to wait for it than to fail after five seconds.
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder}/airflow.db?timeout=30",
            "LOGGING__BASE_LOG_FOLDER": str(self.folder / "logs"),
            "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(self.folder / "logs" / "dag_processor"),
        }


def _bundle(path: Path) -> dict[str, object]:
    return {
        "name": path.name if path == PROJECT / "dags" else str(path).strip("/").replace("/", "-"),
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(path)},
    }


def _kept(path: Path, made: dict[str, str]) -> dict[str, str]:
    """Give what a file that only its owner reads has kept; what it lacks is added to it."""
    path.touch(mode=0o600)
    kept: dict[str, str] = made | json.loads(path.read_text(encoding="ascii") or "{}")
    path.write_text(json.dumps(kept), encoding="ascii")
    return kept
