"""Reading a day again: whole is what was published, to the byte and the name."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from include.audit.day import read
from include.vault import PublishedDay, Vault
from tests.include.audit.kept import CONTENTS, add, cut, day, flip, lose, no_pace, writable
from tests.include.days import DAY, record
from tests.include.machine import own_mounts, plain_user, program, python


@pytest.fixture
def kept(tmp_path: Path) -> PublishedDay:
    """A published day."""
    return day(Vault.create(tmp_path / "vault"))


def test_a_whole_day_is_proven(kept: PublishedDay) -> None:
    """Whatever its files are called; each byte was paid for."""
    paid: list[int] = []
    seen = read(kept, paid.append)
    assert (seen.wrong, seen.oddities) == ((), ())
    assert seen.proof == (
        "SHA-256 of 4 files read back from the disk equal to 268.sha256, folders and links to its record"
    )
    assert seen.files == 4
    assert sum(paid) == seen.bytes == sum(map(len, CONTENTS.values()))


def flipped(kept: PublishedDay) -> None:
    """The last bit of a file."""
    flip(kept.folder / "a", len(CONTENTS["a"]) - 1)


def missing(kept: PublishedDay) -> None:
    """A file below."""
    lose(kept.folder / "sub" / "b")


def strange(kept: PublishedDay) -> None:
    """A file beside."""
    add(kept.folder / "sub" / "c")


def shorter(kept: PublishedDay) -> None:
    """As after a crash of the disk."""
    cut(kept.folder / "a", 100)


def a_link(kept: PublishedDay) -> None:
    """To the same bytes, elsewhere."""
    outside = kept.year_folder / "b"
    shutil.copy(kept.folder / "sub" / "b", outside)
    lose(kept.folder / "sub" / "b")
    with writable(kept.folder / "sub"):
        (kept.folder / "sub" / "b").symlink_to(outside)


def a_fifo(kept: PublishedDay) -> None:
    """Which nobody may wait for."""
    lose(kept.folder / "sub" / "b")
    with writable(kept.folder / "sub"):
        os.mkfifo(kept.folder / "sub" / "b")


def no_sums(kept: PublishedDay) -> None:
    """Nothing says what it was."""
    kept.sums.unlink()


def other_sums(kept: PublishedDay) -> None:
    """A bit of the list itself."""
    flip(kept.sums, 3)


def garbled_sums(kept: PublishedDay) -> None:
    """A bit between a sum and its file."""
    flip(kept.sums, 64)


def less_sums(kept: PublishedDay) -> None:
    """A line of the list is gone, with its file."""
    with writable(kept.sums):
        kept.sums.write_bytes(b"".join(kept.sums.read_bytes().splitlines(keepends=True)[1:]))
    lose(kept.folder / "a")


def cut_sums(kept: PublishedDay) -> None:
    """The list ends in the middle of a line."""
    cut(kept.sums, kept.sums.stat().st_size - 1)


def no_record(kept: PublishedDay) -> None:
    """A folder alone."""
    kept.record_file.unlink()


def half_a_record(kept: PublishedDay) -> None:
    """Cut off."""
    cut(kept.record_file, 40)


def anothers_record(kept: PublishedDay) -> None:
    """Of the day before."""
    with writable(kept.record_file):
        kept.record_file.write_text(record(DAY - 1, files=4).model_dump_json())


def no_folder(kept: PublishedDay) -> None:
    """A record alone."""
    kept.folder.rename(kept.folder.with_name("moved"))


FAULTS: list[tuple[Callable[[PublishedDay], None], str]] = [
    (flipped, "1 file is not as published: 'a'."),
    (missing, "1 file is missing: 'sub/b'."),
    (strange, "1 file is there and never published: 'sub/c'."),
    (shorter, "1 file is not as published: 'a'."),
    (a_link, "1 file is missing: 'sub/b'."),
    (a_fifo, "1 file is there and never published: 'sub/b'."),
    (no_sums, "'268.json' or '268.sha256' can't be read: "),
    (other_sums, "1 file is not as published: 'a'."),
    (garbled_sums, "can't be read: a line isn't as sha256sum writes it"),
    (less_sums, "268.sha256 names 3 files, and its record says 4."),
    (cut_sums, "'268.json' or '268.sha256' can't be read: "),
    (no_record, "'268.json' or '268.sha256' can't be read: "),
    (half_a_record, "'268.json' or '268.sha256' can't be read: "),
    (anothers_record, "Its record is that of revision 1 of 2026-267."),
    (no_folder, "268 is missing."),
]


@pytest.mark.parametrize(("spoil", "told"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_each_fault_is_found_and_named(
    kept: PublishedDay, spoil: Callable[[PublishedDay], None], told: str
) -> None:
    """And is no crash."""
    spoil(kept)
    assert told in " ".join(read(kept, no_pace).wrong)


LINKS = {"newest": "a", "elsewhere": "/data/2026/267/a"}


def lost_link(kept: PublishedDay) -> None:
    """A link that is gone."""
    lose(kept.folder / "newest")


def turned_link(kept: PublishedDay) -> None:
    """A link that leads to another file of the day."""
    lose(kept.folder / "newest")
    with writable(kept.folder):
        (kept.folder / "newest").symlink_to("empty")


def new_link(kept: PublishedDay) -> None:
    """A link that nobody published."""
    with writable(kept.folder):
        (kept.folder / "sub2").symlink_to("sub")


def new_folder(kept: PublishedDay) -> None:
    """An empty folder that nobody published."""
    with writable(kept.folder):
        (kept.folder / "sub2").mkdir()


@pytest.mark.parametrize(
    "spoil", [lost_link, turned_link, new_link, new_folder], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("touched", [False, True])
def test_links_and_folders_are_held_against_the_record(
    tmp_path: Path, spoil: Callable[[PublishedDay], None], *, touched: bool
) -> None:
    """They are in no list of sums; a file whose time was changed is whole all the same."""
    kept = day(Vault.create(tmp_path / "vault"), links=LINKS)
    if touched:
        os.utime(kept.folder / "a")
    assert read(kept, no_pace).wrong == ()
    spoil(kept)
    [wrong] = read(kept, no_pace).wrong
    assert wrong.startswith("Its folders and links aren't those of its record; there are ")


def test_links_of_an_older_record_are_proven_as_long_as_no_time_has_changed(tmp_path: Path) -> None:
    """Then it's said that nothing proves them any more, which is no damage."""
    kept = day(Vault.create(tmp_path / "vault"), links=LINKS, structure="")
    assert (read(kept, no_pace).wrong, read(kept, no_pace).oddities) == ((), ())
    lost_link(kept)
    seen = read(kept, no_pace)
    assert seen.wrong == ()
    assert seen.proof.endswith(", folders and links to nothing")
    [told] = seen.oddities
    assert told.startswith("A link or an empty folder that is gone can't be noticed")


def test_several_faults_are_told_together(kept: PublishedDay) -> None:
    """The first few by name."""
    flipped(kept)
    missing(kept)
    strange(kept)
    assert len(read(kept, no_pace).wrong) == 3


def test_what_can_be_written_is_odd_and_no_damage(kept: PublishedDay) -> None:
    """Its bytes are whole still; a person makes it read-only again."""
    (kept.folder / "a").chmod(0o644)
    kept.folder.chmod(0o755)
    seen = read(kept, no_pace)
    assert (seen.wrong, seen.oddities) == ((), ("'268', 'a' can be written: chmod a-w.",))


REFUSED = """
import os, sys
from pathlib import Path
from include.audit.day import read
from include.vault import Vault
try:
    read(Vault(Path(sys.argv[1])).published()[0], lambda count: None)
except PermissionError as refused:
    print(Path(os.fsdecode(refused.filename)).name)
"""


@pytest.mark.parametrize("path", ["268/a", "268/sub", "268.json", "268.sha256"])
def test_what_this_user_may_not_read_is_no_damage(kept: PublishedDay, path: str) -> None:
    """It isn't known."""
    (kept.year_folder / path).chmod(0)
    said = python(REFUSED, str(kept.year_folder.parents[1]), prefix=plain_user())
    assert said.strip() == {"268/a": "a", "268/sub": "268"}.get(path, path)


DECAYED = """
import subprocess, sys
from pathlib import Path
from include.audit.day import read
from include.vault import Vault
from tests.include.audit.kept import day
folder = Path(sys.argv[1])
kept = day(Vault.create(folder / "mnt" / "vault"))
subprocess.run(["sync", "-f", kept.folder], check=True)
assert read(kept, lambda count: None).wrong == ()
content = (kept.folder / "a").read_bytes()  # all of it is in the page cache now
disk = folder / "disk"
at = disk.read_bytes().index(content[:4096])
with disk.open("r+b") as file:
    file.seek(at + 100)
    file.write(b"decayed")
assert (kept.folder / "a").read_bytes() == content  # the page cache knows nothing of it
print(read(kept, lambda count: None).wrong)
"""


def test_it_is_read_from_the_disk_and_not_from_memory(tmp_path: Path) -> None:
    """A real disk decays below a file system that has the good bytes in memory still."""
    (tmp_path / "mnt").mkdir()
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run([program("mkfs.ext4"), "-q", tmp_path / "disk"], check=True)
    mounted = 'mount -o loop "$1/disk" "$1/mnt" && shift && exec "$@"'
    prefix = [*own_mounts(), "sh", "-ec", mounted, "sh", str(tmp_path)]
    assert python(DECAYED, str(tmp_path), prefix=prefix) == "(\"1 file is not as published: 'a'.\",)\n"
