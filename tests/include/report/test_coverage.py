"""The coverage of whole years: what is safe, what is missing, and what isn't due."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.days.plan import DayAction, DayWindow
from include.ordinal_day import OrdinalDay
from include.report import Report
from include.results.states import Coverage
from include.vault.vault import Vault
from tests.include.days.sample_days import lay
from tests.include.report.daily_runs import NOW, plan, reported


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def of(vault: Vault, day: OrdinalDay) -> Report:
    """Return the report of a run for a day that is safe."""
    return reported(
        vault, plan(DayAction.NOTHING, day=day), own=day, window=DayWindow(own=day, responsible_for=(day,))
    )


def test_a_year_has_a_state_for_each_day_since_the_first_in_the_vault(vault: Vault) -> None:
    """Earlier days have none; later than the newest due, days aren't due."""
    own = OrdinalDay(2024, 200)
    for number in (100, 150, 200, 300):
        lay(vault, OrdinalDay(2024, number), 2 if number == 150 else 1)
    (lay(vault, OrdinalDay(2024, 151)).record_file).write_text("{")
    (year,) = of(vault, own).years

    assert (year.year, len(year.states)) == (2024, 366)
    assert 99 not in year.by_number
    states = {number: year.by_number[number] for number in (100, 101, 150, 151, 200, 201, 300)}
    assert states == {
        100: Coverage.SAFE,
        101: Coverage.MISSING,
        150: Coverage.REVISED,
        151: Coverage.FAILED,
        200: Coverage.SAFE,
        201: Coverage.MISSING,
        300: Coverage.SAFE,
    }


def test_in_january_the_report_covers_two_years(vault: Vault) -> None:
    """Each is complete and agrees with the calendar."""
    own = OrdinalDay(2024, 3)
    for day in (own, own - 20):
        lay(vault, day)
    report = of(vault, own)
    cells = {(cell.day.year, cell.day.number): cell.state for cell in report.coverage}

    assert [year.year for year in report.years] == [2023, 2024]
    states = {(year.year, number): state for year in report.years for number, state in year.by_number.items()}
    assert {place: states[place] for place in cells} == cells


def test_future_days_arent_due(vault: Vault) -> None:
    """The newest day that is due is two days before today."""
    today = OrdinalDay.of(NOW.astimezone(reported(vault).zone))
    own = max(OrdinalDay(today.year, 1), today - 2)
    lay(vault, own)
    states = of(vault, own).years[-1].by_number

    assert {states[number] for number in states if number > max(own.number, today.number)} <= {
        Coverage.NOT_DUE
    }


def test_what_was_copied_in_the_last_30_days_is_summed_by_date(vault: Vault) -> None:
    """By the date of the copy, not by the day's own date."""
    for number, age in ((10, 40), (11, 3), (12, 3), (13, 1)):
        lay(vault, OrdinalDay(2024, number), bytes=100, copied=NOW - timedelta(days=age))
    space = of(vault, OrdinalDay(2024, 13)).space

    assert space
    assert [(copied.on, copied.bytes) for copied in space.copied] == [
        ((NOW - timedelta(days=3)).date(), 200),
        ((NOW - timedelta(days=1)).date(), 100),
    ]


def test_the_report_of_a_whole_year_is_small(vault: Vault) -> None:
    """Airflow's database stores it for each run."""
    own = OrdinalDay(2024, 366)
    for back in range(40):
        lay(vault, own - back, copied=NOW - timedelta(days=back))

    assert len(of(vault, own).model_dump_json()) < 8_000
