"""Backups whose host knows what hasn't changed: on real file systems, without libvirt and SSH."""

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.include.agent.disks.test_clones import on
from tests.session.suites import SUITE

SET_UP = """
from contextlib import suppress
from include.agent.state_folder import read_json
from include.agent.disks import extent_map
from include.vms import distrust
from include.vms.archive import VmArchive
from tests.include.vms.cloned_host import Weeks
weeks = Weeks(there, elsewhere)
vda, found = weeks.disk, []
vda.write_bytes(os.urandom(20 << 20))
os.truncate(vda, 24 << 20)

def write(at, data=b"x"):
    with vda.open("r+b") as file:
        file.seek(int(at * (1 << 20)))
        file.write(data)

def publish(**how):
    weeks.publish(weeks.backup(**how))
    found.append(weeks.counts())

try:
%s
finally:
    weeks.end()
print(json.dumps(found))
"""


def weeks(short: Path, script: str, kind: str = "xfs") -> Any:  # noqa: ANN401 - of JSON
    """Run the lines of a script; return what it found."""
    return on(short, kind, SET_UP % "\n".join(f"    {line}" for line in script.strip().splitlines()))


CHANGED = """
publish()
write(2.5)
write(9, b"y" * 5000)
publish()
found.append([len(list(there.glob(".inpe*"))), weeks.newest.record.reread_turn])
weeks.newest.folder.chmod(0o700)
weeks.newest.chunks("vda").unlink()
found.append(weeks.newest.name)
publish()
"""


def test_only_what_changed_is_read(short: Path) -> None:
    """And a share of the rest; the image is the disk, byte for byte. The clones before are gone.

    If it's the vault that can't tell what it has, the host isn't blamed.
    """
    first, second, (folders, turn), base, third = weeks(short, CHANGED)
    assert first == [20, 0, 0, ""]
    assert (second, folders, turn) == ([6, 14, 4, ""], 1, 1)
    assert third == [20, 0, 0, f"the vault's vda.chunks or vda.img of {base} can't be read"]


LOST = """
publish()
write(1)
publish(unreachable=True)
write(2)
weeks.fail(after_transfer=True)
write(3)
publish()
write(4)
weeks.fail(after_transfer=False)
publish()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_publication_that_the_host_doesnt_hear_of_costs_one_whole_read(short: Path, kind: str) -> None:
    """The clones of the generation before are no reference for this one. Failed backups cost nothing."""
    _, second, third, fourth = weeks(short, LOST, kind)
    assert second[1] > 0
    assert third[:3] == [20, 0, 0]
    assert third[3].startswith("the reference is of ")
    assert fourth[1] > 0


OFF = """
publish()
publish(carry=False)
found.append([len(list(there.glob(".inpe*")))])
publish()
"""


@pytest.mark.slow
def test_who_doesnt_want_it_reads_all(short: Path) -> None:
    """No clone stays on the host."""
    _, second, (folders,), third = weeks(short, OFF)
    assert (second, folders) == ([20, 0, 0, ""], 0)
    assert third == [20, 0, 0, third[3]]
    assert third[3].endswith("the vault has its disks read whole")


MISMATCH = """
weeks.share = 2
publish()
write(1)
publish()
with weeks.reference.open("rb") as file:
    extent = next(one for one in extent_map.read_map(file.fileno()) if one.start <= 5 << 20 < one.end)
with vda.open("rb") as file, (elsewhere / "image").open("r+b") as beneath:
    beneath.seek(extent.address + (5 << 20) - extent.start)
    beneath.write(b"other data")
    beneath.flush()
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
publish()
first, second, third = VmArchive(weeks.vault).of("maq1")
off = distrust.distrust_file(VmArchive(weeks.vault), "maq1")
record = third.record
found.append([first.damage, second.damage, third.damage, record.base == first.name, record.warnings])
found.append([json.loads(off.read_bytes())["run"], len(list(there.glob(".inpe*"))), second.name, str(off)])
publish()
off.unlink()
publish()
publish()
"""


@pytest.mark.slow
def test_one_mismatch_ends_all_trust(short: Path) -> None:
    """Written beneath the file system, data differ at the same place: all is read, until a person decides.

    The generation that carried chunks is suspect, and no base; the one before, which was read whole, isn't.
    """
    _, second, third, damages, off, fourth, fifth, sixth = weeks(short, MISMATCH)
    assert (second[1] > 0, third) == (True, [20, 0, 0, ""])
    run, clones, name, file = off
    how = "Chunk 5 of vda counted as unchanged"
    assert (damages[0], damages[2:4], run, clones) == (None, [None, True], "week 3", 0)
    assert damages[1].startswith(f"It is suspect: {how}")
    (warning,) = damages[4]
    assert how in warning
    assert f"not counted as verified any more: '{name}'." in warning
    assert warning.endswith(f"Once that is understood, remove {file}.")
    assert fourth[:3] == fifth[:3] == [20, 0, 0]
    assert sixth[1] > 0


def carried(short: Path, kind: str, seed: int, steps: int) -> int:
    """Take random steps in a file system of their own, and return how many chunks were carried."""
    script = f"from tests.include.vms.random_weeks import main\nmain(there, elsewhere, {seed}, {steps})"
    found, _ = on(short, kind, script)
    return int(found)


def test_random_weeks_of_a_disk(short: Path) -> None:
    """Whatever happens to disk and reference, and whichever backups fail: each image is the disk."""
    carried(short, "xfs", 1, 8)


@pytest.mark.slow
@pytest.mark.endurance
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_many_random_weeks_of_a_disk(short: Path, kind: str) -> None:
    """The same, for longer; in ``make endurance`` with other dice each time. Much is carried."""
    dice = random.SystemRandom()
    seeds = [dice.randrange(1 << 32) for _ in range(80)] if os.environ.get(SUITE) == "endurance" else [1]
    found = []
    for seed in seeds:
        folder = short / str(seed)
        folder.mkdir()
        found.append(carried(folder, kind, seed, 25))
        shutil.rmtree(folder)
    assert sum(found) > 0
