"""The backup of a day from the cluster into the vault: copy, verify, publish."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.errors import DayNotVerifiedError, NotSettledError
from tests.include.days.day_tasks import ALL_STEPS, Rehearsal, Step
from tests.include.days.sample_days import DAY, tree
from tests.site import supim

LAST = "data.dat.2026.268.12.0h"


def rewrite(path: Path, *, keep_time: bool = False) -> None:
    """Change a byte in the middle of a file, but not its size; ``keep_time`` keeps its time, too."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    moved = 0 if keep_time else 1_000_000_007
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + moved))


def test_a_day_is_copied_verified_and_published(rehearsal: Rehearsal) -> None:
    """To the byte, with its times; the record has its size, source, time and verification."""
    folder, began = rehearsal.write_day(), datetime.now(UTC)
    record = rehearsal.do()
    (published,) = rehearsal.published()
    assert rehearsal.is_published()
    assert record == published.record
    assert (record.day, record.revision, record.run) == (DAY, 1, "this run")
    assert (record.origin.ssh_conn_id, record.origin.folder) == ("supim_cluster", str(folder))
    sizes = [path.stat().st_size for path in folder.iterdir()]
    assert (record.files, record.bytes, record.steps) == (4, sum(sizes), 2)
    assert record.warnings == []
    assert [verification.how for verification in record.verifications] == [
        "SHA-256 of 4 files equal at both ends; 2 descriptors match"
    ]
    assert began <= record.copied <= record.verifications[0].when <= datetime.now(UTC)
    assert published.folder.stat().st_mode & 0o777 == 0o555
    assert not DayArchive(rehearsal.vault).staged(DAY).folder.exists()


def test_copy_and_verification_are_logged(rehearsal: Rehearsal) -> None:
    """With a line each."""
    rehearsal.write_day()
    rehearsal.do()
    copied, checked = rehearsal.log_lines
    assert copied.startswith("2026-268: 4 files, ")
    assert " bytes copied in " in copied
    assert checked == "2026-268: SHA-256 of 4 files equal at both ends; 2 descriptors match."


@pytest.mark.parametrize("again", [ALL_STEPS, ("copy",), ("verify",), ("publish",)])
def test_a_repeated_step_changes_nothing(rehearsal: Rehearsal, again: tuple[Step, ...]) -> None:
    """A cleared task returns the record of the published day."""
    rehearsal.write_day()
    record = rehearsal.do()
    before = tree(Path(rehearsal.vault_root))
    assert rehearsal.but(run="a later run").do(*again) == record
    after = tree(Path(rehearsal.vault_root))
    assert {name for name in before if before[name] != after.get(name)} <= {".staging/supim"}
    assert after.keys() == before.keys()


def test_each_step_can_be_a_task_of_its_own(rehearsal: Rehearsal) -> None:
    """And be repeated before the next."""
    rehearsal.write_day()
    for step in ALL_STEPS:
        rehearsal.do(step)
        rehearsal.do(step)
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()


def test_a_day_of_which_only_times_changed_gets_no_revision(rehearsal: Rehearsal) -> None:
    """The published copy and the source are hashed to find out."""
    folder = rehearsal.write_day()
    record = rehearsal.do()
    before = tree(rehearsal.published()[0].folder)
    os.utime(folder / LAST)
    assert rehearsal.do() == record
    assert rehearsal.log_lines[-1] == "2026-268: only times differ from the published copy; hashing both."
    assert rehearsal.published_names() == ["268"]
    assert tree(rehearsal.published()[0].folder) == before


def test_a_changed_day_is_published_beside_the_first(rehearsal: Rehearsal) -> None:
    """The first isn't touched, unchanged files share their space, and changing it back is a change."""
    folder = rehearsal.write_day()
    rehearsal.do()
    first = rehearsal.published()[0]
    before = tree(first.folder)
    for names in (["268", "268.r2"], ["268", "268.r2", "268.r3"]):
        rewrite(folder / LAST)
        record = rehearsal.do()
        assert record
        assert rehearsal.published_names() == names
        assert rehearsal.is_published()
        assert record.revision == len(names)
        newest = rehearsal.published()[-1].folder
        assert not (newest / LAST).samefile(first.folder / LAST)
        shared = [path.name for path in newest.iterdir() if path.samefile(first.folder / path.name)]
        assert len(shared) == 3
    assert tree(first.folder) == before


@pytest.mark.parametrize("change", ["added", "removed", "became a folder", "became a link"])
def test_any_change_makes_a_version(rehearsal: Rehearsal, change: str) -> None:
    """Not only a change of a file's content."""
    rehearsal = rehearsal.but(steps_per_day=None)
    folder = rehearsal.write_files(a=b"a", b=b"b")
    rehearsal.do()
    if change != "added":
        (folder / "b").unlink()
    if change == "added":
        (folder / "c").write_bytes(b"c")
    elif change == "became a folder":
        (folder / "b" / "deep").mkdir(parents=True)
    elif change == "became a link":
        (folder / "b").symlink_to("a")
    rehearsal.do()
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert rehearsal.is_published()


def test_without_a_descriptor_check_a_folder_of_any_content_is_backed_up(rehearsal: Rehearsal) -> None:
    """The record says that descriptors weren't checked."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(a=b"a", empty=b"")
    record = rehearsal.do()
    assert record
    assert record.steps is None
    assert record.verifications[0].how == "SHA-256 of 2 files equal at both ends; descriptors not checked"
    assert rehearsal.is_published()


def test_a_large_day_in_deep_folders_is_backed_up(rehearsal: Rehearsal) -> None:
    """With 96 time steps, and with empty folders."""
    supim.write_day(Path(rehearsal.source), DAY, steps=96, folder=rehearsal.folder / "run" / "1")
    (rehearsal.folder / "empty" / "deeper").mkdir(parents=True)
    rehearsal.but(steps_per_day=96).do()
    assert rehearsal.is_published()
    assert (rehearsal.published()[0].folder / "empty" / "deeper").is_dir()


@pytest.mark.parametrize("steps", [(), ("copy",)])
def test_what_isnt_verified_isnt_published(rehearsal: Rehearsal, steps: tuple[Step, ...]) -> None:
    """Whether nothing was copied, or the copy wasn't verified."""
    rehearsal.write_day()
    if steps:
        rehearsal.do(*steps)
    with pytest.raises(
        DayNotVerifiedError, match=r"2026-268 has no verified copy in the vault\. Clear its copy"
    ):
        rehearsal.do("publish")
    assert rehearsal.published() == []
    rehearsal.do()
    assert rehearsal.is_published()


def test_an_unverified_change_isnt_taken_for_the_published_day(rehearsal: Rehearsal) -> None:
    """An older revision is published, but the newer one isn't safe yet."""
    folder = rehearsal.write_day()
    rehearsal.do()
    rewrite(folder / LAST)
    rehearsal.do("copy")
    with pytest.raises(DayNotVerifiedError):
        rehearsal.do("publish")
    assert rehearsal.published_names() == ["268"]
    rehearsal.do()
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert rehearsal.is_published()


def test_a_copy_that_decayed_after_its_verification_isnt_published(rehearsal: Rehearsal) -> None:
    """A second verification finds it, and the first one no longer counts."""
    rehearsal.write_day()
    rehearsal.do("copy", "verify")
    rewrite(DayArchive(rehearsal.vault).staged(DAY).data / LAST, keep_time=True)
    with pytest.raises(NotSettledError, match=f"checksum mismatch in '{LAST}'"):
        rehearsal.do("verify")
    with pytest.raises(DayNotVerifiedError):
        rehearsal.do("publish")
    assert rehearsal.published() == []
    rehearsal.do()
    assert rehearsal.is_published()


def test_a_change_that_keeps_size_and_time_is_found_by_hash(rehearsal: Rehearsal) -> None:
    """Rsync takes the file for unchanged; the next try to verify the day copies it again."""
    folder = rehearsal.write_day()
    rehearsal.do("copy")
    rewrite(folder / LAST, keep_time=True)
    rehearsal.do("copy")
    with pytest.raises(NotSettledError) as unsettled:
        rehearsal.do("verify")
    assert str(unsettled.value) == (
        f"2026-268: checksum mismatch in '{LAST}'. Nothing was published; the next try copies it again."
    )
    assert rehearsal.published() == []
    rehearsal.do("verify", "publish")
    assert rehearsal.is_published()


@pytest.mark.parametrize("change", ["changed", "added"])
def test_a_change_between_copy_and_verification_is_found(rehearsal: Rehearsal, change: str) -> None:
    """The published day equals the source at the time of its verification; the next try copies the change."""
    folder = rehearsal.write_day()
    rehearsal.do("copy")
    path = folder / (LAST if change == "changed" else "new")
    if change == "changed":
        rewrite(path)
    else:
        path.write_bytes(b"new")
    with pytest.raises(NotSettledError, match=f"changed at the source during the copy: '{path.name}'"):
        rehearsal.do("verify")
    with pytest.raises(DayNotVerifiedError):
        rehearsal.do("publish")
    assert rehearsal.published() == []
    rehearsal.do()
    assert rehearsal.is_published()


@pytest.mark.parametrize("gone", ["file", "day"])
def test_what_the_source_drops_after_the_copy_is_kept(rehearsal: Rehearsal, gone: str) -> None:
    """It was hashed there, so it can be verified, and the vault's copy may now be the only one."""
    folder = rehearsal.write_day()
    rehearsal.do("copy")
    if gone == "file":
        (folder / LAST).unlink()
    else:
        folder.rename(folder.with_name("removed"))
    rehearsal.do("verify", "publish")
    (published,) = rehearsal.published()
    assert len(list(published.folder.iterdir())) == 4


def test_a_copy_that_is_no_complete_day_is_not_verified(rehearsal: Rehearsal) -> None:
    """Its bytes are right, but it has too few descriptors for the site."""
    rehearsal.write_day()
    rehearsal.do("copy")
    with pytest.raises(DayNotVerifiedError) as refused:
        rehearsal.but(steps_per_day=3).do("verify")
    assert str(refused.value) == "2026-268 is no complete SUPIM day. 2 of 3 time steps are complete."
    with pytest.raises(DayNotVerifiedError):
        rehearsal.do("publish")
    assert rehearsal.published() == []


def test_a_published_copy_that_is_found_decayed_gets_a_revision(rehearsal: Rehearsal) -> None:
    """It isn't repaired in place: what is published never changes."""
    folder = rehearsal.write_day()
    rehearsal.do()
    decayed = DayArchive(rehearsal.vault).revisions(DAY)[0].folder / LAST
    decayed.chmod(0o644)
    rewrite(decayed, keep_time=True)
    os.utime(folder / LAST)
    rehearsal.do()
    first, second = DayArchive(rehearsal.vault).revisions(DAY)
    assert (second.folder / LAST).read_bytes() == (folder / LAST).read_bytes()
    assert (first.folder / LAST).read_bytes() != (folder / LAST).read_bytes()


def test_a_published_day_without_a_readable_record_gets_a_revision(rehearsal: Rehearsal) -> None:
    """Without its record it counts as unverified."""
    rehearsal.write_day()
    rehearsal.do()
    damaged = rehearsal.published()[0].record_file
    damaged.chmod(0o644)
    damaged.write_text("{")
    record = rehearsal.do()
    assert record
    assert record.revision == 2
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert damaged.read_text() == "{"


def test_a_foreign_folder_of_the_days_name_stays_as_it_is(rehearsal: Rehearsal) -> None:
    """Somebody copied the day by hand, before there was a vault."""
    foreign = Path(rehearsal.vault_root, "supim", "2026", "268")
    foreign.mkdir(parents=True)
    (foreign / LAST).write_bytes(b"mine")
    before = tree(foreign)
    rehearsal.write_day()
    rehearsal.do()
    assert tree(foreign) == before
    assert rehearsal.published_names() == ["268.r2"]
    assert rehearsal.is_published()
