"""The demo's drill: the machine that was just imaged is booted from its image, and its screen is mailed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.site import Institute
from tests.site.airflow import LocalAirflow

DAG = "drill_machines"
MACHINE = "maq1"
PROOF = {"proof": {"serial": "guest: ready"}, "timeout_s": 120}
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class DrillDemo:
    """The drill's part of the demo; without root there is no KVM host, and nothing to boot on.

    Args:
        institute: with its KVM host, or without.
        say: told what happens.
    """

    institute: Institute
    say: Callable[[str], None]

    def boot_and_tell(self, airflow: LocalAirflow) -> list[str]:
        """Run the DAG for one machine; tell what came of it, and give what went wrong."""
        if not self.institute.machines:
            return []
        airflow.unpause(DAG)
        self.say(f"Running {DAG} for {MACHINE}.")
        run_id = airflow.trigger(DAG, conf={"machine": MACHINE})["dag_run_id"]
        run = airflow.wait_for_run(DAG, run_id, _PATIENCE_S)
        return list(self._told(run["state"], f"{airflow.logs}/dag_id={DAG}/run_id={run_id}/"))

    def _told(self, state: str, logs: str) -> Iterator[str]:
        mail = [mail for mail in self.institute.mail.mails() if " DRILL " in mail["Subject"]][-1]
        pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        self.say(f"Its mail: {mail['Subject']}")
        for path in sorted((self.institute.vault / "vm" / MACHINE).glob("*.png")):
            self.say(f"The screen of {MACHINE}, as it booted from its image: {path}")
        if state != "success":
            yield f"{DAG} is {state}, not success: {logs}"
        if not pictures:
            yield f"The mail of {DAG} has no picture of the screen."
