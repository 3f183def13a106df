"""Scheduled runs of ``supim_daily``: the own day, the two before it, and older missing days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from include.ordinal_day import OrdinalDay
from tests.dags import DAG, GREEN, Daily, Run, wait_for
from tests.dags.status_events import day_events
from tests.one_airflow import OneAirflow
from tests.site import ZONE, supim

pytestmark = pytest.mark.worker_group("days")

AHEAD = timedelta(seconds=20)  # enough for Airflow to read the new schedule
LOOK_BACK = 15


@dataclass(frozen=True)
class Tick:
    """When a scheduled run is due, the day that it is for, and how many days before."""

    due: datetime
    own: OrdinalDay
    lag: int

    @property
    def older(self) -> list[str]:
        """Days at the source: the oldest in the look-back, and the two before the run's own."""
        return [str(self.own - back) for back in (LOOK_BACK, 2, 1)]


@pytest.fixture(scope="module")
def daily(one: OneAirflow) -> Daily:
    """Have a vault apart: what other tests left in theirs is overdue for a scrub, say the reports."""
    return Daily.apart(one, "schedule")


@pytest.fixture(scope="module")
def tick(daily: Daily) -> Iterator[Tick]:
    """Schedule a run for the next minute; the source has three older days, and half of the run's own."""
    # Switched on for the first time, the DAG runs for the newest day due: not while the source is written.
    already = wait_for(lambda: daily.runs("scheduled"), "the run that was due already")[0]
    already.end()
    due = (datetime.now(ZONE) + AHEAD + timedelta(minutes=1)).replace(second=0, microsecond=0)
    today = OrdinalDay.of(due.date())
    lag = 1 if already.day == str(today - 2) else 2  # in the afternoon, it was due today: no day is run twice
    coming = Tick(due, today - lag, lag)
    daily.write(*coming.older, str(coming.own - LOOK_BACK - 1))
    supim.half_write(daily.write(str(coming.own)))
    schedule = f"{due.minute} {due.hour} * * *"
    supim_keys = {"schedule": schedule, "lag_days": lag, "lookback_days": LOOK_BACK, "timeout_s": 3600}
    with daily.site_file(datasets={"supim": supim_keys}):
        daily.read_dag_file()
        yield coming


@pytest.fixture(scope="module")
def run(daily: Daily, tick: Tick) -> Run:
    """The scheduled run."""

    def scheduled_run() -> Run | None:
        return next((run for run in daily.runs("scheduled") if run.day == str(tick.own)), None)

    return wait_for(scheduled_run, "a scheduled run", 120)


def test_a_run_without_a_day_takes_the_newest_due_one(daily: Daily) -> None:
    """Two days before today in the institute's time zone; the list of runs shows it as partition key."""
    run = daily.run(dry_run=True)
    today = datetime.fromisoformat(run.info["run_after"]).astimezone(ZONE).date()
    day = str(OrdinalDay.of(today) - 2)

    assert run.info["partition_key"] == day
    assert f"SUPIM {day} DRY RUN" in run.mail["Subject"]


@pytest.mark.slow
def test_a_run_is_created_when_due_for_its_day(run: Run, tick: Tick) -> None:
    """In the institute's time zone; its id contains the day."""
    assert datetime.fromisoformat(run.info["run_after"]) == tick.due
    assert f"__{tick.own}__" in run.run_id


@pytest.mark.slow
def test_older_days_are_copied_while_the_own_day_is_incomplete(daily: Daily, run: Run, tick: Tick) -> None:
    """Newest first: the two before it, and the missing one at the end of the look-back, but no older one."""
    for day in tick.older:
        run.reach(f"publish_day {day}", GREEN)
    run.reach(f"copy_day {tick.own}", "up_for_reschedule")
    copies = [run.tasks()[f"copy_day {day}"] for day in tick.older]

    assert copies[::-1] == sorted(copies, key=lambda copy: str(copy["start_date"]))
    assert all(daily.revisions(day) for day in tick.older)
    assert not daily.revisions(str(tick.own))
    assert not daily.revisions(str(tick.own - LOOK_BACK - 1))
    assert "Trying again in 5 s" in run.log(f"copy_day {tick.own}")


@pytest.mark.slow
def test_a_waiting_run_lets_others_run_and_succeeds_once_its_day_is_complete(
    daily: Daily, run: Run, tick: Tick
) -> None:
    """It takes no worker slot; the mail says what was copied and what the source lacks."""
    run.reach(f"copy_day {tick.own}", "up_for_reschedule")
    daily.write("2024-080")
    other = daily.run("2024-080")
    still = run.info["state"]
    daily.write(str(tick.own))

    assert (other.end(), still) == (GREEN, "running")
    assert run.end() == GREEN
    assert f"SUPIM {tick.own} OK · 4 copied" in run.mail["Subject"], run.mail_text
    assert "The day became complete while the run waited." in run.mail_text
    assert "Of 35 days: 4 safe, 31 missing." in run.mail_text
    assert sorted(event["partition_key"] for event in day_events(run)) == sorted([*tick.older, str(tick.own)])


@pytest.mark.slow
def test_the_web_page_shows_the_schedule(daily: Daily, tick: Tick) -> None:
    """As in the site file, with the lag."""
    shown = daily.airflow.api("GET", f"/dags/{DAG}")["timetable_summary"]

    assert shown == f"{tick.due.minute} {tick.due.hour} * * * America/Sao_Paulo (day - {tick.lag})"
