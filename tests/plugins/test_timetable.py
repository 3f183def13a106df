"""The schedule of days: each day has one run, when it's due, with the day as its key."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.utils.types import DagRunType
from hypothesis import given
from hypothesis import strategies as st
from pendulum import DateTime

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from inpe_backup.timetable import OrdinalDayTimetable
from tests.plugins.timetables import CRONS, INSTITUTE, at, days, keys, moment, timetable

ZONES = (
    INSTITUTE,
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Asia/Beirut",
)
DAYS = st.dates(date(2000, 1, 1), date(2030, 12, 31))


def restriction(
    start: datetime | None = None, end: datetime | None = None, *, catchup: bool
) -> TimeRestriction:
    """Return a DAG's start, end and catch-up as a ``TimeRestriction``."""
    earliest, latest = (DateTime.instance(at) if at else None for at in (start, end))
    return TimeRestriction(earliest, latest, catchup)


def schedule(times: OrdinalDayTimetable, start: datetime, count: int) -> list[DagRunInfo]:
    """Return the first ``count`` runs of a DAG that catches up from ``start``."""
    runs: list[DagRunInfo] = []
    for _ in range(count):
        run = times.next_dagrun_info_v2(
            last_dagrun_info=runs[-1] if runs else None, restriction=restriction(start, catchup=True)
        )
        assert run is not None
        runs.append(run)
    return runs


def test_a_run_is_for_the_day_two_days_before() -> None:
    """Due at 06:30 in São Paulo on 27 September, it's for the 25th, the 268th day of 2026."""
    (run,) = schedule(timetable(), moment("2026-09-27 00:00"), 1)
    assert run.partition_key == "2026-268"
    assert run.run_after == moment("2026-09-27 06:30")
    assert run.partition_date == moment("2026-09-25 00:00")
    assert run.data_interval is None


def test_the_first_runs_of_january_are_for_the_old_year() -> None:
    """There is no 2027-000 or 2027-365, and a leap year has a day 366."""
    assert keys(schedule(timetable(), moment("2027-01-01 00:00"), 4)) == [
        "2026-364",
        "2026-365",
        "2027-001",
        "2027-002",
    ]
    assert keys(schedule(timetable(), moment("2029-01-01 00:00"), 3)) == ["2028-365", "2028-366", "2029-001"]


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize("zone", ZONES)
def test_every_day_has_one_run_across_clock_changes(zone: str, cron: str) -> None:
    """Over sixteen months: with the leap day of 2016, and clocks set back and forward."""
    runs = schedule(timetable(cron, zone=zone), moment("2015-09-01 12:00", zone), 490)
    first, last = (OrdinalDay.parse(keys(runs)[at]).date for at in (0, -1))
    assert keys(runs) == days(first, last)
    assert all(earlier.run_after < later.run_after for earlier, later in pairwise(runs))
    for run in runs:
        due, day = (at.astimezone(ZoneInfo(zone)).date() for at in (run.run_after, run.partition_date) if at)
        assert (str(OrdinalDay.of(day)), due - day) == (run.partition_key, timedelta(days=2))


def test_a_skipped_midnight_has_a_run() -> None:
    """On 4 November 2018 clocks in São Paulo went from 23:59 to 01:00."""
    runs = schedule(timetable("0 0 * * *", lag_days=0), moment("2018-11-03 00:00"), 3)
    assert keys(runs) == ["2018-307", "2018-308", "2018-309"]
    assert runs[1].run_after == runs[1].partition_date == moment("2018-11-04 01:00")


def test_a_repeated_time_has_one_run_at_its_second_occurrence() -> None:
    """On 18 February 2018 São Paulo's clocks went from 24:00 back to 23:00."""
    runs = schedule(timetable("30 23 * * *", lag_days=0), moment("2018-02-17 12:00"), 2)
    assert keys(runs) == ["2018-048", "2018-049"]
    assert runs[0].run_after == datetime(2018, 2, 18, 2, 30, tzinfo=UTC)


def test_after_an_outage_only_the_newest_day_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without catch-up; the DAG itself looks for older days."""
    (last,) = schedule(timetable(), moment("2026-09-01 00:00"), 1)
    at(moment("2026-09-27 06:29"), monkeypatch)
    run = timetable().next_dagrun_info_v2(last_dagrun_info=last, restriction=restriction(catchup=False))
    assert run
    assert run.partition_key == "2026-267"


def test_a_new_dag_begins_with_the_next_day_to_become_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a start date in the past, it begins with the newest day that is due."""
    at(moment("2026-09-27 12:00"), monkeypatch)
    begin = timetable().next_dagrun_info_v2
    anew = begin(last_dagrun_info=None, restriction=restriction(catchup=False))
    started = begin(last_dagrun_info=None, restriction=restriction(moment("2026-01-01 00:00"), catchup=False))
    assert anew
    assert started
    assert (anew.partition_key, started.partition_key) == ("2026-269", "2026-268")


def test_a_dag_has_no_run_before_its_start_nor_after_its_end() -> None:
    """Both limits are compared with when a run is due, and included."""
    bounds = restriction(moment("2026-09-27 06:30"), moment("2026-09-28 06:30"), catchup=True)
    times = timetable()
    runs: list[DagRunInfo] = []
    while run := times.next_dagrun_info_v2(last_dagrun_info=runs[-1] if runs else None, restriction=bounds):
        runs.append(run)
    assert keys(runs) == ["2026-268", "2026-269"]


@pytest.mark.parametrize(
    "changed",
    [timetable("0 8 * * *"), timetable("0 3 * * *"), timetable(lag_days=3), timetable(zone="Asia/Tokyo")],
    ids=["later", "earlier", "more lag", "another zone"],
)
def test_a_changed_schedule_does_not_repeat_a_day(
    changed: OrdinalDayTimetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day's run is done at 07:00; then the site file changes."""
    (done,) = schedule(timetable(), moment("2026-09-27 00:00"), 1)
    at(moment("2026-09-27 07:00"), monkeypatch)
    run = changed.next_dagrun_info_v2(last_dagrun_info=done, restriction=restriction(catchup=False))
    assert run
    assert run.partition_key == "2026-269"


@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.integers(-6, 6), st.integers(0, 6)), max_size=12),
    catchup=st.booleans(),
)
def test_no_day_has_two_runs_whatever_is_backfilled(
    steps: list[tuple[int, int, int]], *, catchup: bool
) -> None:
    """Each step lets hours pass, backfills days around now, and asks for scheduled runs.

    As Airflow 3.3 does, it passes the latest run by partition date, then by ``run_after``.
    """
    times, now = timetable(), moment("2026-09-27 05:00")
    bounds = restriction(moment("2026-09-20 00:00"), catchup=catchup)
    runs: list[DagRunInfo] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        for hours, begin, length in steps:
            now += timedelta(hours=hours)
            at(now, monkeypatch)
            first = datetime.combine(now.date() + timedelta(days=begin), time.min, UTC)
            backfill = times.iter_partition_dagrun_infos(
                earliest=first, latest=first + timedelta(days=length)
            )
            known = {run.partition_date for run in runs}
            runs += [run for run in backfill if run.partition_date not in known]
            for _ in range(3):
                latest = max(runs, key=lambda run: (run.partition_date, run.run_after), default=None)
                run = times.next_dagrun_info_v2(last_dagrun_info=latest, restriction=bounds)
                runs += [run] if run and run.run_after <= now else []
    assert len(set(keys(runs))) == len(runs)
    assert all(run.run_after <= now for run in runs)


@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_schedule_backfill_and_manual_run_agree_on_a_day(day: date, zone: str) -> None:
    """Airflow finds an existing run by ``partition_date``: one instant per day for every type of run."""
    times, midnight = timetable(zone=zone), datetime.combine(day, time.min, ZoneInfo(zone))
    with pytest.MonkeyPatch.context() as monkeypatch:
        at(datetime(2031, 6, 1, tzinfo=UTC), monkeypatch)
        (filled,) = times.iter_partition_dagrun_infos(earliest=midnight, latest=midnight)
        by_hand = times.resolve_partition_date(str(OrdinalDay.of(day)))
    (scheduled,) = schedule(times, midnight + timedelta(days=2), 1)
    assert filled == scheduled
    assert by_hand == filled.partition_date


@pytest.mark.parametrize(
    "key", ["2026-366", "2026-0", "2026-000", "2026-68", "2026-09-25", "x", "", " 2026-268"]
)
def test_a_key_that_is_no_day_is_refused_with_the_message_of_ordinalday(key: str) -> None:
    """The API shows the message with its status 400."""
    with pytest.raises(InvalidDayError) as error:
        OrdinalDay.parse(key)
    with pytest.raises(InvalidPartitionKeyError) as refusal:
        timetable().resolve_partition_date(key)
    assert str(refusal.value) == str(error.value)


def test_a_key_of_the_future_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the institute's calendar; today may be backed up."""
    at(moment("2026-09-25 23:59"), monkeypatch)
    assert timetable().resolve_partition_date("2026-268") == moment("2026-09-25 00:00")
    with pytest.raises(InvalidPartitionKeyError, match=r"There is no day 2026-269 \(2026-09-26\) yet"):
        timetable().resolve_partition_date("2026-269")


def test_a_run_without_a_key_has_no_partition_date() -> None:
    """A manual run may have no day."""
    assert timetable().resolve_partition_date(None) is None


@pytest.mark.parametrize("run_type", [DagRunType.SCHEDULED, DagRunType.BACKFILL_JOB])
def test_the_run_id_contains_the_day(run_type: DagRunType) -> None:
    """Airflow passes the key for the runs that it creates."""
    (run,) = schedule(timetable(), moment("2026-09-27 00:00"), 1)
    run_id = timetable().generate_run_id(
        run_type=run_type, run_after=run.run_after, data_interval=None, partition_key=run.partition_key
    )
    assert "__2026-268__" in run_id


def test_a_timetable_is_restored_from_its_serialized_form() -> None:
    """With its time zone and lag."""
    times = timetable("@daily", zone="Europe/Berlin", lag_days=3)
    again = OrdinalDayTimetable.deserialize(times.serialize())
    assert times.serialize() == {"cron": "0 0 * * *", "timezone": "Europe/Berlin", "lag_days": 3}
    assert again.serialize() == times.serialize()
    assert schedule(again, moment("2026-09-27 00:00"), 3) == schedule(times, moment("2026-09-27 00:00"), 3)


def test_a_timetable_describes_itself() -> None:
    """In the DAG's header and its tooltip."""
    assert timetable().summary == "30 6 * * * America/Sao_Paulo (day - 2)"
    assert timetable().description == "At 06:30, America/Sao_Paulo time, for the day 2 days before"


@pytest.mark.parametrize(
    "cron", ["30 6 * * 1-5", "30 6,18 * * *", "0 * * * *", "30 24 * * *", "60 6 * * *", "@weekly", "6:30", ""]
)
def test_a_cron_expression_that_is_not_once_a_day_is_refused(cron: str) -> None:
    """The message is the DAG's import error."""
    with pytest.raises(AirflowTimetableInvalid, match=r"Write the minute and the hour.*30 6 \* \* \*"):
        timetable(cron)


def test_a_negative_lag_is_refused() -> None:
    """Its day wouldn't be over."""
    with pytest.raises(AirflowTimetableInvalid, match="lag_days is -1"):
        timetable(lag_days=-1)
