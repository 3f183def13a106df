"""The demo of ``vm_weekly``: a VM that runs, one that is off, and one that ignores its power button.

The disks of the first lie on an XFS, where this machine can mount one: they are cloned, and the next run
reads only what has changed.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from include.text import duration, size
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.description import how_read
from tests.site import Institute, systemctl
from tests.site.airflow import LocalAirflow
from tests.site.demo_terminal import shown

DAG = "vm_weekly"
VMS = {"maq1": {"vda": "raw", "vdb": "raw"}, "maq2": {"vda": "qcow2"}, "maq3": {"vda": "raw"}}
CLONED = "maq1"
RUNNING, STUBBORN = ("maq1", "maq3"), "maq3"
IGNORES_SHUTDOWN = {"vms": STUBBORN, "on_timeout": "destroy", "shutdown_timeout_s": 3}
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class WeeklyDemo:
    """Runs ``vm_weekly``; without root there is no KVM host, and it does nothing.

    Args:
        institute: the institute, with or without a KVM host.
        log: takes a line of progress.
    """

    institute: Institute
    log: Callable[[str], None]

    def set_up(self) -> None:
        """Define missing VMs, that of ``CLONED`` on an XFS, and start those in ``RUNNING``."""
        if not self.institute.vms:
            self.log("No root, no KVM host: vm_weekly isn't shown. For that: sudo make demo")
            return
        host = self.institute.kvm_host
        if shutil.which("systemctl"):
            systemctl.install(host)
        defined = host.virsh("list", "--all", "--name").split()
        if CLONED not in defined:
            self._mount_xfs()
        for vm, disks in VMS.items():
            if vm not in defined:
                host.define(vm, disks, stubborn=vm == STUBBORN)
            if vm in RUNNING and host.state(vm) != "running":
                host.boot(vm)
        self.log(
            f"The stand-in KVM host is up on port {host.ssh.port}; {' and '.join(RUNNING)} run, maq2 is off."
        )

    def _mount_xfs(self) -> None:
        try:
            self.institute.kvm_host.mount_disks("xfs", vm=CLONED)
        except (OSError, subprocess.CalledProcessError) as failed:
            self.log(f"No XFS can be mounted here, so {CLONED} isn't cloned, but read over NBD. {failed}")

    def start(self, airflow: LocalAirflow) -> None:
        """Trigger the DAG."""
        if self.institute.vms:
            airflow.unpause(DAG)
            self.log(f"Running {DAG}.")
            airflow.trigger(DAG)

    def report(self, airflow: LocalAirflow) -> list[str]:
        """Wait for the run and report it; return the problems."""
        if not self.institute.vms:
            return []
        return self._report(airflow, airflow.runs(DAG)[-1]["dag_run_id"], list(VMS))

    def run_again(self, airflow: LocalAirflow) -> list[str]:
        """Back up one VM once more, and report it; return the problems."""
        if not self.institute.vms:
            return []
        self.log(f"Running {DAG} again, for {CLONED}.")
        run_id = airflow.trigger(DAG, conf={"vms": [CLONED]})["dag_run_id"]
        return self._report(airflow, run_id, [CLONED])

    def _report(self, airflow: LocalAirflow, run_id: str, vms: Sequence[str]) -> list[str]:
        run = airflow.wait_for_run(DAG, run_id, _PATIENCE_S)
        self._report_mail()
        newest = {vm: self._generations(vm)[-1:] for vm in vms}
        for vm, found in newest.items():
            for generation in found:
                self._report_vm(vm, generation)
        problems = [f"{vm} has no image in the vault." for vm, found in newest.items() if not found]
        if run["state"] != "success":
            problems.append(
                f"{run_id} is {run['state']}, not success: {airflow.logs}/dag_id={DAG}/run_id={run_id}/"
            )
        return problems

    def _report_mail(self) -> None:
        mail = [mail for mail in self.institute.mail.mails() if " VM " in mail["Subject"]][-1]
        self.log(f"  mail: {mail['Subject']}")

    def _report_vm(self, vm: str, generation: PublishedVm) -> None:
        record = generation.record
        sent, total = (sum(getattr(disk, key) for disk in record.disks) for key in ("sent_bytes", "bytes"))
        down = f"down for {duration(record.downtime_s)}" if record.downtime_s else "not stopped"
        self.log(
            f"{vm}: {down}; {size(total)} backed up, {size(sent)} of it sent: {shown(generation.folder)}"
        )
        if record.cloned and record.base:
            self.log(f"  {how_read(record)}")

    def _generations(self, vm: str) -> list[PublishedVm]:
        return VmArchive(Vault.open(self.institute.vault)).of(vm)
