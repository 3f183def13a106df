"""The demo's restore: a day of the vault is brought back into a folder of this machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from include.ordinal_day import OrdinalDay
from tests.site import Institute
from tests.site.airflow import LocalAirflow

DAG = "restore_day"
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class RestoreDemo:
    """The restore's part of the demo.

    Args:
        institute: with a vault that holds the day.
        say: told what happens.
    """

    institute: Institute
    say: Callable[[str], None]

    def restore_and_tell(self, airflow: LocalAirflow, day: OrdinalDay) -> Iterator[str]:
        """Run the DAG for one day; tell what came of it, and give what went wrong."""
        into = self.institute.root / "restored"
        airflow.unpause(DAG)
        self.say(f"Running {DAG} for {day}.")
        asked = {"day": str(day), "folder": str(into)}
        run_id = airflow.trigger(DAG, conf=asked)["dag_run_id"]
        run = airflow.wait_for_run(DAG, run_id, _PATIENCE_S)
        subjects = [str(mail["Subject"]) for mail in self.institute.mail.mails()]
        self.say(f"Its mail: {[subject for subject in subjects if ' RESTORE ' in subject][-1]}")
        restored = into / f"{day.year:04d}" / f"{day.number:03d}"
        if run["state"] != "success":
            yield f"{DAG} is {run['state']}, not success: {airflow.logs}/dag_id={DAG}/run_id={run_id}/"
        if not restored.is_dir():
            yield f"{day} isn't back: {restored} is missing."
        else:
            self.say(f"{day} is back, proven: {restored}")
