"""The demo of ``vm_boot_test``: boots a VM from its new image, and mails a screenshot."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.site import Institute
from tests.site.airflow import LocalAirflow
from tests.site.demo_terminal import shown

DAG = "vm_boot_test"
VM = "maq1"
CHECKS = {"checks": {"serial": "guest: ready"}, "timeout_s": 120}
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class BootTestDemo:
    """Runs ``vm_boot_test``; without root there is no KVM host, and it does nothing.

    Args:
        institute: the institute, with or without a KVM host.
        log: takes a line of progress.
    """

    institute: Institute
    log: Callable[[str], None]

    def boot_vm(self, airflow: LocalAirflow) -> list[str]:
        """Run the DAG for a VM and report it; return the problems."""
        if not self.institute.vms:
            return []
        airflow.unpause(DAG)
        self.log(f"Running {DAG} for {VM}.")
        run_id = airflow.trigger(DAG, conf={"vm": VM})["dag_run_id"]
        run = airflow.wait_for_run(DAG, run_id, _PATIENCE_S)
        return list(self._report(run["state"], f"{airflow.logs}/dag_id={DAG}/run_id={run_id}/"))

    def _report(self, state: str, logs: str) -> Iterator[str]:
        mail = [mail for mail in self.institute.mail.mails() if " BOOT TEST " in mail["Subject"]][-1]
        pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        self.log(f"  mail: {mail['Subject']}")
        for path in sorted((self.institute.vault / "vm" / VM).glob("*.png")):
            self.log(f"The screenshot of {VM}, booted from its image: {shown(path)}")
        if state != "success":
            yield f"{DAG} is {state}, not success: {logs}"
        if not pictures:
            yield f"The mail of {DAG} has no screenshot."
