"""A schedule of days: each run belongs to one day and carries it as partition key, ``2026-268``.

Airflow's CronPartitionTimetable goes from tick to tick and derives the partition from the tick. This one goes
from day to day, and derives from each day the moment at which it's due. So a scheduled run, a backfill and a
manual run of a day agree, and no day is run twice by the schedule, even if the clock, the cron line or the
lag changed or days were backfilled in between.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Self

from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.sdk.timezone import utcnow
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import DateTime

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay, require_begun
from inpe_backup.run_day import day_at, day_of_run

_DAILY = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) \* \* \*")


class OrdinalDayTimetable(CronPartitionTimetable):
    """A run once a day, for the day ``lag_days`` before.

    Args:
        cron: minute, hour, and three stars: ``30 6 * * *``.
        timezone: the time zone of ``cron`` and of the days, for example ``America/Sao_Paulo``.
        lag_days: how many days a run's day lies before the date on which it's due; 0 or more.

    Raises:
        AirflowTimetableInvalid: ``cron`` isn't once a day, or ``lag_days`` is negative.
    """

    def __init__(self, cron: str, *, timezone: str, lag_days: int) -> None:
        super().__init__(cron, timezone=timezone)
        if lag_days < 0:
            raise AirflowTimetableInvalid(
                f"lag_days is {lag_days}; it must be 0 or more: a day can't be backed up before it's over."
            )
        self._at = _time_of_day(self._expression)
        self._lag_days = lag_days
        self.description = f"{self.description}, {timezone} time, for the day {lag_days} days before"

    def serialize(self) -> dict[str, Any]:
        """Return what ``deserialize`` needs, as JSON: Airflow stores it with the DAG."""
        return {"cron": self._expression, "timezone": self._timezone.name, "lag_days": self._lag_days}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """Return the timetable that ``serialize`` described."""
        return cls(**data)

    @property
    def summary(self) -> str:
        """The schedule as the DAG's header shows it: ``30 6 * * * America/Sao_Paulo (day - 2)``."""
        return f"{self._expression} {self._timezone.name} (day - {self._lag_days})"

    def day_of(self, run: Mapping[str, Any]) -> OrdinalDay:
        """Return the day of a run, described as for :func:`day_of_run`."""
        return day_of_run(run, timezone=self._timezone.name, lag_days=self._lag_days)

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next run: of the day after the last one's; without catch-up, of the newest day due."""
        info = self._info(max(self._candidates(last_dagrun_info, restriction)))
        if restriction.latest is not None and restriction.latest < info.run_after:
            return None
        return info

    def _candidates(self, last: DagRunInfo | None, restriction: TimeRestriction) -> Iterator[OrdinalDay]:
        newest = self._newest_due(utcnow())
        if last is not None and last.partition_date is not None:
            # From its day, not its run_after, which may come from another cron line, lag or timetable.
            yield day_at(last.partition_date, zone=self._timezone, lag_days=0) + 1
        elif restriction.earliest is None:
            yield newest + 1
        if not restriction.catchup:
            yield newest
        if restriction.earliest is not None:
            yield self._newest_due(restriction.earliest - timedelta.resolution) + 1

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterator[DagRunInfo]:
        """Yield the runs of a backfill: each day of the range, both ends included, that is due by now.

        The bounds stand for days. Dates from the web form arrive as midnight in the viewer's zone, those of
        the command line as midnight UTC; the last day arrives as its first moment or its last.
        """
        now = utcnow()
        # Nothing later is due; and the year 9999, which some enter for "no end", can't be rounded up.
        day, last = self._day_range(earliest, min(latest, now + timedelta(days=3)))
        while day <= last and self._due(day) <= now:
            yield self._info(day)
            day += 1

    def _day_range(self, earliest: datetime, latest: datetime) -> tuple[OrdinalDay, OrdinalDay]:
        first = day_at(earliest, zone=self._timezone, lag_days=0)
        if earliest == self._midnight(first):  # given in the institute's zone: no need to guess
            return first, day_at(latest, zone=self._timezone, lag_days=0)
        return _day_of_midnight(earliest), _last_day(latest)

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            day = OrdinalDay.parse(partition_key)
            require_begun(day, day_at(utcnow(), zone=self._timezone, lag_days=0))
            return self._midnight(day)
        except InvalidDayError as wrong:
            raise InvalidPartitionKeyError(str(wrong)) from wrong

    def _info(self, day: OrdinalDay) -> DagRunInfo:
        # The only place that defines a day's run. A backfill finds existing runs by partition_date.
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
        # A time that the clock skips is later by the skip; of one that it repeats, the second counts.
        return self.localize_partition_datetime(datetime.combine(day.date, at))

    def _newest_due(self, moment: datetime) -> OrdinalDay:
        day = day_at(moment, zone=self._timezone, lag_days=self._lag_days)
        while self._due(day) > moment:
            day -= 1
        return day


def _time_of_day(cron: str) -> time:
    match = _DAILY.fullmatch(" ".join(cron.split()))
    try:
        if match:
            return time(int(match[2]), int(match[1]))
    except ValueError:
        pass  # 24:00 or 6:60: the message below fits, too
    raise AirflowTimetableInvalid(
        f"{cron!r} doesn't fire exactly once a day. Write the minute and the hour, then three stars, "
        "for example 30 6 * * * for half past six."
    )


def _day_of_midnight(moment: datetime) -> OrdinalDay:
    # A midnight in a zone within 12 hours of UTC: the nearest midnight UTC has the same date.
    return OrdinalDay.of(moment.astimezone(UTC) + timedelta(hours=12))


def _last_day(latest: datetime) -> OrdinalDay:
    # 23:59 or 23:59:59.999 in some zone; zones differ by whole quarters of an hour.
    ends_a_day = latest.minute % 15 == 14  # noqa: PLR2004 - the last minute of a quarter
    return _day_of_midnight(latest + timedelta(minutes=1)) - 1 if ends_a_day else _day_of_midnight(latest)
