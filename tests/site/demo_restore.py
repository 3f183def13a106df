"""The demo of ``supim_restore``: restores a day to a folder of this machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from include.ordinal_day import OrdinalDay
from tests.site import Institute
from tests.site.airflow import LocalAirflow
from tests.site.demo_terminal import shown

DAG = "supim_restore"
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class RestoreDemo:
    """Runs ``supim_restore``.

    Args:
        institute: the institute, with the day in its vault.
        log: takes a line of progress.
    """

    institute: Institute
    log: Callable[[str], None]

    def restore_day(self, airflow: LocalAirflow, day: OrdinalDay) -> Iterator[str]:
        """Run the DAG for a day and report it; yield the problems."""
        into = self.institute.root / "restored"
        airflow.unpause(DAG)
        self.log(f"Running {DAG} for {day}.")
        form = {"day": str(day), "folder": str(into)}
        run_id = airflow.trigger(DAG, conf=form)["dag_run_id"]
        run = airflow.wait_for_run(DAG, run_id, _PATIENCE_S)
        subjects = [str(mail["Subject"]) for mail in self.institute.mail.mails()]
        self.log(f"Its mail: {[subject for subject in subjects if ' RESTORE ' in subject][-1]}")
        restored = into / f"{day.year:04d}" / f"{day.number:03d}"
        if run["state"] != "success":
            yield f"{DAG} is {run['state']}, not success: {airflow.logs}/dag_id={DAG}/run_id={run_id}/"
        if not restored.is_dir():
            yield f"{day} wasn't restored: {restored} is missing."
        else:
            self.log(f"{day} is restored and verified: {shown(restored)}")
