"""A day comes back as it is in the vault, to a folder here or behind SSH, and never over another file."""

import stat
from pathlib import Path

import pytest

from include.errors import DayNotProvenError, NotInVaultError, NotYetError, TargetError, TargetOccupiedError
from include.report import Outcome, State
from tests.include.days import DAY, hashed, tree
from tests.include.rehearsal import contents
from tests.include.restore.work import HARD, PLAIN, Work, damage, publish


def test_a_day_comes_back_with_all_its_names_links_and_times(work: Work) -> None:
    """Names that a shell, a list or a line would take for something else; and its owner may change it."""
    published = publish(work.vault, HARD)
    before = tree(work.vault.root)
    item = work.restore()

    assert contents(work.day) == contents(published.folder)
    assert len(contents(work.day)) == len(HARD) + 5  # three folders, two links
    assert tree(work.vault.root) == before
    assert (item.outcome, item.state, item.files) == (Outcome.RESTORED, State.PASSED, len(HARD))
    assert item.size_bytes == sum(map(len, HARD.values()))
    assert item.reason == f"To {told(work)}: {len(HARD)} files sent, 0 there already."
    assert item.proof == f"SHA-256 of {len(HARD)} files equal in the vault and at {told(work)}"
    assert item.warnings == ()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in work.day.rglob("*") if not path.is_symlink()}
    assert modes == {0o644, 0o755}
    assert work.left_over() == []


def told(work: Work) -> str:
    """Give what the target is called."""
    return f"{work.connection}:{work.folder}" if work.connection else work.folder


def test_what_is_there_already_is_left_as_it_is(work: Work) -> None:
    """A second time nothing is sent; what was lost meanwhile is sent alone."""
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


def test_damage_that_it_finds_is_added_to_the_proofs(here: Work) -> None:
    """So that audits and retention know of it; not by a dry run, and not twice."""
    published = publish(here.vault, PLAIN)
    damage(published, "b")
    for form in ({"dry_run": True}, {}, {"pattern": "b"}):
        with pytest.raises(DayNotProvenError):
            here.restore(**form)
    [found] = published.proofs.read()
    assert (found.what, found.result, found.run) == ("audit", "failed", "a restore")
    assert found.how == "A restore found it: 'b' isn't as published."


def test_other_files_are_refused_by_name_and_nothing_of_the_day_is_written(work: Work) -> None:
    """Neither those that are in the way nor the others; strangers' files don't matter."""
    publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    (work.day / "a").write_bytes(b"mine")
    (work.day / "link").write_bytes(b"mine too")
    (work.day / "somebody's").write_bytes(b"x")
    before = tree(Path(work.folder))

    with pytest.raises(TargetOccupiedError, match=r"names of 2026-268: 'a', 'link' is another there"):
        work.restore()
    assert tree(Path(work.folder)) == before


def test_with_overwrite_other_files_are_replaced_and_named(work: Work) -> None:
    """A link that has the name of a file is replaced itself; what it leads to isn't touched."""
    published = publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.write_bytes(b"precious")
    (work.day / "a").symlink_to(elsewhere)
    (work.day / "b").write_bytes(b"other")
    (work.day / "link").write_bytes(b"no link")
    (work.day / "somebody's").write_bytes(b"x")

    item = work.restore(overwrite=True)

    assert item.warnings == ("3 other files overwritten there: 'a', 'b', 'link'.",)
    assert elsewhere.read_bytes() == b"precious"
    assert (work.day / "somebody's").read_bytes() == b"x"
    (work.day / "somebody's").unlink()
    assert contents(work.day) == contents(published.folder)
    assert work.left_over() == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_in_the_place_of_a_folder_is_never_written_through(work: Work, overwrite: bool) -> None:  # noqa: FBT001 - parametrized
    """With overwrite, too: it may lead anywhere."""
    publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.mkdir()
    (work.day / "sub").symlink_to(elsewhere)

    with pytest.raises(TargetOccupiedError, match=r"'sub' is a link there, and a folder in the vault"):
        work.restore(overwrite=overwrite)
    assert list(elsewhere.iterdir()) == []
    assert [path.name for path in work.day.iterdir()] == ["sub"]


def test_a_folder_in_the_place_of_a_file_is_never_removed(work: Work) -> None:
    """It may hold a person's own work."""
    publish(work.vault, PLAIN)
    (work.day / "a" / "work").mkdir(parents=True)
    with pytest.raises(TargetOccupiedError, match=r"'a' is a folder there, and a file in the vault"):
        work.restore(overwrite=True)
    assert (work.day / "a" / "work").is_dir()


def test_a_pattern_brings_back_some_files(work: Work) -> None:
    """By bare name or path, with the folders above them, and nothing else."""
    publish(work.vault, {"x.ctl.1": b"1", "x.dat.1": b"2", "sub/y.ctl.2": b"3", "sub/z": b"4"})
    item = work.restore(pattern="*.ctl*")
    assert set(contents(work.day)) == {"sub", "x.ctl.1", "sub/y.ctl.2"}
    assert item.files == 2
    assert item.reason.endswith("Only what matches *.ctl*.")

    work.restore(pattern="y.ctl.?")
    with pytest.raises(NotInVaultError, match=r"No file of 2026-268 in .* matches 'z.ctl'"):
        work.restore(pattern="z.ctl")


def test_a_dry_run_looks_at_both_ends_and_writes_nothing(work: Work) -> None:
    """It says what would be sent, overwritten, or refused."""
    publish(work.vault, PLAIN)
    work.day.mkdir(parents=True)
    (work.day / "a").write_bytes(b"other")
    before = tree(Path(work.folder))

    item = work.restore(dry_run=True, overwrite=True)
    assert (item.outcome, item.state) == (Outcome.WOULD_RESTORE, State.NOT_CHECKED)
    assert item.warnings == ("1 other file would be overwritten there: 'a'.",)
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
        with pytest.raises(TargetError, match=r"lies in the vault '.*': nothing is restored there"):
            work.but(folder=folder).restore(overwrite=True)
    assert tree(work.vault.root) == before


def test_a_folder_is_made_in_one_that_is_there_and_no_more(work: Work) -> None:
    """Else a disk that isn't mounted would be taken for an empty one."""
    publish(work.vault, PLAIN)
    work.but(folder=f"{work.folder}/new").restore()
    assert Path(work.folder, "new", "2026", "268", "a").exists()
    with pytest.raises(TargetError, match=r"lies in a folder that isn't there"):
        work.but(folder=f"{work.folder}/not mounted/new").restore()


def test_a_day_whose_folder_is_padded_otherwise_there_goes_into_it(work: Work) -> None:
    """So that a cluster doesn't have it twice; where it has, a person must choose."""
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
    """Whatever it is."""
    publish(work.vault, PLAIN)
    work.day.parent.mkdir()
    work.day.write_bytes(b"x")
    with pytest.raises(TargetOccupiedError, match=r"that is no folder"):
        work.restore()
    assert work.day.read_bytes() == b"x"


def test_a_second_restore_at_the_same_time_waits(work: Work) -> None:
    """A kernel lock at the target keeps it off, from another machine, too."""
    published = publish(work.vault, PLAIN)
    with work.of() as one:
        wanted = one.target.survey(DAY, hashed(published.folder))
        one.target._ask(do="begin", day=wanted.day, wanted={})  # noqa: SLF001 - to hold it as long as the test
        with pytest.raises(NotYetError, match=r"Another restore of the day is at"):
            work.restore()
        assert not work.day.exists()
    work.restore()
    assert contents(work.day) == contents(published.folder)
