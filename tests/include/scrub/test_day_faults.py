"""Every difference from what was published is found and described, in a day's files and beside them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from include.days.published import PublishedDay
from include.scrub.day import read
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, record
from tests.include.scrub.sample_backups import CONTENTS, add, cut, day, flip, lose, no_pace, writable


@pytest.fixture
def published(tmp_path: Path) -> PublishedDay:
    """A published day."""
    return day(Vault.create(tmp_path / "vault"))


def flipped(published: PublishedDay) -> None:
    """Flip the last bit of a file."""
    flip(published.folder / "a", len(CONTENTS["a"]) - 1)


def missing(published: PublishedDay) -> None:
    """Remove a file."""
    lose(published.folder / "sub" / "b")


def unexpected(published: PublishedDay) -> None:
    """Add a file."""
    add(published.folder / "sub" / "c")


def shorter(published: PublishedDay) -> None:
    """Truncate a file."""
    cut(published.folder / "a", 100)


def longer(published: PublishedDay) -> None:
    """Append to a file."""
    cut(published.folder / "a", len(CONTENTS["a"]) + 1)


def a_folder(published: PublishedDay) -> None:
    """Replace a file by a folder."""
    lose(published.folder / "sub" / "b")
    with writable(published.folder / "sub"):
        (published.folder / "sub" / "b").mkdir()


def another_fifo(published: PublishedDay) -> None:
    """Add a FIFO."""
    with writable(published.folder):
        os.mkfifo(published.folder / "pipe")


def fifo_sums(published: PublishedDay) -> None:
    """Replace the list of sums by a FIFO, which a read would wait for."""
    published.sums.unlink()
    os.mkfifo(published.sums)


def other_sizes(published: PublishedDay) -> None:
    """Name another file in the list of sizes."""
    with writable(published.sizes):
        published.sizes.write_bytes(published.sizes.read_bytes().replace(b"empty", b"emptz"))


def fifo_record(published: PublishedDay) -> None:
    """Replace the record by a FIFO."""
    published.record_file.unlink()
    os.mkfifo(published.record_file)


def linked_record(published: PublishedDay) -> None:
    """Replace the record by a link to a copy."""
    elsewhere = published.record_file.rename(published.year_folder / "elsewhere")
    published.record_file.symlink_to(elsewhere)


def a_link(published: PublishedDay) -> None:
    """Replace a file by a link to a copy."""
    outside = published.year_folder / "b"
    shutil.copy(published.folder / "sub" / "b", outside)
    lose(published.folder / "sub" / "b")
    with writable(published.folder / "sub"):
        (published.folder / "sub" / "b").symlink_to(outside)


def a_fifo(published: PublishedDay) -> None:
    """Replace a file by a FIFO, which a read would wait for."""
    lose(published.folder / "sub" / "b")
    with writable(published.folder / "sub"):
        os.mkfifo(published.folder / "sub" / "b")


def no_sums(published: PublishedDay) -> None:
    """Remove the list of sums."""
    published.sums.unlink()


def other_sums(published: PublishedDay) -> None:
    """Flip a bit of a sum."""
    flip(published.sums, 3)


def garbled_sums(published: PublishedDay) -> None:
    """Flip a bit between a sum and its file's name."""
    flip(published.sums, 64)


def less_sums(published: PublishedDay) -> None:
    """Remove a file together with its line of the list."""
    with writable(published.sums):
        published.sums.write_bytes(b"".join(published.sums.read_bytes().splitlines(keepends=True)[1:]))
    lose(published.folder / "a")


def cut_sums(published: PublishedDay) -> None:
    """Truncate the list in the middle of a line."""
    cut(published.sums, published.sums.stat().st_size - 1)


def no_record(published: PublishedDay) -> None:
    """Remove the record."""
    published.record_file.unlink()


def half_a_record(published: PublishedDay) -> None:
    """Truncate the record."""
    cut(published.record_file, 40)


def anothers_record(published: PublishedDay) -> None:
    """Put the record of the day before in its place."""
    with writable(published.record_file):
        published.record_file.write_text(record(DAY - 1, files=4).model_dump_json())


def no_folder(published: PublishedDay) -> None:
    """Move the folder away."""
    published.folder.rename(published.folder.with_name("moved"))


FAULTS: list[tuple[Callable[[PublishedDay], None], str]] = [
    (flipped, "1 file is not as published: 'a'."),
    (missing, "1 file is missing: 'sub/b'."),
    (unexpected, "1 file is unexpected: 'sub/c'."),
    (shorter, "1 file is shorter than published: 'a'."),
    (longer, "1 file is longer than published: 'a'."),
    (a_link, "1 file is replaced by a link, folder or special file: 'sub/b'."),
    (a_folder, "1 file is replaced by a link, folder or special file: 'sub/b'."),
    (a_fifo, "1 file is replaced by a link, folder or special file: 'sub/b'."),
    (another_fifo, "1 file is unexpected: 'pipe'."),
    (no_sums, "'268.sha256' can't be read: "),
    (fifo_sums, "'268.sha256' can't be read: [Errno 22] It is no regular file: "),
    (other_sizes, "268.sha256 and 268.sizes list different files."),
    (fifo_record, "'268.json' can't be read: [Errno 22] It is no regular file: "),
    (linked_record, "'268.json' can't be read: [Errno 22] It is no regular file: "),
    (other_sums, "1 file is not as published: 'a'."),
    (garbled_sums, "can't be read: a line isn't as sha256sum writes it"),
    (less_sums, "268.sha256 lists 3 files, but its record says 4."),
    (cut_sums, "'268.sha256' can't be read: a line isn't as sha256sum writes it"),
    (no_record, "'268.json' can't be read: "),
    (half_a_record, "'268.json' can't be read: "),
    (anothers_record, "Its record belongs to revision 1 of 2026-267."),
    (no_folder, "268 is missing."),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_each_fault_is_found_and_described(
    published: PublishedDay, spoil: Callable[[PublishedDay], None], message: str
) -> None:
    """None makes the scrub crash."""
    spoil(published)
    assert message in " ".join(read(published, no_pace).damage)


LINKS = {"newest": "a", "elsewhere": "/data/2026/267/a"}


def lost_link(published: PublishedDay) -> None:
    """Remove a link."""
    lose(published.folder / "newest")


def turned_link(published: PublishedDay) -> None:
    """Make a link lead to another file of the day."""
    lose(published.folder / "newest")
    with writable(published.folder):
        (published.folder / "newest").symlink_to("empty")


def new_link(published: PublishedDay) -> None:
    """Add a link."""
    with writable(published.folder):
        (published.folder / "sub2").symlink_to("sub")


def new_folder(published: PublishedDay) -> None:
    """Add an empty folder."""
    with writable(published.folder):
        (published.folder / "sub2").mkdir()


@pytest.mark.parametrize(
    "spoil", [lost_link, turned_link, new_link, new_folder], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("touched", [False, True])
def test_links_and_folders_are_compared_with_the_record(
    tmp_path: Path, spoil: Callable[[PublishedDay], None], *, touched: bool
) -> None:
    """The list of sums lacks them. A changed file time isn't damage."""
    published = day(Vault.create(tmp_path / "vault"), links=LINKS)
    if touched:
        os.utime(published.folder / "a")
    assert read(published, no_pace).damage == ()
    spoil(published)
    [damage] = read(published, no_pace).damage
    assert damage.startswith("Its folders and links aren't as published. It has ")


def test_several_faults_are_reported_together(published: PublishedDay) -> None:
    """Each has its sentence."""
    flipped(published)
    missing(published)
    unexpected(published)
    assert len(read(published, no_pace).damage) == 3
