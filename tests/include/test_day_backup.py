"""A day on its way from the cluster into the vault: copied, proven, published."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.errors import DayNotProvenError, NotSettledError
from tests.include.days import DAY, tree
from tests.include.rehearsal import ALL_STEPS, Rehearsal, Step
from tests.site import supim

LAST = "data.dat.2026.268.12.0h"


def rewrite(path: Path, *, keep_time: bool = False) -> None:
    """Change a byte in the middle of a file; its size stays, and its time if told so."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    moved = 0 if keep_time else 1_000_000_007
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + moved))


def test_a_day_is_copied_proven_and_published(rehearsal: Rehearsal) -> None:
    """To the byte, with its times; the record says what it is, where from, when and how proven."""
    folder, began = rehearsal.write_day(), datetime.now(UTC)
    record = rehearsal.do()
    (published,) = rehearsal.published()
    assert rehearsal.is_published()
    assert record == published.record
    assert (record.day, record.revision, record.run) == (DAY, 1, "this run")
    assert (record.origin.connection, record.origin.folder) == ("supim_cluster", str(folder))
    sizes = [path.stat().st_size for path in folder.iterdir()]
    assert (record.files, record.bytes, record.steps) == (4, sum(sizes), 2)
    assert record.warnings == []
    assert [proof.how for proof in record.proofs] == [
        "SHA-256 of 4 files equal at both ends; 2 descriptors hold"
    ]
    assert began <= record.copied <= record.proofs[0].when <= datetime.now(UTC)
    assert published.folder.stat().st_mode & 0o777 == 0o555
    assert not rehearsal.vault.staged(DAY).folder.exists()


def test_it_says_how_it_goes(rehearsal: Rehearsal) -> None:
    """A line for the copy and one for the proof, for the task's log."""
    rehearsal.write_day()
    rehearsal.do()
    copied, checked = rehearsal.said
    assert copied.startswith("2026-268: 4 files, ")
    assert " bytes copied in " in copied
    assert checked == "2026-268: SHA-256 of 4 files equal at both ends; 2 descriptors hold."


@pytest.mark.parametrize("again", [ALL_STEPS, ("copy",), ("prove",), ("publish",)])
def test_a_step_taken_again_changes_nothing(rehearsal: Rehearsal, again: tuple[Step, ...]) -> None:
    """Whoever clears a task gets the record of what is there."""
    rehearsal.write_day()
    record = rehearsal.do()
    before = tree(Path(rehearsal.vault_root))
    assert rehearsal.but(run="a later run").do(*again) == record
    after = tree(Path(rehearsal.vault_root))
    assert {name for name in before if before[name] != after.get(name)} <= {".staging/supim"}
    assert after.keys() == before.keys()


def test_each_step_can_be_a_task_of_its_own(rehearsal: Rehearsal) -> None:
    """And be done twice before the next."""
    rehearsal.write_day()
    for step in ALL_STEPS:
        rehearsal.do(step)
        rehearsal.do(step)
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()


def test_a_day_that_was_only_touched_is_no_new_version(rehearsal: Rehearsal) -> None:
    """Both are hashed to know."""
    folder = rehearsal.write_day()
    record = rehearsal.do()
    before = tree(rehearsal.published()[0].folder)
    os.utime(folder / LAST)
    assert rehearsal.do() == record
    assert rehearsal.said[-1] == "2026-268: only times differ from the published copy; hashing both."
    assert rehearsal.published_names() == ["268"]
    assert tree(rehearsal.published()[0].folder) == before


def test_a_changed_day_is_published_beside_the_first(rehearsal: Rehearsal) -> None:
    """The first isn't touched, and what didn't change takes no room twice; changing it back is a change."""
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
    """Not only of a file's content."""
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


def test_a_folder_of_any_content_is_secured_where_descriptors_dont_decide(rehearsal: Rehearsal) -> None:
    """The record says that they weren't checked."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(a=b"a", empty=b"")
    record = rehearsal.do()
    assert record
    assert record.steps is None
    assert record.proofs[0].how == "SHA-256 of 2 files equal at both ends; descriptors not checked"
    assert rehearsal.is_published()


def test_a_large_day_in_deep_folders_is_secured(rehearsal: Rehearsal) -> None:
    """More files than a block of answers holds, empty folders, an hour of 96."""
    supim.write_day(Path(rehearsal.source), DAY, steps=96, folder=rehearsal.folder / "run" / "1")
    (rehearsal.folder / "empty" / "deeper").mkdir(parents=True)
    rehearsal.but(steps_per_day=96).do()
    assert rehearsal.is_published()
    assert (rehearsal.published()[0].folder / "empty" / "deeper").is_dir()


@pytest.mark.parametrize("steps", [(), ("copy",)])
def test_what_isnt_proven_isnt_published(rehearsal: Rehearsal, steps: tuple[Step, ...]) -> None:
    """Nothing copied, or copied and not proven."""
    rehearsal.write_day()
    if steps:
        rehearsal.do(*steps)
    with pytest.raises(DayNotProvenError, match=r"2026-268 has no proven copy in the vault\. Clear its copy"):
        rehearsal.do("publish")
    assert rehearsal.published() == []
    rehearsal.do()
    assert rehearsal.is_published()


def test_an_unproven_change_isnt_taken_for_the_published_day(rehearsal: Rehearsal) -> None:
    """The day is published in an older version; that isn't an answer to whether the newer one is safe."""
    folder = rehearsal.write_day()
    rehearsal.do()
    rewrite(folder / LAST)
    rehearsal.do("copy")
    with pytest.raises(DayNotProvenError):
        rehearsal.do("publish")
    assert rehearsal.published_names() == ["268"]
    rehearsal.do()
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert rehearsal.is_published()


def test_a_proof_that_was_refuted_since_proves_nothing(rehearsal: Rehearsal) -> None:
    """The copy decayed in staging between one proof and the next."""
    rehearsal.write_day()
    rehearsal.do("copy", "prove")
    rewrite(rehearsal.vault.staged(DAY).data / LAST, keep_time=True)
    with pytest.raises(NotSettledError, match=f"'{LAST}' arrived other than the source hashed it"):
        rehearsal.do("prove")
    with pytest.raises(DayNotProvenError):
        rehearsal.do("publish")
    assert rehearsal.published() == []
    rehearsal.do()
    assert rehearsal.is_published()


def test_a_change_that_keeps_size_and_time_is_found_by_hash(rehearsal: Rehearsal) -> None:
    """What rsync takes for the same isn't; it's copied again, by the next try to prove it."""
    folder = rehearsal.write_day()
    rehearsal.do("copy")
    rewrite(folder / LAST, keep_time=True)
    rehearsal.do("copy")
    with pytest.raises(NotSettledError) as unsettled:
        rehearsal.do("prove")
    assert str(unsettled.value) == (
        f"2026-268 isn't settled: '{LAST}' arrived other than the source hashed it. "
        "Nothing was published; another try copies it again."
    )
    assert rehearsal.published() == []
    rehearsal.do("prove", "publish")
    assert rehearsal.is_published()


@pytest.mark.parametrize("change", ["changed", "added"])
def test_a_change_between_copy_and_proof_is_not_settled(rehearsal: Rehearsal, change: str) -> None:
    """What is published is what the source holds at that time; the next try gets it."""
    folder = rehearsal.write_day()
    rehearsal.do("copy")
    path = folder / (LAST if change == "changed" else "new")
    if change == "changed":
        rewrite(path)
    else:
        path.write_bytes(b"new")
    with pytest.raises(NotSettledError, match=f"the source changed '{path.name}' during the copy"):
        rehearsal.do("prove")
    with pytest.raises(DayNotProvenError):
        rehearsal.do("publish")
    assert rehearsal.published() == []
    rehearsal.do()
    assert rehearsal.is_published()


@pytest.mark.parametrize("gone", ["file", "day"])
def test_what_the_source_drops_after_the_copy_is_kept(rehearsal: Rehearsal, gone: str) -> None:
    """It was hashed there, so it can be proven; now the vault's copy may be the only one."""
    folder = rehearsal.write_day()
    rehearsal.do("copy")
    if gone == "file":
        (folder / LAST).unlink()
    else:
        folder.rename(folder.with_name("removed"))
    rehearsal.do("prove", "publish")
    (published,) = rehearsal.published()
    assert len(list(published.folder.iterdir())) == 4


def test_a_copy_that_is_no_complete_day_is_not_proven(rehearsal: Rehearsal) -> None:
    """Its bytes are right and its descriptors aren't enough, by the site's own number."""
    rehearsal.write_day()
    rehearsal.do("copy")
    with pytest.raises(DayNotProvenError) as refused:
        rehearsal.but(steps_per_day=3).do("prove")
    assert str(refused.value) == "2026-268 is no complete SUPIM day. 2 of 3 time steps are complete."
    with pytest.raises(DayNotProvenError):
        rehearsal.do("publish")
    assert rehearsal.published() == []


def test_a_published_copy_that_decayed_is_secured_anew_when_it_is_looked_at(rehearsal: Rehearsal) -> None:
    """It isn't mended in place: what is published never changes."""
    folder = rehearsal.write_day()
    rehearsal.do()
    decayed = rehearsal.vault.revisions(DAY)[0].folder / LAST
    decayed.chmod(0o644)
    rewrite(decayed, keep_time=True)
    os.utime(folder / LAST)
    rehearsal.do()
    first, second = rehearsal.vault.revisions(DAY)
    assert (second.folder / LAST).read_bytes() == (folder / LAST).read_bytes()
    assert (first.folder / LAST).read_bytes() != (folder / LAST).read_bytes()


def test_a_published_day_without_a_readable_record_is_secured_anew(rehearsal: Rehearsal) -> None:
    """What has lost its record is proven to nobody."""
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


def test_a_strangers_folder_of_the_days_name_stays_as_it_is(rehearsal: Rehearsal) -> None:
    """Somebody copied the day by hand, before there was a vault."""
    stranger = Path(rehearsal.vault_root, "supim", "2026", "268")
    stranger.mkdir(parents=True)
    (stranger / LAST).write_bytes(b"mine")
    before = tree(stranger)
    rehearsal.write_day()
    rehearsal.do()
    assert tree(stranger) == before
    assert rehearsal.published_names() == ["268.r2"]
    assert rehearsal.is_published()
