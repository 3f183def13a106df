"""Unreadable sectors on a real disk below a real file system."""

import subprocess
from pathlib import Path

from tests.include.project_process import python
from tests.session.needs import disk_mounts, program

SECTORS_LOST = """
import os, re, subprocess, sys
from pathlib import Path
from include.scrub.day import read
from include.scrub.vm import read as read_generation
from include.vault.vault import Vault
from tests.include.scrub.sample_backups import CONTENTS, day
from tests.include.vms.sample_vms import lay

def last_block(path):
    listed = subprocess.check_output(["filefrag", "-b4096", "-v", path], text=True)
    return max(int(end) for end in re.findall(r"[.]+ +[0-9]+: +[0-9]+[.]+ +([0-9]+):", listed))

def mount():
    subprocess.run(["mount", "-o", "loop", disk, there], check=True)

disk, there = Path(sys.argv[1]), Path(sys.argv[2])
mount()
low, high = there / "low", there / "high"
subprocess.run(["fallocate", "--length=24MiB", low], check=True)
vault = Vault.create(there / "vault")
published, image = day(vault), lay(vault)
os.sync()
for moved in (image.image("vda"), published.folder / "a"):
    subprocess.run(["cp", "--preserve=all", moved, there / "copy"], check=True)  # to the end of the disk
    (there / "copy").replace(moved)
subprocess.run(["dd", "if=/dev/zero", f"of={high}", "bs=4k"], stderr=subprocess.DEVNULL)  # fill the rest
cut = last_block(image.image("vda")) - 10
assert cut > last_block(low)
low.unlink()  # space for new files, before the cut
subprocess.run(["umount", there], check=True)
mount()
os.truncate(disk, cut * 4096)  # makes the sectors after it unreadable
print(*read(published, lambda count: None).damage)
print(*read_generation(image, lambda count: None).damage)
again = day(vault, CONTENTS, revision=2)
print(read(again, lambda count: None).damage, (again.folder / "a").stat().st_nlink)
"""


def test_bad_sectors_are_located_damage_and_dont_block_a_new_revision(tmp_path: Path) -> None:
    """Neither scrub nor publication crashes; the new revision uses other sectors."""
    disk, there = tmp_path / "disk", tmp_path / "there"
    there.mkdir()
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run([program("mkfs.ext4"), "-q", "-O", "^has_journal", "-b", "4096", disk], check=True)
    output = python(SECTORS_LOST, str(disk), str(there), prefix=disk_mounts()).splitlines()
    assert output == [
        "1 file is unreadable (disk error): 'a'.",
        "1 chunk of 2 of vda.img isn't as published: bytes 1048576-1799999.",
        "() 1",
    ]
