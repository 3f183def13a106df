"""The stand-in institute: real parts in the roles of the institute's, on one machine, for tests and the demo.

    supim.py          SUPIM days in the real format, from a few KB to the real grid
    sshd.py           the cluster: an OpenSSH server with its own keys
    kvm_host.py       a KVM host: libvirtd and guests, apart from this machine's; guests.py is what they boot
    smtp.py           the mail server, which keeps what it gets
    airflow.py        a complete local Airflow on this project's DAGs; airflow_api.py is its REST side
    browser.py        Chromium, logged in to it as its admin or as a viewer
    demo.py           all of it together, for people: ``make demo``
    processes.py      how servers are started and, with all their children, ended
    switched.py       what each of them has of a context manager

``Institute`` below ties cluster, KVM host, mail server, days and site file together under one folder:

    with Institute(tmp_path) as institute:
        supim.write_day(institute.source, OrdinalDay.parse("2026-268"))
        institute.write_site_file(supim={"look_back": 3})
        with LocalAirflow(tmp_path / "airflow", env=institute.airflow_env()) as airflow:
            ...
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.site.kvm_host import STATE, KvmHost
from tests.site.smtp import MailServer
from tests.site.sshd import SshServer
from tests.site.switched import Switched

__all__ = ["RECIPIENT", "Institute", "KvmHost", "MailServer", "SshServer"]

RECIPIENT = "backup@institute.example"


@dataclass
class Institute(Switched):
    """The institute's machines, as far as the backup meets them; a context manager.

    Args:
        root: the folder that everything lies in. Keys and ports found there are used again.
        machines: whether it has a KVM host, too, which needs root.

    ``vault`` is where the site file says the vault is; whoever wants one makes it there.
    """

    root: Path
    machines: bool = False
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
            if self.machines:
                starting.enter_context(self.kvm_host)
            self._running = starting.pop_all()
        if not self.site_file.exists():
            self.write_site_file(self.site_file)

    def stop(self) -> None:
        """Stop them; harmless when they don't run."""
        self._running.close()

    def write_site_file(self, path: Path | None = None, **overrides: object) -> Path:
        """Write a site file that fits this institute, and make it the one of ``airflow_env``.

        Args:
            path: where to; ``site.yaml`` in the root if not given.
            **overrides: sections, merged into the institute's own: ``supim={"lag_days": 3}``.
        """
        self.site_file = (path or self.root / "site.yaml").resolve()
        content = _merged(self.usual_site(), overrides)
        self.site_file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
        return self.site_file

    def airflow_env(self) -> dict[str, str]:
        """Give the variables that make an Airflow know this institute."""
        machines = {"AIRFLOW_CONN_KVM_HOST": json.dumps(self.kvm_host.connection)} if self.machines else {}
        return machines | {
            "AIRFLOW_CONN_SUPIM_CLUSTER": json.dumps(self.cluster.connection),
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(self.mail.connection),
            "INPE_BACKUP_SITE": str(self.site_file),
        }

    def usual_site(self) -> dict[str, Any]:
        """Give the site file's content: as at a real site, but with a demo's patience."""
        return {
            "institute": {"name": "Stand-in institute", "timezone": "America/Sao_Paulo"},
            "mail": {"to": [RECIPIENT]},
            "vault": {"path": str(self.vault), "reserve": "64MiB"},
            "supim": {
                "schedule": "30 6 * * *",
                "lag_days": 2,
                "look_back": 30,
                "recheck_s": 5,
                "give_up_after_s": 20,
                "steps_per_day": 24,
                "source": {
                    "connection": "supim_cluster",
                    "root": str(self.source),
                    "folder": "{year}/{day:03d}",
                },
            },
            "machines": {
                "schedule": "0 2 * * 0",
                "retry_delay_s": 2,
                "hosts": [{"machines": ["maq*"], "state": STATE}] if self.machines else [],
                "shutdown_timeout_s": 30,
                "lease_s": 150,
                "downtime_budget_s": 10,
            },
        }


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give ``base`` with ``changes`` laid over it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result
