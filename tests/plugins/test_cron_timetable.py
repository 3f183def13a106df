"""A schedule's text carries its zone, wherever Airflow shows it."""

from include.config import site_file
from inpe_backup.cron_timetable import ZonedCronTimetable
from inpe_backup.dag_defaults import cron_schedule


def test_a_weekly_schedule_says_its_zone() -> None:
    """In the DAG's header and its tooltip, also as the API server reads it from the database."""
    schedule = cron_schedule(site_file.load(site_file.DEFAULT_PATH), "0 2 * * 0")
    for shown in (schedule, ZonedCronTimetable.deserialize(schedule.serialize())):
        assert shown.summary == "0 2 * * 0 America/Sao_Paulo"
        assert shown.description == "At 02:00, only on Sunday, America/Sao_Paulo time"
