"""The stand-in institute: real servers in the institute's roles, on one machine, for tests and the demo.

    supim.py          SUPIM days in the real format, from some KB to the real size
    sshd.py           the cluster: an OpenSSH server with its own keys
    kvm_host.py       a KVM host: a libvirtd of its own, with guests; guests.py is what they boot
    smtp.py           the mail server, which keeps all mail
    certificates.py   an authority of the institute's own, for servers with TLS
    monitor.py        the monitor that hears heartbeats
    airflow.py        a complete local Airflow with this project's DAGs; airflow_api.py is its REST client,
                      airflow_loaded.py loads Airflow once for all processes
    celery_airflow.py the same on Celery, with workers apart from each other; postgres.py and broker.py are
                      its servers, accounts.py lets them run as others than root
    browser.py        Chromium, logged in to it as admin or as viewer
    demo.py           all of it for people to watch: ``make demo``; demo_tour.py is what it proposes to try,
                      demo_terminal.py makes a terminal part of it
    renewed.py        parts that tests share, renewed when a test broke one
    ports.py          ports that no two institutes on a machine share
    processes.py      starts servers, and ends them with all their children
    postgres.py       a PostgreSQL, in a folder of its own
    switched.py       the base of all servers: a context manager

``Institute`` below has cluster, KVM host, mail server, days and site file in one folder:

    with Institute(tmp_path) as institute:
        supim.write_day(institute.source, OrdinalDay.parse("2026-268"))
        institute.write_site_file(datasets={"supim": {"lookback_days": 3}})
        with LocalAirflow(tmp_path / "airflow", env=institute.airflow_env()) as airflow:
            ...
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from tests.site.kvm_host import STATE, KvmHost
from tests.site.smtp import MailServer
from tests.site.sshd import SshServer
from tests.site.switched import Switched

__all__ = ["RECIPIENT", "ZONE", "Institute", "KvmHost", "MailServer", "SshServer"]

RECIPIENT = "backup@institute.example"
USER = "admin"  # of the stand-in Airflow
ZONE = ZoneInfo("America/Sao_Paulo")


@dataclass
class Institute(Switched):
    """The institute's servers that the backup uses; a context manager.

    Args:
        root: the folder of everything. Keys and ports from an earlier start are used again.
        vms: whether it also has a KVM host, which needs root.
        usual: keys of every site file, merged into ``usual_site``.

    ``vault`` is the path in the site file; the vault itself isn't created.
    """

    root: Path
    vms: bool = False
    usual: Mapping[str, Any] = field(default_factory=dict)
    cluster: SshServer = field(init=False)
    kvm_host: KvmHost = field(init=False)
    mail: MailServer = field(init=False)
    source: Path = field(init=False)
    vault: Path = field(init=False)
    site_file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.cluster = SshServer(self.root / "cluster")
        self.kvm_host = KvmHost(self.root / "kvm")
        self.mail = MailServer(self.root / "mail")
        self.source = self.root / "source"
        self.vault = self.root / "vault"
        self.site_file = self.root / "site.yaml"
        self._running = ExitStack()

    def start(self) -> None:
        """Start the servers, and write a site file if there is none yet."""
        self.source.mkdir(parents=True, exist_ok=True)
        with ExitStack() as starting:
            starting.enter_context(self.cluster)
            starting.enter_context(self.mail)
            if self.vms:
                starting.enter_context(self.kvm_host)
            self._running = starting.pop_all()
        if not self.site_file.exists():
            self.write_site_file(self.site_file)

    def stop(self) -> None:
        """Stop the servers; do nothing if they don't run."""
        self._running.close()

    def beside(self, name: str, *, vms: bool) -> "Institute":
        """Return an institute with the same servers and site file, but a source and vault of its own."""
        other = Institute(self.root / name, vms, self.usual)
        other.cluster, other.kvm_host, other.mail = self.cluster, self.kvm_host, self.mail
        other.site_file = self.site_file
        other.source.mkdir(parents=True, exist_ok=True)
        return other

    def write_site_file(self, path: Path | None = None, **overrides: object) -> Path:
        """Write this institute's site file, for ``airflow_env`` to name.

        Args:
            path: the file; ``site.yaml`` in the root if not given.
            **overrides: sections to merge in: ``scrub={"max_age_days": 3}``.
        """
        self.site_file = (path or self.root / "site.yaml").resolve()
        content = _merged(_merged(self.usual_site(), self.usual), overrides)
        self.site_file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
        return self.site_file

    def airflow_env(self) -> dict[str, str]:
        """Return the environment that connects an Airflow to this institute."""
        vms = {"AIRFLOW_CONN_KVM_HOST": json.dumps(self.kvm_host.connection)} if self.vms else {}
        return vms | {
            "AIRFLOW_CONN_SUPIM_CLUSTER": json.dumps(self.cluster.connection),
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(self.mail.connection),
            "INPE_BACKUP_SITE": str(self.site_file),
        }

    def usual_site(self) -> dict[str, Any]:
        """Return the site file's content: as at a real site, but with short waits."""
        return {
            "institute": {"name": "Stand-in institute", "timezone": ZONE.key},
            "mail": {"to": [RECIPIENT], "users": {USER: RECIPIENT}, "when": {"days": "always"}},
            "vaults": {"main": {"path": str(self.vault), "reserve": "64MiB"}},
            "datasets": {
                "supim": {
                    "schedule": "30 6 * * *",
                    "lag_days": 2,
                    "lookback_days": 30,
                    "poke_interval_s": 5,
                    "timeout_s": 20,
                    "source": {
                        "ssh_conn_id": "supim_cluster",
                        "root": str(self.source),
                        "folder": "{year}/{day:03d}",
                    },
                },
            },
            "vms": {
                "schedule": "0 2 * * 0",
                "retry_delay_s": 2,
                "hosts": [{"vms": ["maq*"], "state": STATE}] if self.vms else [],
                "shutdown_timeout_s": 30,
                "watchdog_s": 150,
                "downtime_budget_s": 10,
            },
        }


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` merged in, section by section."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result
