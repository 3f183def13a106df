"""The schedule of days: each day comes once, when it's due, under its own name."""

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
    """Give a DAG's start, end and catch-up in Airflow's form."""
    earliest, latest = (DateTime.instance(at) if at else None for at in (start, end))
    return TimeRestriction(earliest, latest, catchup)


def schedule(times: OrdinalDayTimetable, start: datetime, count: int) -> list[DagRunInfo]:
    """Give the first ``count`` runs of a DAG that catches up from ``start``."""
    runs: list[DagRunInfo] = []
    for _ in range(count):
        run = times.next_dagrun_info_v2(
            last_dagrun_info=runs[-1] if runs else None, restriction=restriction(start, catchup=True)
        )
        assert run is not None
        runs.append(run)
    return runs


def test_a_run_belongs_to_the_day_two_days_before() -> None:
    """Due at 06:30 in São Paulo on 27 September, it's for the 25th, the 268th day of 2026."""
    (run,) = schedule(timetable(), moment("2026-09-27 00:00"), 1)
    assert run.partition_key == "2026-268"
    assert run.run_after == moment("2026-09-27 06:30")
    assert run.partition_date == moment("2026-09-25 00:00")
    assert run.data_interval is None


def test_the_first_days_of_january_belong_to_the_old_year() -> None:
    """Neither 2027-000 nor 2027-365 comes up, and a leap year has its day 366."""
    assert keys(schedule(timetable(), moment("2027-01-01 00:00"), 4)) == [
        "2026-364",
        "2026-365",
        "2027-001",
        "2027-002",
    ]
    assert keys(schedule(timetable(), moment("2029-01-01 00:00"), 3)) == ["2028-365", "2028-366", "2029-001"]


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize("zone", ZONES)
def test_every_day_comes_once_however_clocks_change(zone: str, cron: str) -> None:
    """Sixteen months are walked through: the leap day of 2016, and clocks that went back and forward."""
    runs = schedule(timetable(cron, zone=zone), moment("2015-09-01 12:00", zone), 490)
    first, last = (OrdinalDay.parse(keys(runs)[at]).date for at in (0, -1))
    assert keys(runs) == days(first, last)
    assert all(earlier.run_after < later.run_after for earlier, later in pairwise(runs))
    for run in runs:
        due, day = (at.astimezone(ZoneInfo(zone)).date() for at in (run.run_after, run.partition_date) if at)
        assert (str(OrdinalDay.of(day)), due - day) == (run.partition_key, timedelta(days=2))


def test_a_midnight_that_sao_paulo_skipped_has_its_run() -> None:
    """On 4 November 2018 clocks went from 23:59 to 01:00."""
    runs = schedule(timetable("0 0 * * *", lag_days=0), moment("2018-11-03 00:00"), 3)
    assert keys(runs) == ["2018-307", "2018-308", "2018-309"]
    assert runs[1].run_after == runs[1].partition_date == moment("2018-11-04 01:00")


def test_a_time_that_comes_twice_has_one_run_at_the_second() -> None:
    """On 18 February 2018 São Paulo's clocks went from 24:00 back to 23:00."""
    runs = schedule(timetable("30 23 * * *", lag_days=0), moment("2018-02-17 12:00"), 2)
    assert keys(runs) == ["2018-048", "2018-049"]
    assert runs[0].run_after == datetime(2018, 2, 18, 2, 30, tzinfo=UTC)


def test_after_an_outage_only_the_newest_day_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without catch-up, older days are the DAG's own business."""
    (last,) = schedule(timetable(), moment("2026-09-01 00:00"), 1)
    at(moment("2026-09-27 06:29"), monkeypatch)
    run = timetable().next_dagrun_info_v2(last_dagrun_info=last, restriction=restriction(catchup=False))
    assert run
    assert run.partition_key == "2026-267"


def test_a_dag_without_runs_begins_with_the_next_day_to_be_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a start date in the past it begins with the newest day that is due."""
    at(moment("2026-09-27 12:00"), monkeypatch)
    begin = timetable().next_dagrun_info_v2
    anew = begin(last_dagrun_info=None, restriction=restriction(catchup=False))
    started = begin(last_dagrun_info=None, restriction=restriction(moment("2026-01-01 00:00"), catchup=False))
    assert anew
    assert started
    assert (anew.partition_key, started.partition_key) == ("2026-269", "2026-268")


def test_a_dag_has_no_run_before_its_start_nor_after_its_end() -> None:
    """Both limits mean the moment a run is due, and both are included."""
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
    """At 07:00 the day's run is done; then the site file changes."""
    (done,) = schedule(timetable(), moment("2026-09-27 00:00"), 1)
    at(moment("2026-09-27 07:00"), monkeypatch)
    run = changed.next_dagrun_info_v2(last_dagrun_info=done, restriction=restriction(catchup=False))
    assert run
    assert run.partition_key == "2026-269"


@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.integers(-6, 6), st.integers(0, 6)), max_size=12),
    catchup=st.booleans(),
)
def test_no_day_comes_twice_whatever_is_backfilled(
    steps: list[tuple[int, int, int]], *, catchup: bool
) -> None:
    """Hours pass, days around now are backfilled, and the scheduler asks again after each step.

    It asks about the latest day, by partition date and then by ``run_after``, as Airflow 3.3 does.
    """
    times, now = timetable(), moment("2026-09-27 05:00")
    bounds = restriction(moment("2026-09-20 00:00"), catchup=catchup)
    runs: list[DagRunInfo] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        for hours, begin, length in steps:
            now += timedelta(hours=hours)
            at(now, monkeypatch)
            first = datetime.combine(now.date() + timedelta(days=begin), time.min, UTC)
            asked = times.iter_partition_dagrun_infos(earliest=first, latest=first + timedelta(days=length))
            known = {run.partition_date for run in runs}
            runs += [run for run in asked if run.partition_date not in known]
            for _ in range(3):
                latest = max(runs, key=lambda run: (run.partition_date, run.run_after), default=None)
                run = times.next_dagrun_info_v2(last_dagrun_info=latest, restriction=bounds)
                runs += [run] if run and run.run_after <= now else []
    assert len(set(keys(runs))) == len(runs)
    assert all(run.run_after <= now for run in runs)


@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_schedule_backfill_and_manual_run_agree_on_a_day(day: date, zone: str) -> None:
    """Airflow finds an existing run by ``partition_date``: one instant per day, for every kind of run."""
    times, midnight = timetable(zone=zone), datetime.combine(day, time.min, ZoneInfo(zone))
    with pytest.MonkeyPatch.context() as monkeypatch:
        at(datetime(2031, 6, 1, tzinfo=UTC), monkeypatch)
        (filled,) = times.iter_partition_dagrun_infos(earliest=midnight, latest=midnight)
    (scheduled,) = schedule(times, midnight + timedelta(days=2), 1)
    assert filled == scheduled
    assert times.resolve_partition_date(str(OrdinalDay.of(day))) == filled.partition_date


@pytest.mark.parametrize(
    "key", ["2026-366", "2026-0", "2026-000", "2026-68", "2026-09-25", "x", "", " 2026-268"]
)
def test_a_key_that_is_no_day_is_refused_in_the_days_own_words(key: str) -> None:
    """The API shows the sentence beside its 400."""
    with pytest.raises(InvalidDayError) as words:
        OrdinalDay.parse(key)
    with pytest.raises(InvalidPartitionKeyError) as refusal:
        timetable().resolve_partition_date(key)
    assert str(refusal.value) == str(words.value)


def test_a_run_without_a_key_has_no_partition_date() -> None:
    """A manual run needn't name its day."""
    assert timetable().resolve_partition_date(None) is None


@pytest.mark.parametrize("run_type", [DagRunType.SCHEDULED, DagRunType.BACKFILL_JOB])
def test_the_run_id_carries_the_day(run_type: DagRunType) -> None:
    """Airflow hands the key over for the runs that it makes itself."""
    (run,) = schedule(timetable(), moment("2026-09-27 00:00"), 1)
    run_id = timetable().generate_run_id(
        run_type=run_type, run_after=run.run_after, data_interval=None, partition_key=run.partition_key
    )
    assert "__2026-268__" in run_id


def test_a_timetable_comes_back_from_its_stored_form() -> None:
    """With its zone and its lag, and without any other module's help."""
    times = timetable("@daily", zone="Europe/Berlin", lag_days=3)
    again = OrdinalDayTimetable.deserialize(times.serialize())
    assert times.serialize() == {"cron": "0 0 * * *", "timezone": "Europe/Berlin", "lag_days": 3}
    assert again.serialize() == times.serialize()
    assert schedule(again, moment("2026-09-27 00:00"), 3) == schedule(times, moment("2026-09-27 00:00"), 3)


def test_a_timetable_says_what_it_does() -> None:
    """In the DAG's header, and in the tooltip over it."""
    assert timetable().summary == "30 6 * * * (day - 2)"
    assert timetable().description == "At 06:30, America/Sao_Paulo time, for the day 2 days before"


@pytest.mark.parametrize(
    "cron", ["30 6 * * 1-5", "30 6,18 * * *", "0 * * * *", "30 24 * * *", "60 6 * * *", "@weekly", "6:30", ""]
)
def test_a_cron_expression_that_is_not_once_a_day_is_refused(cron: str) -> None:
    """The sentence shows as the DAG's import error."""
    with pytest.raises(AirflowTimetableInvalid, match=r"Write the minute and the hour.*30 6 \* \* \*"):
        timetable(cron)


def test_a_day_that_is_not_over_cannot_be_scheduled() -> None:
    """A lag below zero would ask for tomorrow."""
    with pytest.raises(AirflowTimetableInvalid, match="lag_days is -1"):
        timetable(lag_days=-1)
