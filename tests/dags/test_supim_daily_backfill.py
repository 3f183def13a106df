"""Backfills of ``supim_daily``: exactly the requested days, each run backing up its own day only."""

from typing import NamedTuple

import pytest

from inpe_backup.backfill_report import WATCHER
from tests.dags import DAG, GREEN, Daily, Run

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.usefixtures("one_backfill_at_a_time")]


class Range(NamedTuple):
    """The dates that the web form sends, and the days between them.

    Args:
        first: the first moment of the first day, in the viewer's zone.
        last: the last moment of the last day.
        days: the days between them.
    """

    first: str
    last: str
    days: tuple[str, ...]


UTC = Range(
    first="2020-12-30T00:00:00Z",
    last="2021-01-02T23:59:59.999Z",
    days=("2020-365", "2020-366", "2021-001", "2021-002"),
)
BERLIN = Range(
    first="2018-12-31T00:00:00+01:00",
    last="2019-01-01T23:59:59.999+01:00",
    days=("2018-365", "2019-001"),
)
SAO_PAULO = Range(
    first="2016-12-30T00:00:00-02:00",
    last="2017-01-01T23:59:59.999-02:00",
    days=("2016-365", "2016-366", "2017-001"),
)


def submit(daily: Daily, chosen: Range, at_once: int = 4) -> int:
    """Send what the web form sends; return the backfill's id."""
    form = {"dag_run_conf": {}, "max_active_runs": at_once}
    form |= {"reprocess_behavior": "none", "run_backwards": False}
    bounds = {"dag_id": DAG, "from_date": chosen.first, "to_date": chosen.last}
    return int(daily.airflow.api("POST", "/backfills", form | bounds)["id"])


def runs_of(daily: Daily, days: tuple[str, ...]) -> list[Run]:
    """Return the backfill runs in the years of these days, by day."""
    years = {day[:4] for day in days}
    return sorted((run for run in daily.runs("backfill") if run.day[:4] in years), key=lambda run: run.day)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [UTC, BERLIN], ids=["UTC", "Berlin"])
def test_the_web_form_creates_exactly_the_requested_days(daily: Daily, chosen: Range) -> None:
    """Both ends included, across a new year, in any time zone of the viewer."""
    backfill = submit(daily, chosen, at_once=1)
    created = tuple(run.day for run in runs_of(daily, chosen.days))
    daily.airflow.api("PUT", f"/backfills/{backfill}/cancel")  # what its runs do is the next tests'

    assert created == chosen.days


def test_backfill_runs_back_up_their_own_day_only(daily: Daily) -> None:
    """Not the day before, which the source has and the vault lacks."""
    daily.write("2016-364", *SAO_PAULO.days)
    submit(daily, SAO_PAULO)
    runs = runs_of(daily, SAO_PAULO.days)

    assert tuple(run.day for run in runs) == SAO_PAULO.days
    assert [run.end() for run in runs] == [GREEN] * len(runs)
    assert all(daily.revisions(day) for day in SAO_PAULO.days)
    assert not daily.revisions("2016-364")
    assert all(run.note and "OK · 1 copied" in run.note for run in runs)


def test_a_backfill_sends_one_mail_when_it_ends(daily: Daily) -> None:
    """Not one for each day; each day's task says so. Airflow's own data say which runs belong together."""
    runs = runs_of(daily, SAO_PAULO.days)
    [backfill] = [one for one in daily.airflow.backfills(DAG) if one["from_date"].startswith("2016-12-30")]
    digest = Run(daily.airflow, daily.institute, f"backfill-{backfill['id']}", WATCHER)

    assert digest.end() == GREEN
    [mail] = digest.mails()
    assert not any(run.mails() for run in runs)
    assert {run.states()["email_report"] for run in runs} == {"skipped"}
    assert "sends one mail of all its runs" in runs[0].log("email_report")
    subject = "SUPIM backfill 2016-365 to 2017-001 OK · 3 copied · "
    assert str(mail["Subject"]).startswith(f"[INPE backup] {subject}")
    assert all(day in digest.mail_text for day in SAO_PAULO.days)


@pytest.mark.slow
def test_the_command_line_creates_exactly_the_requested_days(daily: Daily) -> None:
    """Its dates have no time, and both days are included."""
    days = ("2012-366", "2013-001")
    daily.write(*days)
    bounds = ("--from-date", "2012-12-31", "--to-date", "2013-01-01")
    done = daily.airflow.cli("backfill", "create", "--dag-id", DAG, *bounds)
    runs = runs_of(daily, days)

    assert done.returncode == 0, done.stderr
    assert tuple(run.day for run in runs) == days
    assert [run.end() for run in runs] == [GREEN, GREEN]
    assert all(daily.revisions(day) for day in days)
