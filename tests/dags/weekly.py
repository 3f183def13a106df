"""The weekly DAG at work: a KVM host with real machines, and how a run is started."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from include.machines.generation import Generations, PublishedGeneration
from include.vault import Vault
from tests.dags import Run, await_
from tests.include.agent.on_host import Agent
from tests.site import Institute, KvmHost
from tests.site.airflow import LocalAirflow

DAG = "vm_weekly"
MACHINES = ("maq1", "maq2", "maq3")
USUAL = ("maq1", "maq2")
"""Those that runs image, unless a test says otherwise: each takes its turn."""
DEAF = {"machines": "maq3", "on_timeout": "destroy", "shutdown_timeout_s": 1}
"""How a guest is treated that ignores the power button."""


@dataclass(frozen=True)
class Weekly:
    """The weekly DAG at work: ``maq1`` runs, ``maq2`` is off, ``maq3`` runs and ignores the power button."""

    institute: Institute
    airflow: LocalAirflow

    @property
    def host(self) -> KvmHost:
        """Where the machines are."""
        return self.institute.kvm_host

    @cached_property
    def agent(self) -> Agent:
        """The agent there, as a person at the host calls it."""
        return Agent(self.host)

    def make_machines(self) -> None:
        """Define them, and start those that run."""
        self.host.define("maq1", {"vda": "raw", "vdb": "qcow2"})
        self.host.define("maq2", {"vda": "qcow2"})
        self.host.define("maq3", {"vda": "raw"}, stubborn=True)
        for machine in ("maq1", "maq3"):
            self.host.boot(machine)

    def generations(self, machine: str) -> list[PublishedGeneration]:
        """Give what the vault holds of a machine, oldest first."""
        return Generations(Vault.open(self.institute.vault)).of(machine)

    def states(self) -> dict[str, str]:
        """Give what each machine does."""
        return {machine: self.host.state(machine) for machine in MACHINES}

    def boots(self, machine: str) -> str:
        """Give what a machine said when it was up: another text after each boot."""
        await_(lambda: "guest: ready" in self.host.console(machine), f"{machine}, ready")
        return self.host.console(machine)

    def start(self, **params: object) -> Run:
        """Trigger a run by hand."""
        for machine in ("maq1", "maq3"):
            self.boots(machine)  # one that still boots doesn't hear the power button
        return Run(self.airflow, self.institute, self.airflow.trigger(DAG, conf=params)["dag_run_id"], DAG)

    def run(self, **params: object) -> Run:
        """Trigger a run and wait until it's over."""
        run = self.start(**params)
        run.end(patience_s=180)
        return run

    def rest(self) -> None:
        """Wait until no run is under way, whatever test left it: another one would only queue behind it."""
        for run in self.runs():
            run.end(patience_s=180)

    def images(self) -> dict[str, PublishedGeneration]:
        """Give the newest image of each of the usual machines; made, if there is none yet."""
        if not all(self.generations(machine) for machine in USUAL):
            self.run()
        return {machine: self.generations(machine)[-1] for machine in USUAL}

    def lose_images(self) -> None:
        """Have the vault without images, as a disk that was lost: the next ones come whole."""
        shutil.rmtree(self.institute.vault / "vm", ignore_errors=True)

    def runs(self) -> list[Run]:
        """Give all runs."""
        return [Run(self.airflow, self.institute, run["dag_run_id"], DAG) for run in self.airflow.runs(DAG)]

    def left_behind(self) -> list[str]:
        """Give what should be gone after a run: at the host, and in the vault."""
        staging = self.institute.vault / ".staging" / "vm"
        return [*self.agent.left_behind(), *(str(path) for path in staging.glob("*/*"))]

    def write_site_file(self, vault: Mapping[str, object] | None = None, **machines: object) -> None:
        """Write the site file, with some keys other than usual; every task reads it when it starts."""
        target = self.institute.site_file
        usual = {"special": [DEAF], "downtime_budget_s": 60, "hosts": self.hosts(machines=USUAL)}
        written = self.institute.write_site_file(
            target.with_suffix(".new"), vault=vault or {}, machines={**usual, **machines}
        )
        written.replace(target)  # in one step: no task reads half of it
        self.institute.site_file = target

    @contextmanager
    def site_file(self, vault: Mapping[str, object] | None = None, **machines: object) -> Iterator[None]:
        """Have another site file for a block."""
        self.write_site_file(vault, **machines)
        try:
            yield
        finally:
            self.write_site_file()

    def hosts(self, **changed: object) -> list[dict[str, Any]]:
        """Give the site file's hosts, with some keys of the only one changed."""
        [host] = json.loads(json.dumps(self.institute.usual_site()["machines"]["hosts"]))
        return [{**host, **changed}]
