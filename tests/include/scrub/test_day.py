"""A day is read again from the disk; what is only unusual, or can't be read, isn't damage."""

import subprocess
from pathlib import Path

import pytest

from include.days.published import PublishedDay
from include.scrub.day import read
from include.vault.vault import Vault
from tests.include.project_process import python
from tests.include.scrub.sample_backups import CONTENTS, day, no_pace
from tests.session.needs import disk_mounts, plain_user, program


@pytest.fixture
def published(tmp_path: Path) -> PublishedDay:
    """A published day."""
    return day(Vault.create(tmp_path / "vault"))


def test_an_intact_day_is_verified(published: PublishedDay) -> None:
    """Whatever its files are called; every byte counts for the rate limit."""
    counted: list[int] = []
    found = read(published, counted.append)
    assert (found.damage, found.warnings) == ((), ())
    assert found.verification == (
        "SHA-256 of 4 files read back from the disk equal to 268.sha256, folders and links to the record"
    )
    assert found.files == 4
    assert sum(counted) == found.bytes == sum(map(len, CONTENTS.values()))


def test_writable_files_are_a_warning_and_no_damage(published: PublishedDay) -> None:
    """Their content is intact; a person makes them read-only again."""
    (published.folder / "a").chmod(0o644)
    published.folder.chmod(0o755)
    found = read(published, no_pace)
    assert (found.damage, found.warnings) == (
        (),
        (
            "'268' should be read-only. Run chmod a-w.",
            "'a' should be read-only. Run chmod a-w.",
        ),
    )


REFUSED = """
import os, sys
from pathlib import Path
from include.days.archive import DayArchive
from include.scrub.day import read
from include.vault.vault import Vault
try:
    read(DayArchive(Vault(Path(sys.argv[1]))).published()[0], lambda count: None)
except PermissionError as refused:
    print(Path(os.fsdecode(refused.filename)).name)
"""


@pytest.mark.parametrize("path", ["268/a", "268/sub", "268.json", "268.sha256", "268.sizes"])
def test_a_file_that_this_user_may_not_read_isnt_damage(published: PublishedDay, path: str) -> None:
    """Its content is unknown."""
    (published.year_folder / path).chmod(0)
    output = python(REFUSED, str(published.year_folder.parents[1]), prefix=plain_user())
    assert output.strip() == path.rpartition("/")[2]


DECAYED = """
import subprocess, sys
from pathlib import Path
from include.scrub.day import read
from include.vault.vault import Vault
from tests.include.scrub.sample_backups import day
folder = Path(sys.argv[1])
published = day(Vault.create(folder / "mnt" / "vault"))
subprocess.run(["sync", "-f", published.folder], check=True)
assert read(published, lambda count: None).damage == ()
content = (published.folder / "a").read_bytes()  # fills the page cache
disk = folder / "disk"
at = disk.read_bytes().index(content[:4096])
with disk.open("r+b") as file:
    file.seek(at + 100)
    file.write(b"damaged")
assert (published.folder / "a").read_bytes() == content  # the page cache still has the old bytes
print(read(published, lambda count: None).damage)
"""


def test_files_are_read_from_the_disk_and_not_from_the_page_cache(tmp_path: Path) -> None:
    """A real disk changes below a file system that still has the old bytes in memory."""
    (tmp_path / "mnt").mkdir()
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run([program("mkfs.ext4"), "-q", tmp_path / "disk"], check=True)
    mounted = 'mount -o loop "$1/disk" "$1/mnt" && shift && exec "$@"'
    prefix = [*disk_mounts(), "sh", "-ec", mounted, "sh", str(tmp_path)]
    assert python(DECAYED, str(tmp_path), prefix=prefix) == "(\"1 file is not as published: 'a'.\",)\n"
