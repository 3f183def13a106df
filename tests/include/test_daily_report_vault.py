"""What the daily report says of the vault: its days, its room, and what is wrong in it."""

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from include.covered_days import CALENDAR_DAYS
from include.ordinal_day import OrdinalDay
from include.plan import Action, Window
from include.report import Coverage
from include.source import State as Seen
from include.vault import Vault
from tests.include.days import DAY, lay, proven
from tests.include.runs import NOW, reported, verdict


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_the_coverage_is_of_the_last_weeks_and_of_what_the_vault_holds(vault: Vault) -> None:
    """Whatever the tasks say; over New Year, too."""
    own_day = OrdinalDay.parse("2027-003")
    for back, revision in ((0, 1), (4, 1), (4, 2)):
        lay(vault, own_day - back, revision)
    verdicts = [
        verdict(Action.GIVE_UP, Seen.MISSING, own_day - 1),
        verdict(Action.COPY, Seen.COMPLETE, own_day - 2),
    ]
    report = reported(vault, *verdicts, own=own_day, window=Window(own=own_day, answers_for=(own_day,)))
    states = {cell.day: cell.state for cell in report.coverage}
    assert list(states) == [own_day - back for back in reversed(range(CALENDAR_DAYS))]
    seen = [states[own_day - back] for back in range(6)]
    assert seen == [
        *(Coverage.SAFE, Coverage.MISSING, Coverage.FAILED, Coverage.MISSING, Coverage.REVISED),
        Coverage.MISSING,
    ]


def test_a_dry_runs_coverage_shows_what_it_would_copy(vault: Vault) -> None:
    """Not as safe."""
    report = reported(vault, verdict(Action.COPY), dry_run=True)
    assert report.coverage[-1].state is Coverage.WOULD_COPY


def test_growth_is_that_of_the_last_month(vault: Vault) -> None:
    """By what was copied in it, whatever the days' own dates; unknown where nothing was."""

    def growth() -> int | None:
        space = reported(vault, verdict(Action.NOTHING)).space
        assert space
        return space.growth_bytes_per_day

    assert growth() is None
    lay(vault, DAY, bytes=300, copied=NOW - timedelta(days=10))
    lay(vault, DAY - 200, bytes=700, copied=NOW - timedelta(days=2))
    assert growth() == 100


def test_the_space_is_the_vaults_own(vault: Vault) -> None:
    """With the site's reserve."""
    space = reported(vault, verdict(Action.NOTHING)).space
    assert space
    assert space.path == str(vault.root)
    assert 0 < space.free_bytes <= space.total_bytes
    assert space.reserve_bytes == 20 * 10**9


def test_a_damaged_record_is_told_and_spoils_no_report(vault: Vault) -> None:
    """Half a file, after a crash of the disk."""
    damaged: list[Path] = [lay(vault, DAY - back).record_file for back in (0, 3)]
    for path in damaged:
        path.write_text("{")
    report = reported(vault, verdict(Action.NOTHING))
    assert sorted(report.needs_person) == sorted(
        f"{path} can't be read. The next run that sees the day at the source secures it again."
        for path in damaged
    )


def test_an_unfinished_copy_is_told_after_two_days(vault: Vault) -> None:
    """Somebody gave up in the middle."""
    folder = vault.staged(DAY - 40).folder
    folder.mkdir(parents=True)
    assert reported(vault, verdict(Action.NOTHING)).needs_person == ()
    then = (NOW - timedelta(days=3)).timestamp()
    os.utime(folder, (then, then))
    (told,) = reported(vault, verdict(Action.NOTHING)).needs_person
    assert told.startswith(
        f"{folder} holds an unfinished copy that nobody goes on with. Back {DAY - 40} up again"
    )


def test_the_proof_command_proves_the_day(tmp_path: Path) -> None:
    """Copied from the mail into a shell: the run's own day, or the newest there is."""
    vault = Vault.create(tmp_path / "the institute's vault")
    first = lay(vault, DAY - 5)
    report = reported(vault, verdict(Action.NOTHING))
    assert report.proof_command
    assert f"{first.name}.sha256" in report.proof_command
    day = lay(vault)
    (day.folder / "file").write_bytes(b"")
    day.sums.write_text("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  file\n")
    assert proven(day)
    shown = reported(vault, verdict(Action.NOTHING)).proof_command
    assert shown
    assert subprocess.run(["sh", "-c", shown], capture_output=True, check=False).returncode == 0
    (day.folder / "file").write_bytes(b"!")
    assert subprocess.run(["sh", "-c", shown], capture_output=True, check=False).returncode != 0
