"""Drives ``vm_weekly`` on a KVM host with real VMs."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Self

import pytest

from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from tests.dags import Run
from tests.include.agent.agent_on_host import Agent, host_fault
from tests.one_airflow import OneAirflow
from tests.site import Institute, KvmHost
from tests.site.airflow import LocalAirflow

DAG = "vm_weekly"
VMS = ("maq1", "maq2", "maq3")
RUNNING = ("maq1", "maq3")
USUAL = ("maq1", "maq2")
"""The VMs that a run backs up, unless a test changes the site file."""
IGNORES_SHUTDOWN = {"vms": "maq3", "on_timeout": "destroy", "shutdown_timeout_s": 1}
"""The override for the guest that ignores the power button."""


@dataclass(frozen=True)
class Weekly:
    """Drives ``vm_weekly``: ``maq1`` runs, ``maq2`` is off, ``maq3`` runs and ignores the power button."""

    institute: Institute
    airflow: LocalAirflow
    all_imaged: list[Run] = field(default_factory=list)

    @classmethod
    @cache
    def on(cls, one: OneAirflow) -> Self:
        """Return one for a part of the institute; create that part's vault and VMs if there are none."""
        institute = one.institute_for("weekly", vms=True)
        work = cls(institute, one.airflow)
        if not institute.vault.exists():
            Vault.create(institute.vault)
            work.make_vms()
        return work

    def repair(self, test: pytest.Item) -> None:
        """Renew the host if a test broke it or its VMs, and note that in the next test's report."""
        if wrong := self._wrong():
            test.add_report_section("setup", "renewed", f"An earlier test broke the KVM host: {wrong}")
            self.host.stop()
            self.host.forget()
            self.host.start()
            self.make_vms()
            self.__dict__.pop("agent", None)  # it's gone from the host

    def _wrong(self) -> str:
        try:
            return host_fault(self.host, RUNNING)
        except subprocess.CalledProcessError as broken:
            return f"{broken}: {broken.stderr}"

    @property
    def host(self) -> KvmHost:
        """The KVM host."""
        return self.institute.kvm_host

    @cached_property
    def agent(self) -> Agent:
        """The agent on the host, called as a person there would."""
        return Agent(self.host)

    def make_vms(self) -> None:
        """Define the VMs, and start those in ``RUNNING``."""
        self.host.define("maq1", {"vda": "raw", "vdb": "qcow2"})
        self.host.define("maq2", {"vda": "qcow2"})
        self.host.define_small("maq3", {"vda": "raw"}, stubborn=True)
        for vm in RUNNING:
            self.host.boot(vm)

    def generations(self, vm: str) -> list[PublishedVm]:
        """Return the generations of a VM in the vault, oldest first."""
        return VmArchive(Vault.open(self.institute.vault)).of(vm)

    def states(self) -> dict[str, str]:
        """Return the state of each VM."""
        return {vm: self.host.state(vm) for vm in VMS}

    def boots(self, vm: str) -> str:
        """Wait until a VM is up; return its console output and a boot count, which differ after each boot."""
        count = self.host.boots(vm)
        output = " ".join(self.host.console(vm).split())  # the last newline may come a moment later
        return f"{output} {count}"

    def start(self, **params: object) -> Run:
        """Trigger a run by hand."""
        for vm in RUNNING:
            self.boots(vm)  # a guest that still boots ignores the power button
        return Run(self.airflow, self.institute, self.airflow.trigger(DAG, conf=params)["dag_run_id"], DAG)

    def run(self, **params: object) -> Run:
        """Trigger a run and wait until it's over."""
        run = self.start(**params)
        run.end(patience_s=180)
        return run

    def wait_until_idle(self) -> None:
        """Wait until no run is active: another one would only queue behind it."""
        for run in self.runs():
            run.end(patience_s=180)

    def images(self) -> dict[str, PublishedVm]:
        """Return the newest image of each VM in ``USUAL``; back them up if they have none."""
        if not all(self.generations(vm) for vm in USUAL):
            self.run_all()
        return {vm: self.generations(vm)[-1] for vm in USUAL}

    def run_all(self) -> Run:
        """Back up all VMs, and remember the run, which takes longest: another test needn't repeat it."""
        with self.site_file(hosts=self.hosts()):
            self.all_imaged.append(self.run())
        return self.all_imaged[-1]

    def delete_images(self) -> None:
        """Delete all images from the vault, so that the next backup transfers everything."""
        shutil.rmtree(self.institute.vault / "vm", ignore_errors=True)

    def runs(self) -> list[Run]:
        """Return all runs, oldest first."""
        return [Run(self.airflow, self.institute, run["dag_run_id"], DAG) for run in self.airflow.runs(DAG)]

    def leftovers(self) -> list[str]:
        """Return what should be gone after a run, on the host and in the vault."""
        staging = self.institute.vault / ".staging" / "vm"
        return [*self.agent.left_behind(), *(str(path) for path in staging.glob("*/*"))]

    def write_site_file(
        self,
        vaults: Mapping[str, object] | None = None,
        boot_test: Mapping[str, object] | None = None,
        **vms: object,
    ) -> None:
        """Write the site file with some keys changed; every task reads it when it starts."""
        target = self.institute.site_file
        usual = {"overrides": [IGNORES_SHUTDOWN], "downtime_budget_s": 60, "hosts": self.hosts(vms=USUAL)}
        usual["keep"] = {"last": 0}  # or no test would see a removal within its week
        written = self.institute.write_site_file(
            target.with_suffix(".new"), vaults=vaults or {}, boot_test=boot_test or {}, vms={**usual, **vms}
        )
        written.replace(target)  # in one step: no task reads half of it
        self.institute.site_file = target

    @contextmanager
    def site_file(
        self,
        vaults: Mapping[str, object] | None = None,
        boot_test: Mapping[str, object] | None = None,
        **vms: object,
    ) -> Iterator[None]:
        """Change the site file for a block."""
        self.write_site_file(vaults, boot_test, **vms)
        try:
            yield
        finally:
            self.write_site_file()

    def hosts(self, **changed: object) -> list[dict[str, Any]]:
        """Return the site file's only host, with some keys changed."""
        [host] = json.loads(json.dumps(self.institute.usual_site()["vms"]["hosts"]))
        return [{**host, **changed}]
