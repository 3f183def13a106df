"""A schedule of days: each run belongs to one day and carries it as partition key, ``2026-268``.

Airflow's own CronPartitionTimetable walks from tick to tick and derives the partition from the tick. Here
it's the other way round: the schedule walks from day to day, and each day has one moment at which it's due.
So a scheduled run, a backfill and a manual run agree on what a day's run is, and no day comes twice, whatever
clocks were changed, and whatever was backfilled or reconfigured in between.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Self

from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.sdk.timezone import utcnow
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import DateTime

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from inpe_backup.run_day import day_at

_DAILY = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) \* \* \*")


class OrdinalDayTimetable(CronPartitionTimetable):
    """Once a day, for the day ``lag_days`` before.

    Args:
        cron: minute and hour, then three stars: ``30 6 * * *``.
        timezone: the zone of ``cron`` and of the days, for example ``America/Sao_Paulo``.
        lag_days: how many days a run's day lies before the date on which it's due; 0 or more.

    Raises:
        AirflowTimetableInvalid: another ``cron``, or a negative lag.
    """

    def __init__(self, cron: str, *, timezone: str, lag_days: int) -> None:
        super().__init__(cron, timezone=timezone)
        if lag_days < 0:
            raise AirflowTimetableInvalid(
                f"lag_days is {lag_days}, but a day can't be secured before it's over."
            )
        self._at = _time_of_day(self._expression)
        self._lag_days = lag_days
        self.description = f"{self.description}, {timezone} time, for the day {lag_days} days before"

    def serialize(self) -> dict[str, Any]:
        """Give what ``deserialize`` needs, as JSON: Airflow stores it with the DAG."""
        return {"cron": self._expression, "timezone": self._timezone.name, "lag_days": self._lag_days}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """Make the timetable that ``serialize`` described."""
        return cls(**data)

    @property
    def summary(self) -> str:
        """What the DAG's header shows, for example ``30 6 * * * (day - 2)``."""
        return f"{self._expression} (day - {self._lag_days})"

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Give the run after the last one: of the next day or, without catch-up, of the newest day due."""
        info = self._info(max(self._candidates(last_dagrun_info, restriction)))
        if restriction.latest is not None and restriction.latest < info.run_after:
            return None
        return info

    def _candidates(self, last: DagRunInfo | None, restriction: TimeRestriction) -> Iterator[OrdinalDay]:
        newest = self._newest_due(utcnow())
        if last is not None and last.partition_date is not None:
            # From its day, not from its run_after: the latter may stem from another cron, lag or timetable.
            yield day_at(last.partition_date, zone=self._timezone, lag_days=0) + 1
        elif restriction.earliest is None:
            yield newest + 1
        if not restriction.catchup:
            yield newest
        if restriction.earliest is not None:
            yield self._newest_due(restriction.earliest - timedelta.resolution) + 1

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterator[DagRunInfo]:
        """Give the runs of a backfill: every day of the range, both ends included, as far as it's due.

        The bounds mean days. Dates picked in the web form arrive as midnights of the viewer's zone, those of
        the command line as midnights of UTC; the last day comes as its first moment or as its last.
        """
        now = utcnow()
        # Nothing later is due, and year 9999, which some write for "no end", can't be rounded up.
        day, last = self._days_meant(earliest, min(latest, now + timedelta(days=3)))
        while day <= last and self._due(day) <= now:
            yield self._info(day)
            day += 1

    def _days_meant(self, earliest: datetime, latest: datetime) -> tuple[OrdinalDay, OrdinalDay]:
        first = day_at(earliest, zone=self._timezone, lag_days=0)
        if earliest == self._midnight(first):  # written on the institute's clock: no need to guess
            return first, day_at(latest, zone=self._timezone, lag_days=0)
        return _day_of_midnight(earliest), _last_day_meant(latest)

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            return self._midnight(OrdinalDay.parse(partition_key))
        except InvalidDayError as wrong:
            raise InvalidPartitionKeyError(str(wrong)) from wrong

    def _info(self, day: OrdinalDay) -> DagRunInfo:
        # The one place that says what a day's run is. A backfill finds existing runs by partition_date.
        return DagRunInfo(
            run_after=self._due(day),
            data_interval=None,
            partition_date=self._midnight(day),
            partition_key=str(day),
        )

    def _due(self, day: OrdinalDay) -> DateTime:
        return self._instant(day + self._lag_days, self._at)

    def _midnight(self, day: OrdinalDay) -> DateTime:
        return self._instant(day, time.min)

    def _instant(self, day: OrdinalDay, at: time) -> DateTime:
        # Where clocks skip this time, it's as much later as they skip; where they repeat it, the second one.
        return self.localize_partition_datetime(datetime.combine(day.date, at))

    def _newest_due(self, moment: datetime) -> OrdinalDay:
        day = day_at(moment, zone=self._timezone, lag_days=self._lag_days)
        while self._due(day) > moment:
            day -= 1
        return day


def _time_of_day(cron: str) -> time:
    written = _DAILY.fullmatch(" ".join(cron.split()))
    try:
        if written:
            return time(int(written[2]), int(written[1]))
    except ValueError:
        pass  # 24:00 or 6:60; the sentence below fits these too
    raise AirflowTimetableInvalid(
        f"{cron!r} doesn't fire exactly once a day. Write the minute and the hour, then three stars, "
        "for example 30 6 * * * for half past six."
    )


def _day_of_midnight(moment: datetime) -> OrdinalDay:
    # Somebody's midnight, in a zone within 12 hours of UTC: the midnight of UTC nearest to it has its date.
    return OrdinalDay.of(moment.astimezone(UTC) + timedelta(hours=12))


def _last_day_meant(latest: datetime) -> OrdinalDay:
    # 23:59 or 23:59:59.999 somewhere: zones differ by whole quarters of an hour.
    ends_a_day = latest.minute % 15 == 14  # noqa: PLR2004 - the last minute of a quarter
    return _day_of_midnight(latest + timedelta(minutes=1)) - 1 if ends_a_day else _day_of_midnight(latest)
