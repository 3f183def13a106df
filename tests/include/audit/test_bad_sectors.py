"""A real disk with sectors that can't be read any more, below a real file system."""

import subprocess
from pathlib import Path

from tests.include.machine import own_mounts, program, python

SECTORS_LOST = """
import os, re, subprocess, sys
from pathlib import Path
from include.audit.day import read
from include.audit.generation import read as read_generation
from include.vault import Vault
from tests.include.audit.kept import CONTENTS, day
from tests.include.machines.machines import lay

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
kept, image = day(vault), lay(vault)
os.sync()
for moved in (image.image("vda"), kept.folder / "a"):
    subprocess.run(["cp", "--preserve=all", moved, there / "copy"], check=True)  # after all else
    (there / "copy").replace(moved)
subprocess.run(["dd", "if=/dev/zero", f"of={high}", "bs=4k"], stderr=subprocess.DEVNULL)  # what is left
cut = last_block(image.image("vda")) - 10
assert cut > last_block(low)
low.unlink()  # so that whatever is written from now on lies before the cut
subprocess.run(["umount", there], check=True)
mount()
os.truncate(disk, cut * 4096)  # what lies beyond can't be read
print(*read(kept, lambda count: None).wrong)
print(*read_generation(image, lambda count: None).wrong)
again = day(vault, CONTENTS, revision=2)
print(read(again, lambda count: None).wrong, (again.folder / "a").stat().st_nlink)
"""


def test_bad_sectors_are_damage_with_a_place_and_keep_no_day_from_being_had_again(tmp_path: Path) -> None:
    """No crash, of the audit or of publishing; the new revision lies elsewhere on the disk."""
    disk, there = tmp_path / "disk", tmp_path / "there"
    there.mkdir()
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run([program("mkfs.ext4"), "-q", "-O", "^has_journal", "-b", "4096", disk], check=True)
    said = python(SECTORS_LOST, str(disk), str(there), prefix=own_mounts()).splitlines()
    assert said == [
        "1 file is decayed: the disk can't read it: 'a'.",
        "1 chunk of 2 of vda.img isn't as published: bytes 1048576-1799999.",
        "() 1",
    ]
