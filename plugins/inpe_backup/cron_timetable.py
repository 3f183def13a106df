"""Airflow's cron schedule, whose text says in which time zone it is."""

from typing import Any

from airflow.timetables.trigger import CronTriggerTimetable


class ZonedCronTimetable(CronTriggerTimetable):
    """A run at each time of a cron line in a zone; Airflow's own shows the line without the zone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as its base class
        super().__init__(*args, **kwargs)
        self.description = f"{self.description}, {self._timezone.name} time"

    @property
    def summary(self) -> str:
        """The schedule as the DAG's header shows it: ``0 2 * * 0 America/Sao_Paulo``."""
        return f"{self._expression} {self._timezone.name}"
