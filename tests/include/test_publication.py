"""Publishing: read-only, never over anything, and the rename comes last."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.publication import FILE_MODE, FOLDER_MODE, publish, seal
from include.vault import PublishedDay, Vault
from tests.include.days import DAY, MTIME_NS, lay, proven, record, stage, tree
from tests.include.machine import plain_user, python

CONTENTS = {"same": b"same" * 99, "changed": b"old", "sub/deep/same": b"deep", "sub/gone": b"gone"}
LATER = CONTENTS | {"changed": b"new"}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def published(vault: Vault, contents: dict[str, bytes], mtime_ns: int = MTIME_NS) -> PublishedDay:
    """Stage a copy and publish it."""
    with vault.hold(DAY) as staged:
        copy = stage(staged, contents, mtime_ns)
        day = publish(vault, staged, record(), copy)
        seal(day)
        staged.clear()
    return day


def below(folder: Path) -> Iterator[tuple[Path, int]]:
    """Give a folder and everything in it, with its mode."""
    return ((path, path.lstat().st_mode & 0o7777) for path in (folder, *folder.rglob("*")))


def test_a_proven_copy_becomes_the_day(vault: Vault) -> None:
    """Its files, its sums and its record, under the day's own name; nothing is left in staging."""
    day = published(vault, CONTENTS)
    assert vault.published() == [day]
    assert day.folder == vault.root / "supim" / "2026" / "268"
    assert {name: (day.folder / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert proven(day)
    assert day.record == record()
    assert sorted(path.name for path in day.year_folder.iterdir()) == ["268", "268.json", "268.sha256"]
    assert not vault.staged(DAY).folder.exists()


def test_everything_published_is_read_only(vault: Vault) -> None:
    """Files, folders, sums and record: a slip of the hand changes nothing."""
    day = published(vault, CONTENTS)
    modes = dict(below(day.folder))
    assert {mode for path, mode in modes.items() if path.is_file()} == {FILE_MODE}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {FOLDER_MODE}
    assert {sidecar.stat().st_mode & 0o7777 for sidecar in (day.sums, day.record_file)} == {FILE_MODE}
    slip = "import sys, shutil; shutil.rmtree(sys.argv[1], ignore_errors=True)"
    python(slip, str(day.folder), prefix=plain_user())
    assert proven(day)


def test_a_later_version_stands_beside_the_first_which_isnt_touched(vault: Vault) -> None:
    """And takes no room for what didn't change."""
    first = published(vault, CONTENTS)
    before = tree(first.folder)
    second = published(vault, LATER)
    assert [day.name for day in vault.published()] == ["268", "268.r2"]
    assert tree(first.folder) == before
    assert proven(first)
    assert proven(second)
    assert (second.record.revision, first.record.revision) == (2, 1)
    assert (second.folder / "changed").read_bytes() == b"new"
    shared = {name for name in LATER if (first.folder / name).samefile(second.folder / name)}
    assert shared == LATER.keys() - {"changed"}


def test_what_has_another_time_isnt_shared(vault: Vault) -> None:
    """A hard link has one time for both; each version keeps its own."""
    first = published(vault, CONTENTS)
    second = published(vault, LATER, MTIME_NS + 1)
    assert not any((first.folder / name).samefile(second.folder / name) for name in LATER)
    assert [(day.folder / "same").stat().st_mtime_ns for day in (first, second)] == [MTIME_NS, MTIME_NS + 1]


def test_a_decayed_older_copy_isnt_shared(vault: Vault) -> None:
    """Bytes decide, not names, sizes and times: what was just proven doesn't become a link to bad bytes."""
    first = published(vault, CONTENTS)
    decayed = first.folder / "same"
    decayed.chmod(0o644)
    decayed.write_bytes(b"sane" + CONTENTS["same"][4:])
    os.utime(decayed, ns=(MTIME_NS, MTIME_NS))
    second = published(vault, LATER)
    assert not (second.folder / "same").samefile(decayed)
    assert (second.folder / "sub/gone").samefile(first.folder / "sub/gone")
    assert proven(second)
    assert not proven(first)


def test_nothing_outside_is_shared_through_an_older_versions_links(vault: Vault, tmp_path: Path) -> None:
    """The older version has links where the later one has a file and a folder with equal bytes and times."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("file", "same"):
        (outside / name).write_bytes(b"same")
        os.utime(outside / name, ns=(MTIME_NS, MTIME_NS))
    before = tree(outside)
    with vault.hold(DAY) as staged:
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


def test_links_are_published_as_links_and_what_they_lead_to_keeps_its_mode(
    vault: Vault, tmp_path: Path
) -> None:
    """Even where they lead out of the day."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    outside.chmod(0o640)
    with vault.hold(DAY) as staged:
        staged.data.mkdir()
        for name, target in {"away": str(outside), "dangling": "nowhere", "inside": "file"}.items():
            (staged.data / name).symlink_to(target)
        day = publish(vault, staged, record(), stage(staged, {"file": b"x"}))
    assert (day.folder / "away").readlink() == outside
    assert (day.folder / "dangling").readlink() == Path("nowhere")
    assert outside.stat().st_mode & 0o7777 == 0o640
    assert proven(day)


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link", "empty folder"])
def test_what_isnt_ours_is_stepped_around(vault: Vault, kind: str) -> None:
    """A stranger's folder of the day's name stays what it is, to the byte; the day becomes a revision."""
    year = vault.root / "supim" / "2026"
    year.mkdir(parents=True)
    stranger = year / "268"
    if kind == "file":
        stranger.write_text("mine")
    elif kind == "dangling link":
        stranger.symlink_to("nowhere")
    else:
        stranger.mkdir()
    if kind == "folder":
        (stranger / "same").write_text("mine")
    before = tree(year)
    day = published(vault, CONTENTS)
    assert (day.name, day.record.revision) == ("268.r2", 2)
    assert proven(day)
    after = tree(year)
    assert {name: after[name] for name in before if name != "."} == {
        name: seen for name, seen in before.items() if name != "."
    }


def test_sidecars_of_a_publishing_that_was_cut_off_are_written_anew(vault: Vault) -> None:
    """Sums and record come before the folder; without it they are no published day."""
    half = lay(vault, run="a run that was cut off")
    for sidecar in (half.sums, half.record_file):
        sidecar.chmod(0o444)
    half.folder.rmdir()
    assert vault.revisions(DAY) == []
    day = published(vault, CONTENTS)
    assert day == half
    assert day.record == record()
    assert proven(day)


def test_names_of_any_kind_are_published_and_proven(vault: Vault) -> None:
    """As sha256sum reads them."""
    names = ["a\nb", "c\\d", "\r", "-", "-rf", " ", "$(touch x)", ";", "é", os.fsdecode(b"\xff"), "*/'\""]
    day = published(vault, {name: name.encode(errors="surrogateescape") for name in names})
    assert proven(day)
    assert len(day.sums.read_bytes().splitlines()) == len(names)
