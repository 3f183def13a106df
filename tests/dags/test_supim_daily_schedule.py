"""A run that the schedule makes: its own day, the two before, and what the vault lacks further back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from include.ordinal_day import OrdinalDay
from tests.dags import DAG, GREEN, ZONE, Daily, Run, await_
from tests.dags.facts import days_of
from tests.site import supim

pytestmark = pytest.mark.xdist_group("airflow")

AHEAD = timedelta(seconds=20)  # time enough for Airflow to take up another schedule
LOOK_BACK = 15


@dataclass(frozen=True)
class Tick:
    """The moment at which a scheduled run is due, and the day that it is for."""

    due: datetime
    own: OrdinalDay

    @property
    def older(self) -> list[str]:
        """Days that the source has: the last that the look-back reaches, and the two before the run's own."""
        return [str(self.own - back) for back in (LOOK_BACK, 2, 1)]


@pytest.fixture(scope="module")
def tick(daily: Daily) -> Iterator[Tick]:
    """The site file's schedule says the next minute; the source has three older days, and half of its own."""
    due = (datetime.now(ZONE) + AHEAD + timedelta(minutes=1)).replace(second=0, microsecond=0)
    coming = Tick(due, OrdinalDay.of(due.date()) - 2)
    daily.write(*coming.older, str(coming.own - LOOK_BACK - 1))
    supim.half_write(daily.write(str(coming.own)))
    schedule = f"{due.minute} {due.hour} * * *"
    with daily.site_file(supim={"schedule": schedule, "look_back": LOOK_BACK, "give_up_after_s": 3600}):
        daily.read_dag_file()
        yield coming


@pytest.fixture(scope="module")
def run(daily: Daily, tick: Tick) -> Run:
    """The run that the schedule made."""

    def made() -> Run | None:
        return next((run for run in daily.runs("scheduled") if run.day == str(tick.own)), None)

    return await_(made, "a scheduled run", 120)


def test_it_is_made_when_it_is_due_for_the_day_two_days_before(run: Run, tick: Tick) -> None:
    """By the institute's clock; its id carries the day."""
    assert datetime.fromisoformat(run.facts["run_after"]) == tick.due
    assert f"__{tick.own}__" in run.run_id


def test_it_copies_older_days_while_its_own_is_not_complete(daily: Daily, run: Run, tick: Tick) -> None:
    """Oldest first: the two before its own, and the gap at the end of its look-back, but no older one."""
    for day in tick.older:
        run.reach(f"publish_day {day}", GREEN)
    run.reach(f"copy_day {tick.own}", "up_for_reschedule")
    copies = [run.tasks()[f"copy_day {day}"] for day in tick.older]

    assert copies == sorted(copies, key=lambda copy: str(copy["start_date"]))
    assert all(daily.revisions(day) for day in tick.older)
    assert not daily.revisions(str(tick.own))
    assert not daily.revisions(str(tick.own - LOOK_BACK - 1))
    assert "Looking again in 5 s" in run.log(f"copy_day {tick.own}")


def test_while_it_waits_others_run_and_it_ends_green_once_its_day_is_complete(
    daily: Daily, run: Run, tick: Tick
) -> None:
    """Waiting takes nobody's place; the report tells what was copied and what the source lacks."""
    run.reach(f"copy_day {tick.own}", "up_for_reschedule")
    daily.write("2024-080")
    other = daily.run("2024-080")
    still = run.facts["state"]
    daily.write(str(tick.own))

    assert (other.end(), still) == (GREEN, "running")
    assert run.end() == GREEN
    assert f"SUPIM {tick.own} OK · 4 copied" in run.mail["Subject"]
    assert "It became complete while the run waited." in run.told
    assert "Of 35 days: 4 safe, 31 missing." in run.told
    assert sorted(event["partition_key"] for event in days_of(run)) == sorted([*tick.older, str(tick.own)])


def test_a_run_without_any_day_takes_that_of_today(daily: Daily) -> None:
    """Two days before the date at the institute, whatever the time is elsewhere."""
    run = daily.run(dry_run=True)
    today = datetime.fromisoformat(run.facts["run_after"]).astimezone(ZONE).date()

    assert not run.facts["partition_key"]
    assert f"SUPIM {OrdinalDay.of(today) - 2} DRY RUN" in run.mail["Subject"]


def test_the_schedule_shows_in_the_header(daily: Daily, tick: Tick) -> None:
    """As people wrote it, and with the lag."""
    shown = daily.airflow.api("GET", f"/dags/{DAG}")["timetable_summary"]

    assert shown == f"{tick.due.minute} {tick.due.hour} * * * (day - 2)"
