"""Registers what this project adds to Airflow, and no more: every Airflow process imports this file."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from inpe_backup import (
    backfill_report,
    form_checks,
    marked_failed,
    report_again,
    row_labels,
    run_note,
    run_partition,
)
from inpe_backup.cron_timetable import ZonedCronTimetable
from inpe_backup.timetable import OrdinalDayTimetable

form_checks.register()


class InpeBackupPlugin(AirflowPlugin):
    """The project's additions to Airflow."""

    name = "inpe_backup"
    timetables = [OrdinalDayTimetable, ZonedCronTimetable]  # noqa: RUF012 - as the base class declares it
    listeners = [  # noqa: RUF012 - the same
        run_note,
        run_partition,
        row_labels,
        backfill_report,
        report_again,
        marked_failed,
    ]
    external_views = [  # noqa: RUF012 - as above
        {
            "name": "Backups",
            "href": "backups/",  # relative: Airflow may be served below a path
            "url_route": "backups",
            "destination": "nav",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override] # only the api-server reads it
        """The status page's app, imported late: no other process needs it."""
        from inpe_backup.ui.app import URL_PREFIX, create_app  # noqa: PLC0415 - see above

        return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "INPE backup"}]
