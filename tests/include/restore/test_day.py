"""A day is restored exactly as it is in the vault, here or behind SSH, and never over a different file."""

import stat
from pathlib import Path

import pytest

from include.errors import (
    DayNotVerifiedError,
    NotInVaultError,
    RescheduleError,
    TargetError,
    TargetOccupiedError,
)
from include.results.states import Outcome, State
from tests.include.days.day_tasks import contents
from tests.include.days.sample_days import DAY, hashed, tree
from tests.include.restore.day_restores import HARD, PLAIN, Work, damage, publish


def test_a_day_is_restored_with_all_its_names_links_and_times(work: Work) -> None:
    """Also names that are special in a shell or a list. The owner may change the files."""
    published = publish(work.vault, HARD)
    before = tree(work.vault.root)
    item = work.restore()

    assert contents(work.day) == contents(published.folder)
    assert len(contents(work.day)) == len(HARD) + 5  # three folders, two links
    assert tree(work.vault.root) == before
    assert (item.outcome, item.state, item.files) == (Outcome.RESTORED, State.PASSED, len(HARD))
    assert item.size_bytes == sum(map(len, HARD.values()))
    assert item.reason == f"To {target_name(work)}: {len(HARD)} files sent, 0 there already."
    assert item.verification == f"SHA-256 of {len(HARD)} files equal in the vault and at {target_name(work)}"
    assert item.warnings == ()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in work.day.rglob("*") if not path.is_symlink()}
    assert modes == {0o644, 0o755}
    assert work.left_over() == []


def target_name(work: Work) -> str:
    """Return the target's name in messages."""
    return f"{work.ssh_conn_id}:{work.folder}" if work.ssh_conn_id else work.folder


def test_identical_files_are_left_unchanged(work: Work) -> None:
    """A second restore sends nothing, or only what is missing."""
    publish(work.vault, PLAIN)
    work.restore()
    before = tree(work.day)
    assert work.restore().files == 0
    assert tree(work.day) == before

    inode = (work.day / "b").stat().st_ino
    (work.day / "a").unlink()
    (work.day / "link").unlink()
    item = work.restore()
    assert (item.files, (work.day / "b").stat().st_ino) == (1, inode)
    assert item.reason.endswith("1 file sent, 2 there already.")
    assert (work.day / "link").readlink() == Path("a")


def test_damage_in_the_vault_is_recorded(here: Work) -> None:
    """Scrubs and retention heed it. A dry run doesn't record it, and it is recorded once."""
    published = publish(here.vault, PLAIN)
    damage(published, "b")
    for form in ({"dry_run": True}, {}, {"pattern": "b"}):
        with pytest.raises(DayNotVerifiedError):
            here.restore(**form)
    [found] = published.verification_log.read()
    assert (found.what, found.result, found.run) == ("restore", "failed", "a restore")
    assert found.how == "'b' isn't as published."


def test_different_files_are_refused_by_name_and_nothing_is_written(work: Work) -> None:
    """Files of other names don't matter."""
    publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    (work.day / "a").write_bytes(b"mine")
    (work.day / "link").write_bytes(b"mine too")
    (work.day / "somebody's").write_bytes(b"x")
    before = tree(Path(work.folder))

    with pytest.raises(TargetOccupiedError, match=r"names of 2026-268: 'a', 'link' differs there"):
        work.restore()
    assert tree(Path(work.folder)) == before


def test_with_overwrite_different_files_are_replaced_and_named(work: Work) -> None:
    """A link with the name of a file is replaced itself; its target isn't changed."""
    published = publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.write_bytes(b"precious")
    (work.day / "a").symlink_to(elsewhere)
    (work.day / "b").write_bytes(b"other")
    (work.day / "link").write_bytes(b"no link")
    (work.day / "somebody's").write_bytes(b"x")

    item = work.restore(overwrite=True)

    assert item.warnings == ("3 different files overwritten there: 'a', 'b', 'link'.",)
    assert elsewhere.read_bytes() == b"precious"
    assert (work.day / "somebody's").read_bytes() == b"x"
    (work.day / "somebody's").unlink()
    assert contents(work.day) == contents(published.folder)
    assert work.left_over() == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_in_the_place_of_a_folder_is_never_followed(work: Work, *, overwrite: bool) -> None:
    """Not even with overwrite: it may lead anywhere."""
    publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.mkdir()
    (work.day / "sub").symlink_to(elsewhere)

    with pytest.raises(TargetOccupiedError, match=r"'sub' is a link there, but a folder in the vault"):
        work.restore(overwrite=overwrite)
    assert list(elsewhere.iterdir()) == []
    assert [path.name for path in work.day.iterdir()] == ["sub"]


def test_a_folder_in_the_place_of_a_file_is_never_removed(work: Work) -> None:
    """It may contain a user's own files."""
    publish(work.vault, PLAIN)
    (work.day / "a" / "work").mkdir(parents=True)
    with pytest.raises(TargetOccupiedError, match=r"'a' is a folder there, but a file in the vault"):
        work.restore(overwrite=True)
    assert (work.day / "a" / "work").is_dir()


def test_a_pattern_restores_some_files(work: Work) -> None:
    """By name or path, with the folders above them, and nothing else."""
    publish(work.vault, {"x.ctl.1": b"1", "x.dat.1": b"2", "sub/y.ctl.2": b"3", "sub/z": b"4"})
    item = work.restore(pattern="*.ctl*")
    assert set(contents(work.day)) == {"sub", "x.ctl.1", "sub/y.ctl.2"}
    assert item.files == 2
    assert item.reason.endswith("Only files that match *.ctl*.")

    work.restore(pattern="y.ctl.?")
    with pytest.raises(NotInVaultError, match=r"No file in .* matches 'z.ctl'"):
        work.restore(pattern="z.ctl")


def test_a_dry_run_checks_both_ends_and_writes_nothing(work: Work) -> None:
    """It reports what would be sent, overwritten or refused."""
    publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    (work.day / "a").write_bytes(b"other")
    before = tree(Path(work.folder))

    item = work.restore(dry_run=True, overwrite=True)
    assert (item.outcome, item.state) == (Outcome.WOULD_RESTORE, State.NOT_CHECKED)
    assert item.warnings == ("1 different file would be overwritten there: 'a'.",)
    assert item.reason.endswith("3 files would be sent, 0 there already.")
    with pytest.raises(TargetOccupiedError):
        work.restore(dry_run=True)
    assert tree(Path(work.folder)) == before


def test_nothing_is_restored_into_a_vault(work: Work) -> None:
    """Not even through a link, nor into another vault."""
    publish(work.vault, PLAIN)
    before = tree(work.vault.root)
    Path(work.folder, "2026").symlink_to(work.vault.root / "supim" / "2026")
    for folder in (str(work.vault.root), str(work.vault.root / "supim"), work.folder):
        with pytest.raises(TargetError, match=r"is in the vault '.*'. Restore to a folder outside"):
            work.but(folder=folder).restore(overwrite=True)
    assert tree(work.vault.root) == before


def test_the_target_folder_is_created_but_not_its_parent(work: Work) -> None:
    """An unmounted disk isn't mistaken for an empty one."""
    publish(work.vault, PLAIN)
    work.but(folder=f"{work.folder}/new").restore()
    assert Path(work.folder, "new", "2026", "268", "a").exists()
    with pytest.raises(TargetError, match=r"The parent folder of .* doesn't exist"):
        work.but(folder=f"{work.folder}/not mounted/new").restore()


def test_a_day_is_restored_into_a_folder_with_other_padding(work: Work) -> None:
    """So the target doesn't have it twice; if it has, a person must choose."""
    publish(work.vault, PLAIN, DAY.parse("2026-007"))
    other = Path(work.folder, "2026", "7")
    other.mkdir(parents=True)
    work.restore("2026-007")
    assert [path.name for path in other.parent.iterdir()] == ["7"]
    assert (other / "a").exists()

    (other.parent / "007").mkdir()
    with pytest.raises(TargetOccupiedError, match=r"has the day twice, as '2026/007' and '2026/7'"):
        work.restore("2026-007")


def test_a_day_that_is_a_file_there_is_refused(work: Work) -> None:
    """The file isn't changed."""
    publish(work.vault, PLAIN)
    work.day.parent.mkdir()
    work.day.write_bytes(b"x")
    with pytest.raises(TargetOccupiedError, match=r"that isn't a folder"):
        work.restore()
    assert work.day.read_bytes() == b"x"


def test_a_second_restore_of_the_same_day_waits(work: Work) -> None:
    """A kernel lock at the target keeps it out, also from another machine."""
    published = publish(work.vault, PLAIN)
    with work.of() as first:
        at_target = first.target.survey(DAY, hashed(published.folder))
        first.target._ask(do="begin", day=at_target.state.day, selected={})  # noqa: SLF001 - keeps it locked
        with pytest.raises(RescheduleError, match=r"Another restore of the day is running"):
            work.restore()
        assert not work.day.exists()
    work.restore()
    assert contents(work.day) == contents(published.folder)
