"""Whole years of the calendar: what is kept, what is missing, and what nobody expects."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay
from include.plan import Action, Window
from include.report import Coverage, Report
from include.vault import Vault
from tests.include.days import lay
from tests.include.runs import NOW, reported, verdict


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def of(vault: Vault, day: OrdinalDay) -> Report:
    """Write the report of a run for a day that is safe."""
    return reported(
        vault, verdict(Action.NOTHING, day=day), own=day, window=Window(own=day, answers_for=(day,))
    )


def test_a_year_tells_of_each_day_since_the_first_that_is_kept(vault: Vault) -> None:
    """Before it nothing is expected; after the newest that is due, nothing yet."""
    own = OrdinalDay(2024, 200)
    for number in (100, 150, 200, 300):
        lay(vault, OrdinalDay(2024, number), 2 if number == 150 else 1)
    (lay(vault, OrdinalDay(2024, 151)).record_file).write_text("{")
    (year,) = of(vault, own).years

    assert (year.year, len(year.states)) == (2024, 366)
    assert 99 not in year.by_number
    told = {number: year.by_number[number] for number in (100, 101, 150, 151, 200, 201, 300)}
    assert told == {
        100: Coverage.SAFE,
        101: Coverage.MISSING,
        150: Coverage.REVISED,
        151: Coverage.FAILED,
        200: Coverage.SAFE,
        201: Coverage.MISSING,
        300: Coverage.SAFE,
    }


def test_in_january_the_last_weeks_touch_two_years(vault: Vault) -> None:
    """Each is told whole, and the weeks as the calendar has them."""
    own = OrdinalDay(2024, 3)
    lay(vault, own)
    report = of(vault, own)
    cells = {(cell.day.year, cell.day.number): cell.state for cell in report.coverage}

    assert [year.year for year in report.years] == [2023, 2024]
    told = {(year.year, number): state for year in report.years for number, state in year.by_number.items()}
    assert {place: told[place] for place in cells} == cells


def test_days_to_come_arent_due(vault: Vault) -> None:
    """The newest that should be there is two days before today."""
    today = OrdinalDay.of(NOW.astimezone(reported(vault).zone))
    own = max(OrdinalDay(today.year, 1), today - 2)
    lay(vault, own)
    states = of(vault, own).years[-1].by_number

    assert {states[number] for number in states if number > max(own.number, today.number)} <= {
        Coverage.NOT_DUE
    }


def test_what_the_last_month_brought_is_told_by_date(vault: Vault) -> None:
    """Of the day that it was copied on, not of the day that it is."""
    for number, age in ((10, 40), (11, 3), (12, 3), (13, 1)):
        lay(vault, OrdinalDay(2024, number), bytes=100, copied=NOW - timedelta(days=age))
    space = of(vault, OrdinalDay(2024, 13)).space

    assert space
    told = [(one.on, one.bytes) for one in space.copied]
    assert told == [
        ((NOW - timedelta(days=3)).date(), 200),
        ((NOW - timedelta(days=1)).date(), 100),
    ]


def test_a_whole_years_facts_are_small(vault: Vault) -> None:
    """They travel through Airflow's database with each run."""
    own = OrdinalDay(2024, 366)
    for back in range(40):
        lay(vault, own - back, copied=NOW - timedelta(days=back))

    assert len(of(vault, own).model_dump_json()) < 8_000
