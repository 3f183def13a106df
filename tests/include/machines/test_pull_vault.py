"""Pulling into vaults of all kinds: full ones, decaying ones, and those whose file system shares blocks."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from include.machines.chunks import Chunks
from include.machines.generation import Generations
from include.vault import Vault
from tests.include.machine import own_mounts, program, python
from tests.include.machines import pulling
from tests.include.machines.held_disks import MIB, HeldDisks, allocated, image, noise

GIB = 1 << 30
MOST = 256 * MIB

# Runs with mounts of its own; what it calls ``there`` is the vault's file system.
_BEGIN = """
import json, os, subprocess, sys
from contextlib import contextmanager
from include.errors import NoSpaceError
from include.machines.chunks import Chunks
from include.machines.facts import Frozen
from include.machines.generation import Generations
from include.machines.image import read_back
from include.machines.pull import pull, pull_again
from include.machines.served import Way
from include.transfer import connected
from include.vault import Path, Vault
from tests.include.machines import machines
from tests.include.machines.held_disks import MIB, noise, route
from tests.include.machines.machines import lay

asked = json.loads(sys.argv[1])
there, source = Path(asked["there"]), Path(asked["source"])
frozen = Frozen.model_validate(asked["frozen"])

def mount(*words):
    subprocess.run(["mount", *words, there], check=True)

@contextmanager
def way():
    with connected(route(asked["connection"])) as config:
        yield Way(config, asked["command"], frozen)

def pulled(vault, base=None):
    with Generations(vault).hold("maq1") as staged, way() as path:
        return pull(path, staged, base, print).disks[0]
"""


def run(script: str, held: HeldDisks, disks: Mapping[str, Path], there: Path, *more: object) -> str:
    """Run such a script on a host's disks, and give what it printed."""
    there.mkdir()
    frozen = held.hold(disks)
    facts = {"there": str(there), "source": str(disks["vda"]), "frozen": frozen.model_dump(mode="json")}
    asked = {**facts, "connection": held.server.connection, "command": held.command}
    return python(_BEGIN + script, json.dumps(asked), *(str(word) for word in more), prefix=own_mounts())


FULL = """
mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
vault = Vault.create(there / "vault")
(there / "somebody else's").write_bytes(bytes(6 * MIB))
for _ in range(2):
    try:
        pulled(vault)
    except NoSpaceError as full:
        assert str(full) == f"The vault {vault.root} is full. Add space and clear the task."
    else:
        raise AssertionError("it wasn't full")
noted = Generations(vault).staged("maq1").have("vda").stat().st_size // 32
assert 7 <= noted <= 10, noted
(there / "somebody else's").unlink()
assert pulled(vault).sent_bytes == (12 - noted) * MIB
assert Generations(vault).staged("maq1").image("vda").read_bytes() == source.read_bytes()
"""


def test_a_vault_that_fills_up_is_told_and_the_pull_goes_on_with_more_space(
    held: HeldDisks, tmp_path: Path
) -> None:
    """What came isn't sent again."""
    run(FULL, held, {"vda": image(tmp_path / "disk", 12 * MIB, at_0=noise(12))}, tmp_path / "there")


SHARED = """
mount("-o", "loop", sys.argv[2])
vault = Vault.create(there / "vault")
data = source.read_bytes()
old = noise(3) + data[3 * MIB :]
machines.IMAGES = {"vda": old}
base = lay(vault)
free = os.statvfs(there).f_bfree * os.statvfs(there).f_frsize
assert pulled(vault, base).same_bytes == 61 * MIB
taken = free - os.statvfs(there).f_bfree * os.statvfs(there).f_frsize
staged = Generations(vault).staged("maq1")
assert staged.image("vda").read_bytes() == data
print(taken / MIB)
"""


def test_chunks_that_didnt_change_take_no_room_where_the_file_system_shares_blocks(
    held: HeldDisks, tmp_path: Path
) -> None:
    """XFS: 64 MiB of which 3 changed take little more than these 3."""
    file_system = tmp_path / "xfs"
    with file_system.open("wb") as file:
        file.truncate(512 * MIB)
    subprocess.run([program("mkfs.xfs"), "-q", "-m", "reflink=1", file_system], check=True)
    disk = image(tmp_path / "disk", 64 * MIB, at_0=noise(64))
    taken = run(SHARED, held, {"vda": disk}, tmp_path / "there", file_system)
    assert 3 <= float(taken.splitlines()[-1]) < 4


DECAYED = """
import re

def extents(path):
    listed = subprocess.check_output(["filefrag", "-b4096", "-v", path], text=True)
    found = re.findall(r"^ +[0-9]+: +([0-9]+)[.]+ +([0-9]+): +([0-9]+)[.]+ +([0-9]+):", listed, re.MULTILINE)
    return [tuple(int(block) for block in extent) for extent in found]

mount("-o", "loop", sys.argv[2])
low, high = there / "low", there / "high"
subprocess.run(["fallocate", "--length=24MiB", low], check=True)
machines.IMAGES = {"vda": source.read_bytes()}
image = lay(Vault.create(there / "vault")).image("vda")
os.sync()
subprocess.run(["cp", image, there / "copy"], check=True)  # after all else
(there / "copy").replace(image)
subprocess.run(["dd", "if=/dev/zero", f"of={high}", "bs=4k"], stderr=subprocess.DEVNULL)  # what is left
_, _, start, end = max(extents(image), key=lambda extent: extent[3])
cut = (start + end) // 2
assert cut > max(end for _, _, _, end in extents(low))
low.unlink()  # so that whatever is written from now on lies before the cut
lost = {
    block // 256
    for first, last, at, _ in extents(image)
    for block in range(first, last + 1)
    if at + block - first >= cut
}
subprocess.run(["umount", there], check=True)
mount("-o", "loop", sys.argv[2])
os.truncate(sys.argv[2], cut * 4096)  # what lies beyond can't be read
try:
    image.read_bytes()
except OSError as error:
    assert error.errno == 5
else:
    raise AssertionError("it can be read")
vault = Vault(there / "vault")
assert pulled(vault, Generations(vault).of("maq1")[0]).same_bytes == 12 * MIB
assert os.stat(sys.argv[2]).st_size == cut * 4096
with Generations(vault).hold("maq1") as staged, way() as path:
    bad = read_back(staged.image("vda"), Chunks.read(staged.chunks("vda"))).bad
    assert set(bad) == lost
    pull_again(path, staged, {"vda": bad})
    assert read_back(staged.image("vda"), Chunks.read(staged.chunks("vda"))).bad == []
    assert staged.image("vda").read_bytes() == source.read_bytes()
"""


def test_a_base_that_cant_be_read_any_more_is_no_end_to_backups(held: HeldDisks, tmp_path: Path) -> None:
    """A disk with bad sectors: what they held is found missing, and sent again."""
    file_system = tmp_path / "ext4"
    with file_system.open("wb") as file:
        file.truncate(64 * MIB)
    plain = ["-O", "^has_journal", "-b", "4096"]
    subprocess.run([program("mkfs.ext4"), "-q", *plain, file_system], check=True)
    disk = image(tmp_path / "disk", 12 * MIB, at_0=noise(12))
    run(DECAYED, held, {"vda": disk}, tmp_path / "there", file_system)


# Runs the agent in the process that measures it.
MEASURED = """
import json, runpy, sys
from pathlib import Path
to, sys.argv = sys.argv[1], sys.argv[2:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    Path(to).write_text(str(int(peak) * 1024))
"""


def test_neither_side_needs_much_memory_for_a_large_disk(
    held: HeldDisks, vault: Vault, tmp_path: Path
) -> None:
    """64 GiB, with data here and there, and 64 MiB of it in one piece."""
    parts = {f"at_{chunk}": noise(0.5) for chunk in range(1000, 64_000, 2000)}
    disk = image(tmp_path / "disk", 64 * GIB, at_7=noise(64), **parts)
    frozen, peak = held.hold({"vda": disk}), tmp_path / "peak"
    words = ["python3", "-c", MEASURED, str(peak), *shlex.split(held.command)[1:]]
    told = pulling.end(pulling.begin(vault, frozen, held.server.connection, shlex.join(words)))
    assert told["error"] == ""
    assert told["peak_bytes"] < MOST
    assert int(peak.read_text()) < MOST
    staged = Generations(vault).staged("maq1")
    assert staged.image("vda").stat().st_size == 64 * GIB
    assert allocated(staged.image("vda")) < 100 * MIB
    subprocess.run(["cmp", f"--bytes={100 * MIB}", disk, staged.image("vda")], check=True)
    assert len(Chunks.read(staged.chunks("vda")).digests) == 64 * 1024 * 32
