"""The days of a backfill, in any time zone of the viewer."""

from datetime import UTC, date, datetime

import pytest

from inpe_backup.timetable import OrdinalDayTimetable
from tests.plugins.timetables import CRONS, INSTITUTE, at, days, keys, moment, timetable

VIEWERS = (
    INSTITUTE,
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Pacific/Honolulu",
)


def backfill(
    times: OrdinalDayTimetable, earliest: datetime, latest: datetime, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the days of a backfill that is requested on 1 July 2027."""
    at(moment("2027-07-01 12:00"), monkeypatch)
    return keys(times.iter_partition_dagrun_infos(earliest=earliest, latest=latest))


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("ends", ["00:00", "23:59", "23:59:59.999"])
@pytest.mark.parametrize(
    "bounds",
    [
        ("2026-09-20", "2026-09-22"),
        ("2026-03-01", "2026-04-01"),  # clocks go forward in Berlin and in New York
        ("2026-10-20", "2026-11-05"),  # and back
        ("2026-12-30", "2027-01-03"),
        ("2024-02-29", "2024-02-29"),
    ],
)
def test_a_backfill_takes_exactly_the_requested_days(
    bounds: tuple[str, str], ends: str, viewer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any time zone of the viewer, and across its clock changes.

    The web form sends 23:59:59.999 for a last day, the command line 00:00.
    """
    first, last = bounds
    earliest, latest = moment(f"{first} 00:00", viewer), moment(f"{last} {ends}", viewer)
    found = backfill(timetable(), earliest.astimezone(UTC), latest.astimezone(UTC), monkeypatch)
    assert found == days(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("cron", CRONS)
def test_the_time_of_the_schedule_doesnt_shift_a_backfill(cron: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether days are due at midnight or just before."""
    bounds = (datetime(2026, 9, 20, tzinfo=UTC), datetime(2026, 9, 22, tzinfo=UTC))
    assert backfill(timetable(cron), *bounds, monkeypatch) == ["2026-263", "2026-264", "2026-265"]


def test_a_backfill_that_starts_at_the_institutes_midnight_is_read_in_its_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An end at 18:00 in São Paulo stands for that day, though it's midnight in Moscow."""
    bounds = (moment("2026-09-20 00:00"), moment("2026-09-22 18:00"))
    assert backfill(timetable(), *bounds, monkeypatch) == ["2026-263", "2026-264", "2026-265"]


@pytest.mark.parametrize("skipped", ["2018-11-04T02:00+00:00", "2018-11-04T03:00+00:00"])
def test_a_backfill_may_start_at_a_skipped_midnight(skipped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers disagree on the instant of the missing 00:00 of 4 November 2018."""
    bounds = (datetime.fromisoformat(skipped), moment("2018-11-05 23:59:59.999"))
    assert backfill(timetable(), *bounds, monkeypatch) == ["2018-308", "2018-309"]


@pytest.mark.parametrize(("clock", "newest"), [("06:29:59", "2026-267"), ("06:30:00", "2026-268")])
@pytest.mark.parametrize("latest", [datetime(2026, 12, 31, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_backfill_ends_with_the_newest_day_that_is_due(
    latest: datetime, clock: str, newest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day isn't due before its scheduled run is."""
    at(moment(f"2026-09-27 {clock}"), monkeypatch)
    runs = timetable().iter_partition_dagrun_infos(earliest=moment("2026-09-20 00:00"), latest=latest)
    assert keys(runs)[-1] == newest


def test_a_backfill_of_future_days_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow then reports that there are no runs to create."""
    assert not backfill(timetable(), moment("2027-07-02 00:00"), moment("2027-07-09 00:00"), monkeypatch)
