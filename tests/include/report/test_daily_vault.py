"""The vault in the daily report: its days, its space, and damage."""

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.days.plan import DayAction, DayWindow
from include.days.source import SourceState
from include.ordinal_day import OrdinalDay
from include.report.coverage import CALENDAR_DAYS
from include.results.states import Coverage
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, lay, verified
from tests.include.report.daily_runs import NOW, plan, reported


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_the_coverage_shows_what_the_vault_holds_of_the_last_weeks(vault: Vault) -> None:
    """Whatever the tasks left; also over New Year."""
    own_day = OrdinalDay.parse("2027-003")
    for back, revision in ((0, 1), (4, 1), (4, 2), (CALENDAR_DAYS, 1)):
        lay(vault, own_day - back, revision)
    plans = [
        plan(DayAction.GIVE_UP, SourceState.MISSING, own_day - 1),
        plan(DayAction.COPY, SourceState.COMPLETE, own_day - 2),
    ]
    report = reported(vault, *plans, own=own_day, window=DayWindow(own=own_day, responsible_for=(own_day,)))
    states = {cell.day: cell.state for cell in report.coverage}
    assert list(states) == [own_day - back for back in reversed(range(CALENDAR_DAYS))]
    assert [states[own_day - back] for back in range(6)] == [
        *(Coverage.SAFE, Coverage.MISSING, Coverage.FAILED, Coverage.MISSING, Coverage.REVISED),
        Coverage.MISSING,
    ]


def test_the_calendar_begins_with_the_first_day_that_the_vault_or_the_source_had(vault: Vault) -> None:
    """As on the page: a new vault lacks nothing of the time before."""
    backs = (0, 1, 2, 3, 4)
    own, missing = (
        plan(DayAction.COPY),
        [plan(DayAction.GIVE_UP, SourceState.MISSING, DAY - 2 - b) for b in backs],
    )
    first = reported(vault, own, plan(DayAction.COPY, day=DAY - 1), *missing)
    assert [cell.day for cell in first.coverage] == [DAY - 1, DAY]
    assert min(first.years[0].by_number) == DAY.number - 1
    lay(vault, DAY - 3)
    assert reported(vault, own, *missing).coverage[0].day == DAY - 3
    nothing = reported(vault, plan(DayAction.WAIT, SourceState.MISSING, DAY - 50), own=DAY - 50)
    assert [cell.day for cell in nothing.coverage] == [DAY - 50]


def test_a_dry_runs_coverage_shows_what_it_would_copy(vault: Vault) -> None:
    """Not as safe."""
    report = reported(vault, plan(DayAction.COPY), dry_run=True)
    assert report.coverage[-1].state is Coverage.WOULD_COPY


def test_the_growth_is_that_of_the_last_30_days(vault: Vault) -> None:
    """By when days were copied, not by their own dates; unknown if none was."""

    def growth() -> int | None:
        space = reported(vault, plan(DayAction.NOTHING)).space
        assert space
        return space.growth_bytes_per_day

    assert growth() is None
    lay(vault, DAY, bytes=300, copied=NOW - timedelta(days=10))
    lay(vault, DAY - 200, bytes=700, copied=NOW - timedelta(days=2))
    assert growth() == 100


def test_the_growth_is_unknown_until_copies_span_a_week(vault: Vault) -> None:
    """Else a first day's bulk copy would fill the vault within months."""
    lay(vault, DAY, bytes=300, copied=NOW - timedelta(days=6))
    space = reported(vault, plan(DayAction.NOTHING)).space
    assert space
    assert space.growth_bytes_per_day is None


def test_the_space_is_that_of_the_vault(vault: Vault) -> None:
    """With the site's reserve."""
    space = reported(vault, plan(DayAction.NOTHING)).space
    assert space
    assert space.path == str(vault.root)
    assert 0 < space.free_bytes <= space.total_bytes
    assert space.reserve_bytes == 20 * 10**9


def test_a_damaged_record_needs_action_and_fails_no_report(vault: Vault) -> None:
    """It is truncated, as a disk failure may leave it."""
    damaged: list[Path] = [lay(vault, DAY - back).record_file for back in (0, 3)]
    for path in damaged:
        path.write_text("{")
    report = reported(vault, plan(DayAction.NOTHING))
    assert sorted(report.needs_action) == sorted(
        f"{path} can't be read. The next run that finds the day at the source copies it again."
        for path in damaged
    )


def test_an_unfinished_copy_needs_action_after_two_days(vault: Vault) -> None:
    """Until then a run may resume it."""
    folder = DayArchive(vault).staged(DAY - 40).folder
    folder.mkdir(parents=True)
    assert reported(vault, plan(DayAction.NOTHING)).needs_action == ()
    then = (NOW - timedelta(days=3)).timestamp()
    os.utime(folder, (then, then))
    (sentence,) = reported(vault, plan(DayAction.NOTHING)).needs_action
    assert sentence.startswith(
        f"{folder} holds an unfinished copy that no run has resumed. Back up {DAY - 40} again"
    )


def test_the_verification_command_verifies_the_day(tmp_path: Path) -> None:
    """Copied from the mail into a shell; without the run's own day, it verifies the newest."""
    vault = Vault.create(tmp_path / "the institute's vault")
    first = lay(vault, DAY - 5)
    report = reported(vault, plan(DayAction.NOTHING))
    assert report.verification_command
    assert f"{first.name}.sha256" in report.verification_command
    day = lay(vault)
    (day.folder / "file").write_bytes(b"")
    day.sums.write_text("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  file\n")
    assert verified(day)
    shown = reported(vault, plan(DayAction.NOTHING)).verification_command
    assert shown
    assert subprocess.run(["sh", "-c", shown], capture_output=True, check=False).returncode == 0
    (day.folder / "file").write_bytes(b"!")
    assert subprocess.run(["sh", "-c", shown], capture_output=True, check=False).returncode != 0
