"""A day that isn't ready is waited for, or given up with the reason; nothing of it is copied."""

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
    NotYetError,
    SourceRefusedError,
)
from tests.include.days import tree
from tests.include.logins import bind_by_modes
from tests.include.rehearsal import Rehearsal
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
def test_a_day_that_isnt_there_yet_is_waited_for_and_given_up_at_last(
    rehearsal: Rehearsal, make: Callable[[Rehearsal], None], error: type[BackupError], reason: str
) -> None:
    """With the same reason, and without a trace in the vault."""
    make(rehearsal)
    before = tree(Path(rehearsal.vault_root))
    with rehearsal.but(waits=True).backup() as backup:
        with pytest.raises(NotYetError) as later:
            backup.copy()
        with pytest.raises(error) as given_up:
            replace(backup, give_up_at=datetime.now(UTC)).copy()
    assert str(later.value).startswith(f"2026-268 can't be secured. {reason} Looking again in 5 s, until 20")
    assert str(later.value).endswith(" UTC.")
    assert later.value.retry_in_s == 5
    assert type(given_up.value) is error
    assert str(given_up.value) == f"2026-268 can't be secured. {reason}"
    after = tree(Path(rehearsal.vault_root))
    assert after.keys() - before.keys() == {".lock", ".staging", ".staging/supim"}


def test_a_day_that_becomes_complete_is_secured(rehearsal: Rehearsal) -> None:
    """By the next look."""
    supim.half_write(rehearsal.write_day())
    with pytest.raises(NotYetError):
        rehearsal.but(waits=True).do("copy")
    rehearsal.write_day()
    rehearsal.do()
    assert rehearsal.is_published()


def test_a_day_that_is_there_twice_is_a_persons_matter(rehearsal: Rehearsal) -> None:
    """In two paddings: which one is the day? Waiting won't tell."""
    rehearsal = rehearsal.but(day="2026-007")
    rehearsal.write_day()
    other = rehearsal.write_day(folder="{year}/{day}")
    with pytest.raises(DayUnusableError) as twice:
        rehearsal.but(waits=True).do("copy")
    assert str(twice.value) == (
        "2026-007 can't be secured. The source has it twice, as '2026/007', '2026/7'. Remove one of them."
    )
    other.rename(other.with_name("old"))
    rehearsal.do()
    assert rehearsal.is_published()


@pytest.mark.parametrize("folder", ["{year}/{day}", "{year}/{day:02d}"])
def test_a_day_in_another_padding_is_found_and_published_under_three_digits(
    rehearsal: Rehearsal, folder: str
) -> None:
    """The vault has one spelling."""
    rehearsal = rehearsal.but(day="2026-007")
    written = rehearsal.write_day(folder=folder)
    record = rehearsal.do()
    assert record
    assert record.origin.folder == str(written)
    assert rehearsal.published_names() == ["007"]


@pytest.mark.parametrize("folder", ["{year}/{day:03d} -> elsewhere", "{year} -> elsewhere"])
def test_a_day_behind_a_link_at_the_source_is_secured(rehearsal: Rehearsal, folder: str) -> None:
    """Clusters move full disks' folders and leave links; what lies in the day itself isn't followed."""
    written = rehearsal.write_day()
    moved = written if "day" in folder else written.parent
    elsewhere = moved.rename(Path(rehearsal.source, "elsewhere"))
    moved.symlink_to(elsewhere)
    rehearsal.do()
    assert rehearsal.is_published()


@pytest.fixture
def bound(rehearsal: Rehearsal, own_cluster: SshServer) -> Rehearsal:
    """A source whose user is bound by file modes."""
    bind_by_modes(own_cluster)
    return rehearsal.but(connection=own_cluster.connection)


def test_a_day_with_an_unreadable_part_is_a_persons_matter(bound: Rehearsal) -> None:
    """A descriptor or folder is noticed by looking, a data file when it is read; nothing is published."""
    folder = bound.write_day()
    (folder / "sub").mkdir()
    for name in ("descriptor.ctl.2026.268.12.0h", "sub"):
        mode = (folder / name).stat().st_mode
        (folder / name).chmod(0)
        with pytest.raises(DayUnusableError) as refused:
            bound.but(waits=True).do("copy")
        assert str(refused.value) == f"2026-268 can't be secured. The source's user can't read '{name}'."
        (folder / name).chmod(mode)
    data = folder / "data.dat.2026.268.12.0h"
    data.chmod(0)
    with pytest.raises(DayUnusableError, match=r"The source's user can't read"):
        bound.do("copy")
    assert bound.published() == []
    data.chmod(0o644)
    bound.do()
    assert bound.is_published()


def test_a_root_that_cant_be_read_or_isnt_there_is_no_source_without_days(bound: Rehearsal) -> None:
    """A disk that isn't mounted at the source must not look like a day that isn't finished."""
    bound.write_day()
    root = Path(bound.source)
    root.chmod(0)
    with pytest.raises(SourceRefusedError, match=f"The source's user can't read {root}"):
        bound.but(waits=True).do("copy")
    root.chmod(0o755)
    root.rename(root.with_name("unmounted"))
    with pytest.raises(SourceRefusedError, match=f"The source has no folder {root}. Is it mounted there?"):
        bound.but(waits=True).do("copy")


def test_a_root_with_any_name_is_no_words_of_a_shell(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Neither for the agent nor for rsync."""
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
