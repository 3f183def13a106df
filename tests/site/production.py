"""The set-up for production as the README describes it, on a backup machine with a real Docker engine."""

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.site import Institute
from tests.site.airflow_api import AirflowApi
from tests.site.airflow_home import PROJECT
from tests.site.docker_engine import GATEWAY, DockerEngine
from tests.site.switched import Switched

CLONE = "/srv/inpe-backup"
"""The checkout on the backup machine."""
URL = "http://127.0.0.1:8080"
_FOLDERS = ("dags", "plugins", "include", "bin")
_FILES = (
    *("docker-compose.yaml", "docker-compose.celery.yaml", "docker-compose.worker.yaml"),
    *("Dockerfile", ".dockerignore", "env.example", "requirements.txt"),
)
SITE = "/etc/inpe-backup/site"
"""The folder of the site file."""


class BackupMachine(Switched):
    """A backup machine where people type commands; a context manager.

    Args:
        institute: its servers, which run.
        engine: its Docker engine, with the images.
    """

    def __init__(self, institute: Institute, engine: DockerEngine) -> None:
        self.institute = institute
        self.engine = engine
        self.settings: dict[str, str] = {}

    def start(self) -> None:
        """Start the engine, and check the project out."""
        self.engine.start()
        self.engine.clear()
        parts = " ".join(str(PROJECT / part) for part in (*_FOLDERS, *_FILES))
        self.type(f"mkdir -p {CLONE} && cp -r {parts} {CLONE}")

    def stop(self) -> None:
        """End the containers with their volumes, then the machine."""
        if (self.path(CLONE) / ".env").exists():
            self.type("docker compose down --volumes --timeout 1")
        self.engine.stop()

    def type(self, command: str, *, check: bool = True) -> str:
        """Run a command line in the checkout as root; return its output.

        Raises:
            RuntimeError: it failed; the message has its output.
        """
        done = subprocess.run(
            [*self.engine.enter(), "bash", "-ec", f"cd {CLONE} 2>/dev/null || cd /\n{command}"],
            env=self.engine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command}\nfailed with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def path(self, there: str) -> Path:
        """Return a path of the machine as it can be read from here."""
        return self.engine.path(there)

    def api(self) -> AirflowApi:
        """Return Airflow's API for the user admin."""
        return AirflowApi(URL, "admin", self.settings["ADMIN_PASSWORD"])

    def fill_in(self, key: str) -> None:
        """Fill .env in as env.example says, with the institute's connections.

        Args:
            key: the private key, a file on the machine; its public half is given to cluster and KVM host.
        """
        public = self.path(f"{key}.pub").read_text(encoding="ascii")
        hosts = {"SUPIM_CLUSTER": self.institute.cluster}
        hosts |= {"KVM_HOST": self.institute.kvm_host.ssh} if self.institute.vms else {}
        for server in hosts.values():
            (server.folder / "authorized_keys").write_text(public, encoding="ascii")
        usual = {"key_file": "/run/keys/key"}
        connections = {
            f"AIRFLOW_CONN_{name}": reached(server.connection, usual) for name, server in hosts.items()
        }
        connections["AIRFLOW_CONN_SMTP_DEFAULT"] = reached(self.institute.mail.connection)
        self.settings = {
            "AIRFLOW_UID": "5050",
            "VAULT_PATH": "/backup/vault",
            "RESTORE_PATH": "/backup/restored",
            "KEYS_PATH": str(Path(key).parent),
            "SITE_PATH": SITE,
            **self._secrets(),
        }
        self.set(**self.settings, **{name: f"'{value}'" for name, value in connections.items()})

    def set(self, clone: str = CLONE, **values: str | None) -> None:
        """Set values in the file .env of a checkout, where it has the name; None puts a # before it."""
        path = self.path(clone) / ".env"
        text = path.read_text(encoding="utf-8")
        for name, value in values.items():
            place = re.search(rf"^{name}=.*$", text, re.MULTILINE) or re.search(
                rf"^# {name}=.*$", text, re.MULTILINE
            )
            assert place, f"env.example has no {name}"
            line = f"{name}={value}" if value is not None else f"# {place[0]}"
            text = text[: place.start()] + line + text[place.end() :]
        path.write_text(text, encoding="utf-8")

    def write_site_file(self, **overrides: object) -> None:
        """Write the institute's site file to the folder that .env names."""
        site = self.path(SITE)
        site.mkdir(parents=True, exist_ok=True)
        paths = {"vaults": {"main": {"path": "/backup/vault", "reserve": "64MiB"}}}
        written = self.institute.write_site_file(None, **{**paths, **overrides})
        shutil.copyfile(written, site / "site.yaml")

    def wait_until(self, service: str, state: str, timeout_s: float = 120) -> None:
        """Wait for a service's health, such as ``healthy``.

        Raises:
            TimeoutError: it isn't in time; the message has all services' states.
        """
        deadline = time.monotonic() + timeout_s
        while f"({state})" not in (states := self.type("docker compose ps --all")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{service} isn't {state}:\n{states}")
            time.sleep(0.5)

    def kill(self, service: str) -> None:
        """Kill a service's process as the kernel would, so that Docker starts it again."""
        container = self.type(f"docker compose ps --quiet {service}").strip()
        pid = self.type(f"docker inspect --format '{{{{.State.Pid}}}}' {container}").strip()
        subprocess.run(["kill", "-KILL", pid], check=True)

    def _secrets(self) -> dict[str, str]:
        """Make each secret with the command that env.example has above it."""
        example = (PROJECT / "env.example").read_text(encoding="utf-8")
        made = re.findall(r"^#   (openssl .+)\n([A-Z_]+)=$", example, re.MULTILINE)
        return {name: self.type(command).strip() for command, name in made}


def set_up_commands() -> list[str]:
    """Return the README's commands of the set-up for production, without comments."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^## For real\n.*?^```sh\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    return [shlex.join(shlex.split(line, comments=True)) for line in block.splitlines()]


def reached(connection: Mapping[str, object], extra: Mapping[str, object] | None = None) -> str:
    """Return a connection to a server of the institute as containers reach it."""
    extras = connection.get("extra", {})
    assert isinstance(extras, dict)
    return json.dumps({**connection, "host": GATEWAY, "extra": {**extras, **(extra or {})}})
