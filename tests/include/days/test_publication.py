"""Publication: read-only, never over anything, with the rename as the last step."""

import errno
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.days.publication import publish, seal
from include.days.published import PublishedDay
from include.days.record import RevisionCause
from include.vault.files import FILE_MODE, FOLDER_MODE
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, MTIME_NS, WHEN, lay, record, stage, tree, verified
from tests.include.project_process import python
from tests.include.scrub.sample_backups import remove
from tests.include.vault.test_verification_log import found
from tests.session.needs import plain_user

CONTENTS = {"same": b"same" * 99, "changed": b"old", "sub/deep/same": b"deep", "sub/gone": b"gone"}
LATER = CONTENTS | {"changed": b"new"}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def published(vault: Vault, contents: dict[str, bytes], mtime_ns: int = MTIME_NS) -> PublishedDay:
    """Stage a copy and publish it."""
    with DayArchive(vault).lock(DAY) as staged:
        copy = stage(staged, contents, mtime_ns)
        day = publish(vault, staged, record(), copy)
        seal(day)
        staged.clear()
    return day


def damage(day: PublishedDay) -> None:
    """Record what a scrub found."""
    day.verification_log.append(found(result="failed"))


def lost(day: PublishedDay) -> None:
    """Remove a day, all but its verification log."""
    day.verification_log.append(found())
    remove(day.folder)
    for path in (day.record_file, day.sums, day.sizes):
        path.unlink()


def below(folder: Path) -> Iterator[tuple[Path, int]]:
    """Return a folder and everything in it, with the modes."""
    return ((path, path.lstat().st_mode & 0o7777) for path in (folder, *folder.rglob("*")))


def test_a_verified_copy_becomes_the_day(vault: Vault) -> None:
    """Its files, its checksum list and its record, under the day's name; nothing is left in staging."""
    day = published(vault, CONTENTS)
    assert DayArchive(vault).published() == [day]
    assert day.folder == vault.root / "supim" / "2026" / "268"
    assert {name: (day.folder / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert verified(day)
    assert day.record == record()
    assert sorted(path.name for path in day.year_folder.iterdir()) == [
        "268", "268.json", "268.sha256", "268.sizes",
    ]  # fmt: skip
    assert not DayArchive(vault).staged(DAY).folder.exists()


def test_everything_published_is_read_only(vault: Vault) -> None:
    """Files, folders, checksum list and record: nobody changes them by mistake."""
    day = published(vault, CONTENTS)
    modes = dict(below(day.folder))
    assert {mode for path, mode in modes.items() if path.is_file()} == {FILE_MODE}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {FOLDER_MODE}
    assert {sidecar.stat().st_mode & 0o7777 for sidecar in (day.sums, day.sizes, day.record_file)} == {
        FILE_MODE
    }
    mistake = "import sys, shutil; shutil.rmtree(sys.argv[1], ignore_errors=True)"
    python(mistake, str(day.folder), prefix=plain_user())
    assert verified(day)


@pytest.mark.parametrize(
    ("spoil", "contents", "cause"),
    [
        (lambda _: None, LATER, RevisionCause.CHANGED),
        (damage, CONTENTS, RevisionCause.DAMAGED),
        (damage, LATER, RevisionCause.DAMAGED_AND_CHANGED),
        (lambda day: day.record_file.unlink(), CONTENTS, RevisionCause.DAMAGED),
        (lost, CONTENTS, RevisionCause.LOST),
    ],
    ids=["changed", "damaged", "damaged and changed", "no record", "lost"],
)
def test_a_revision_keeps_why_it_was_made(
    vault: Vault, spoil: Callable[[PublishedDay], object], contents: dict[str, bytes], cause: RevisionCause
) -> None:
    """Not every one changed at the source."""
    first = published(vault, CONTENTS)
    assert first.record.cause is RevisionCause.FIRST
    spoil(first)
    second = published(vault, contents)
    assert (second.revision, second.record.cause) == (2, cause)


def test_a_revision_after_a_lost_one_didnt_change_at_the_source(vault: Vault) -> None:
    """The first is intact, but isn't the one before."""
    published(vault, CONTENTS)
    lost(published(vault, LATER))
    third = published(vault, LATER)
    assert (third.revision, third.record.cause) == (3, RevisionCause.LOST)


@pytest.mark.parametrize("revisions", [1, 2])
def test_a_copy_that_left_only_its_record_was_lost(vault: Vault, revisions: int) -> None:
    """Another copy then takes its name. What an interrupted publication of a copy left isn't lost."""
    causes = [RevisionCause.FIRST, RevisionCause.CHANGED]
    for contents in (CONTENTS, LATER)[:revisions]:
        last = published(vault, contents)
    remove(last.folder)
    assert published(vault, LATER).record.cause is causes[revisions - 1]
    remove(last.folder)
    with DayArchive(vault).lock(DAY) as staged:
        day = publish(vault, staged, record(copied=WHEN + timedelta(days=1)), stage(staged, LATER))
    assert (day.revision, day.record.cause) == (revisions, RevisionCause.LOST)


def test_a_revision_is_published_beside_the_first_which_isnt_touched(vault: Vault) -> None:
    """Unchanged files share their space."""
    first = published(vault, CONTENTS)
    before = tree(first.folder)
    second = published(vault, LATER)
    assert [day.name for day in DayArchive(vault).published()] == ["268", "268.r2"]
    assert tree(first.folder) == before
    assert verified(first)
    assert verified(second)
    assert (second.record.revision, first.record.revision) == (2, 1)
    assert (second.folder / "changed").read_bytes() == b"new"
    shared = {name for name in LATER if (first.folder / name).samefile(second.folder / name)}
    assert shared == LATER.keys() - {"changed"}


def test_files_with_different_times_arent_shared(vault: Vault) -> None:
    """A hard link has one time for both; each revision keeps its own."""
    first = published(vault, CONTENTS)
    second = published(vault, LATER, MTIME_NS + 1)
    assert not any((first.folder / name).samefile(second.folder / name) for name in LATER)
    assert [(day.folder / "same").stat().st_mtime_ns for day in (first, second)] == [MTIME_NS, MTIME_NS + 1]


def test_a_decayed_older_copy_isnt_shared(vault: Vault) -> None:
    """Bytes are compared: a verified file never becomes a link to a decayed one."""
    first = published(vault, CONTENTS)
    decayed = first.folder / "same"
    decayed.chmod(0o644)
    decayed.write_bytes(b"sane" + CONTENTS["same"][4:])
    os.utime(decayed, ns=(MTIME_NS, MTIME_NS))
    second = published(vault, LATER)
    assert not (second.folder / "same").samefile(decayed)
    assert (second.folder / "sub/gone").samefile(first.folder / "sub/gone")
    assert verified(second)
    assert not verified(first)


def test_nothing_outside_is_shared_through_an_older_revisions_links(vault: Vault, tmp_path: Path) -> None:
    """The older revision has links where the later one has a file and a folder with equal content."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("file", "same"):
        (outside / name).write_bytes(b"same")
        os.utime(outside / name, ns=(MTIME_NS, MTIME_NS))
    before = tree(outside)
    with DayArchive(vault).lock(DAY) as staged:
        staged.data.mkdir()
        (staged.data / "file").symlink_to(outside / "file")
        (staged.data / "sub").symlink_to(outside)
        publish(vault, staged, record(), stage(staged, {"other": b"x"}))
        staged.clear()
    later = published(vault, {"file": b"same", "sub/same": b"same"})
    assert tree(outside) == before
    for name, theirs in (("file", "file"), ("sub/same", "same")):
        assert not (later.folder / name).samefile(outside / theirs)
        assert (later.folder / name).stat().st_nlink == 1


def test_links_are_published_as_links_and_their_targets_keep_their_modes(
    vault: Vault, tmp_path: Path
) -> None:
    """Even if they lead out of the day."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    outside.chmod(0o640)
    with DayArchive(vault).lock(DAY) as staged:
        staged.data.mkdir()
        for name, target in {"away": str(outside), "dangling": "nowhere", "inside": "file"}.items():
            (staged.data / name).symlink_to(target)
        day = publish(vault, staged, record(), stage(staged, {"file": b"x"}))
    assert (day.folder / "away").readlink() == outside
    assert (day.folder / "dangling").readlink() == Path("nowhere")
    assert outside.stat().st_mode & 0o7777 == 0o640
    assert verified(day)


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link", "empty folder"])
def test_a_name_that_is_taken_stays_untouched(vault: Vault, kind: str) -> None:
    """Somebody else's folder of the day's name stays as it is; the day becomes a revision."""
    year = vault.root / "supim" / "2026"
    year.mkdir(parents=True)
    foreign = year / "268"
    if kind == "file":
        foreign.write_text("mine")
    elif kind == "dangling link":
        foreign.symlink_to("nowhere")
    else:
        foreign.mkdir()
    if kind == "folder":
        (foreign / "same").write_text("mine")
    before = tree(year)
    day = published(vault, CONTENTS)
    assert (day.name, day.record.revision) == ("268.r2", 2)
    assert verified(day)
    after = tree(year)
    assert {name: after[name] for name in before if name != "."} == {
        name: state for name, state in before.items() if name != "."
    }


def test_sidecars_of_an_interrupted_publication_are_replaced(vault: Vault) -> None:
    """Checksum list and record come before the folder; without it the day isn't published."""
    half = lay(vault, run="an interrupted run")
    for sidecar in (half.sums, half.record_file):
        sidecar.chmod(0o444)
    half.folder.rmdir()
    assert DayArchive(vault).revisions(DAY) == []
    day = published(vault, CONTENTS)
    assert day == half
    assert day.record == record()
    assert verified(day)


def test_files_of_any_name_are_published_and_verified(vault: Vault) -> None:
    """With sha256sum."""
    names = ["a\nb", "c\\d", "\r", "-", "-rf", " ", "$(touch x)", ";", "é", os.fsdecode(b"\xff"), "*/'\""]
    day = published(vault, {name: name.encode(errors="surrogateescape") for name in names})
    assert verified(day)
    assert len(day.sums.read_bytes().splitlines()) == len(names)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_without_hard_links_a_revision_has_files_of_its_own(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """On exFAT and some CIFS, and for a file that has all links it may have."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    published(vault, CONTENTS)
    monkeypatch.setattr(os, "link", refuse)
    second = published(vault, LATER)
    assert second.name == "268.r2"
    assert {name: (second.folder / name).read_bytes() for name in LATER} == LATER
    assert verified(second)
