"""An Airflow home: settings, secrets and port, made once and used by later starts."""

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
# The SimpleAuthManager role of each account: an admin may do everything, a viewer only look.
_ROLES = {USER: "admin", VIEWER: "viewer"}

_SETTINGS = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__LOAD_EXAMPLES": "False",
    # The default looks this machine's name up in the network, which may take long.
    "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    "LOGGING__COLORED_CONSOLE_LOG": "False",
    # The scheduler sleeps this long between tasks; eight workers are enough, and start faster than 32.
    "CORE__PARALLELISM": "8",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # New DAG files are read within seconds, not minutes; known ones rarely, as that loads all of Airflow,
    # and several Airflows share a machine.
    "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    # After a crash, the next start adopts running tasks within a minute, not five.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
}


class AirflowHome:
    """An Airflow home folder.

    Args:
        folder: the home.
        dags_folders: folders of DAG files.
        env: environment that overrides the settings made here.
        below: the URL path that it's served below, such as ``/airflow``.
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
        """The URL of the web page and the API."""
        return f"http://{LOOPBACK}:{self.port}{self._below}"

    @property
    def mark(self) -> str:
        """An environment variable that only processes of this home have, as ``NAME=value``."""
        return f"STAND_IN_AIRFLOW_HOME={self.folder}"

    def log_file(self, service: str) -> Path:
        """Return the log file of a service."""
        return self.folder / "logs" / f"{service}.log"

    def prepare(self) -> None:
        """Choose the port; at the first start, make the secrets and passwords."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = kept_port(self.folder / "port")
        made = {name: secrets.token_urlsafe(64) for name in ("api_secret_key", "jwt_secret")}
        made["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.secrets = _stored(self.folder / "secrets.json", made)
        self.passwords = _stored(self._passwords_file, {user: secrets.token_urlsafe(9) for user in _ROLES})

    def environment(self) -> dict[str, str]:
        """Return the complete environment of its processes, without any other Airflow's settings."""
        around = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "INPE_"))}
        name, _, folder = self.mark.partition("=")
        # SPT_NOENV: else a process that sets its title overwrites its environment in /proc, and so the mark.
        return around | {name: folder, "SPT_NOENV": "1"} | self.settings()

    def settings(self) -> dict[str, str]:
        """Return what a terminal's ``airflow`` needs to be that of this home."""
        own = {
            "AIRFLOW_HOME": str(self.folder),
            "PYTHONPATH": str(PROJECT),
            "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",  # see docker-compose.yaml
        }
        settings = {f"AIRFLOW__{key}": value for key, value in (_SETTINGS | self._own_settings()).items()}
        return own | settings | self._env

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
            # Four services share SQLite's write lock: wait for it longer than the default of five seconds.
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


def _stored(path: Path, made: dict[str, str]) -> dict[str, str]:
    """Return the values in a private file, after adding missing ones to it."""
    path.touch(mode=0o600)
    stored: dict[str, str] = made | json.loads(path.read_text(encoding="ascii") or "{}")
    path.write_text(json.dumps(stored), encoding="ascii")
    return stored
