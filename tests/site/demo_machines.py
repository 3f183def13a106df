"""The demo's virtual machines: one that runs, one that is off, and one that ignores its power button."""

from collections.abc import Callable
from dataclasses import dataclass

from include.machines.generation import Generations, PublishedGeneration
from include.vault import Vault
from include.wording import duration, size
from tests.site import Institute
from tests.site.airflow import LocalAirflow

DAG = "vm_weekly"
MACHINES = {"maq1": {"vda": "raw", "vdb": "qcow2"}, "maq2": {"vda": "qcow2"}, "maq3": {"vda": "raw"}}
RUNNING, STUBBORN = ("maq1", "maq3"), "maq3"
DEAF = {"machines": STUBBORN, "on_timeout": "destroy", "shutdown_timeout_s": 3}
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class WeeklyDemo:
    """The weekly DAG's part of the demo; without root there is no KVM host, and nothing to show.

    Args:
        institute: with its KVM host, or without.
        say: told what happens.
    """

    institute: Institute
    say: Callable[[str], None]

    def set_up(self) -> None:
        """Define the machines that aren't there yet, and start those that run."""
        if not self.institute.machines:
            self.say("No root, no KVM host: vm_weekly isn't shown. For that: sudo make demo")
            return
        host = self.institute.kvm_host
        defined = host.virsh("list", "--all", "--name").split()
        for machine, disks in MACHINES.items():
            if machine not in defined:
                host.define(machine, disks, stubborn=machine == STUBBORN)
            if machine in RUNNING and host.state(machine) != "running":
                host.boot(machine)
        self.say(
            f"The stand-in KVM host is up on port {host.ssh.port}; {' and '.join(RUNNING)} run, maq2 is off."
        )

    def image_and_tell(self, airflow: LocalAirflow) -> list[str]:
        """Run the DAG once; tell what came of it, and give what went wrong."""
        if not self.institute.machines:
            return []
        airflow.unpause(DAG)
        self.say(f"Running {DAG}.")
        run_id = airflow.trigger(DAG)["dag_run_id"]
        run = airflow.wait_for_run(DAG, run_id, _PATIENCE_S)
        self._tell_mail()
        newest = {machine: self._generations(machine)[-1:] for machine in MACHINES}
        for machine, found in newest.items():
            for generation in found:
                self._tell(machine, generation)
        problems = [f"{machine} has no image in the vault." for machine, found in newest.items() if not found]
        if run["state"] != "success":
            problems.append(
                f"{run_id} is {run['state']}, not success: {airflow.logs}/dag_id={DAG}/run_id={run_id}/"
            )
        return problems

    def _tell_mail(self) -> None:
        mail = [mail for mail in self.institute.mail.mails() if " VM " in mail["Subject"]][-1]
        body = mail.get_body(("plain",))
        self.say(f"--- its mail: {mail['Subject']}\n")
        print(body.get_content().rstrip() if body else "(it has no text part)", "\n")  # noqa: T201 - for people

    def _tell(self, machine: str, generation: PublishedGeneration) -> None:
        record = generation.record
        sent, seen = (sum(getattr(disk, key) for disk in record.disks) for key in ("sent_bytes", "bytes"))
        down = f"down for {duration(record.downtime_s)}" if record.downtime_s else "not stopped"
        self.say(f"{machine}: {down}; {size(seen)} imaged, {size(sent)} of it sent: {generation.folder}")

    def _generations(self, machine: str) -> list[PublishedGeneration]:
        return Generations(Vault.open(self.institute.vault)).of(machine)
