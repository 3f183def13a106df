"""An incomplete day is waited for until the deadline, then fails with the reason; nothing of it is copied."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.errors import (
    BackupError,
    DayIncompleteError,
    DayMissingError,
    DayUnusableError,
    RescheduleError,
    SourceFolderError,
)
from tests.include.days.day_tasks import Rehearsal
from tests.include.days.login_banners import bind_by_modes
from tests.include.days.sample_days import tree
from tests.site import supim
from tests.site.sshd import SshServer

HALF_WRITTEN = (
    "1 of 2 time steps are complete. 'descriptor.ctl.2026.268.12.0h': its data file "
    "'data.dat.2026.268.12.0h' holds 1,638 of 3,276 bytes."
)
ANOTHER_DAYS = (
    "0 of 2 time steps are complete. 'descriptor.ctl.2026.267.0.0h': its name is not one of day 2026-268. "
    "(1 more)"
)


def _missing(_: Rehearsal) -> None:
    pass


def _empty(rehearsal: Rehearsal) -> None:
    (rehearsal.folder / "run" / "1").mkdir(parents=True)


def _half_written(rehearsal: Rehearsal) -> None:
    supim.half_write(rehearsal.write_day())


def _one_step_of_two(rehearsal: Rehearsal) -> None:
    rehearsal.write_day(steps=1)


def _another_days_files(rehearsal: Rehearsal) -> None:
    rehearsal.but(day="2026-267").write_day(folder=rehearsal.folder)


def _no_descriptors(rehearsal: Rehearsal) -> None:
    rehearsal.write_files(data=b"x")


def _a_file_in_its_place(rehearsal: Rehearsal) -> None:
    rehearsal.folder.parent.mkdir()
    rehearsal.folder.write_bytes(b"x")


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (_missing, DayMissingError, "The source has no folder 2026/268."),
        (_a_file_in_its_place, DayMissingError, "The source has no folder 2026/268."),
        (_empty, DayIncompleteError, "The folder holds no file."),
        (_half_written, DayIncompleteError, HALF_WRITTEN),
        (_one_step_of_two, DayIncompleteError, "1 of 2 time steps are complete."),
        (_another_days_files, DayIncompleteError, ANOTHER_DAYS),
        (_no_descriptors, DayIncompleteError, "The folder holds no descriptor."),
    ],
)
def test_an_incomplete_day_is_waited_for_and_fails_after_the_deadline(
    rehearsal: Rehearsal, make: Callable[[Rehearsal], None], error: type[BackupError], reason: str
) -> None:
    """With the same reason, and without a trace in the vault."""
    make(rehearsal)
    before = tree(Path(rehearsal.vault_root))
    with rehearsal.but(waits=True).backup() as backup:
        with pytest.raises(RescheduleError) as later:
            backup.copy()
        with pytest.raises(error) as given_up:
            replace(backup, deadline=datetime.now(UTC)).copy()
    assert str(later.value).startswith(f"2026-268 can't be backed up. {reason} Trying again in 5 s, until 20")
    assert str(later.value).endswith(" UTC.")
    assert later.value.retry_in_s == 5
    assert type(given_up.value) is error
    assert str(given_up.value) == f"2026-268 can't be backed up. {reason}"
    after = tree(Path(rehearsal.vault_root))
    assert after.keys() - before.keys() == {".lock", ".staging", ".staging/supim"}


def test_a_day_that_becomes_complete_is_backed_up(rehearsal: Rehearsal) -> None:
    """After the next survey."""
    supim.half_write(rehearsal.write_day())
    with pytest.raises(RescheduleError):
        rehearsal.but(waits=True).do("copy")
    rehearsal.write_day()
    rehearsal.do()
    assert rehearsal.is_published()


def test_a_day_that_the_source_has_twice_fails_at_once(rehearsal: Rehearsal) -> None:
    """In two paddings: somebody must remove one of them; waiting doesn't help."""
    rehearsal = rehearsal.but(day="2026-007")
    rehearsal.write_day()
    other = rehearsal.write_day(folder="{year}/{day}")
    with pytest.raises(DayUnusableError) as twice:
        rehearsal.but(waits=True).do("copy")
    assert str(twice.value) == (
        "2026-007 can't be backed up. The source has it twice, as '2026/007', '2026/7'. Remove one of them."
    )
    other.rename(other.with_name("old"))
    rehearsal.do()
    assert rehearsal.is_published()


@pytest.mark.parametrize("folder", ["{year}/{day}", "{year}/{day:02d}"])
def test_a_day_in_another_padding_is_found_and_published_under_three_digits(
    rehearsal: Rehearsal, folder: str
) -> None:
    """The vault has one form of the name."""
    rehearsal = rehearsal.but(day="2026-007")
    written = rehearsal.write_day(folder=folder)
    record = rehearsal.do()
    assert record
    assert record.origin.folder == str(written)
    assert rehearsal.published_names() == ["007"]


@pytest.mark.parametrize("folder", ["{year}/{day:03d} -> elsewhere", "{year} -> elsewhere"])
def test_a_day_behind_a_link_at_the_source_is_backed_up(rehearsal: Rehearsal, folder: str) -> None:
    """Clusters move folders off full disks and leave links; links inside a day aren't followed."""
    written = rehearsal.write_day()
    moved = written if "day" in folder else written.parent
    elsewhere = moved.rename(Path(rehearsal.source, "elsewhere"))
    moved.symlink_to(elsewhere)
    rehearsal.do()
    assert rehearsal.is_published()


@pytest.fixture
def bound(rehearsal: Rehearsal, own_cluster: SshServer) -> Rehearsal:
    """A source whose user file modes apply to."""
    bind_by_modes(own_cluster)
    return rehearsal.but(connection=own_cluster.connection)


def test_a_day_with_an_unreadable_part_fails_at_once(bound: Rehearsal) -> None:
    """The survey finds an unreadable descriptor or folder, the copy an unreadable data file."""
    folder = bound.write_day()
    (folder / "sub").mkdir()
    for name in ("descriptor.ctl.2026.268.12.0h", "sub"):
        mode = (folder / name).stat().st_mode
        (folder / name).chmod(0)
        with pytest.raises(DayUnusableError) as refused:
            bound.but(waits=True).do("copy")
        assert str(refused.value) == f"2026-268 can't be backed up. The source's user can't read '{name}'."
        (folder / name).chmod(mode)
    data = folder / "data.dat.2026.268.12.0h"
    data.chmod(0)
    with pytest.raises(DayUnusableError, match=r"The source's user can't read"):
        bound.do("copy")
    assert bound.published() == []
    data.chmod(0o644)
    bound.do()
    assert bound.is_published()


def test_a_missing_or_unreadable_root_fails_at_once(bound: Rehearsal) -> None:
    """A disk that isn't mounted at the source mustn't count as missing days."""
    bound.write_day()
    root = Path(bound.source)
    root.chmod(0)
    with pytest.raises(SourceFolderError, match=f"The source's user can't read {root}"):
        bound.but(waits=True).do("copy")
    root.chmod(0o755)
    root.rename(root.with_name("unmounted"))
    with pytest.raises(SourceFolderError, match=f"The source has no folder {root}. Is it mounted there[?]$"):
        bound.but(waits=True).do("copy")


def test_no_shell_interprets_the_name_of_the_root(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Neither for the source program nor for rsync."""
    root = tmp_path / "so $(touch caught); 'urce' & \"é\"\n-rf"
    root.mkdir()
    rehearsal = rehearsal.but(source=str(root))
    rehearsal.write_day()
    rehearsal.do()
    assert rehearsal.is_published()
    found = subprocess.run(
        ["find", str(tmp_path), Path.home(), "-maxdepth", "2", "-name", "caught*"],
        capture_output=True,
        check=False,
    )
    assert found.stdout == b""
