"""Tells Airflow what this project adds to it. It only registers: every Airflow process imports this file."""

from airflow.plugins_manager import AirflowPlugin

from inpe_backup import run_note
from inpe_backup.timetable import OrdinalDayTimetable


class InpeBackupPlugin(AirflowPlugin):
    """The project's additions to Airflow."""

    name = "inpe_backup"
    timetables = [OrdinalDayTimetable]  # noqa: RUF012 - as the base class declares it
    listeners = [run_note]  # noqa: RUF012 - the same
