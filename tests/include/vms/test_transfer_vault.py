"""The transfer into vaults that are full, have bad sectors, or share blocks."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.chunks import Chunks
from tests.include.project_process import python
from tests.include.vms import transfer_process
from tests.include.vms.exported_disks import MIB, ExportedDisks, allocated, image, noise
from tests.session.needs import disk_mounts, own_mounts, program

GIB = 1 << 30
MOST = 256 * MIB

# Runs in a mount namespace of its own; ``there`` is the vault's file system.
_BEGIN = """
import json, os, subprocess, sys
from contextlib import contextmanager
from include.errors import NoSpaceError
from include.vms.chunks import Chunks
from include.vms.models import BegunBackup
from include.vms.archive import VmArchive
from include.vms.image import read_back
from include.vms.transfer import transfer, transfer_again
from include.vms.image_stream import ImageSource
from include.remote.ssh import connected
from include.vault.vault import Path, Vault
from tests.include.vms import sample_vms
from tests.include.vms.exported_disks import MIB, noise, endpoint
from tests.include.vms.sample_vms import lay

asked = json.loads(sys.argv[1])
there, source = Path(asked["there"]), Path(asked["source"])
begun = BegunBackup.model_validate(asked["begun"])

def mount(*words):
    subprocess.run(["mount", *words, there], check=True)

@contextmanager
def open_source():
    with connected(endpoint(asked["connection"])) as config:
        yield ImageSource(config, asked["command"], begun)

def transferred(vault, base=None):
    with VmArchive(vault).lock("maq1") as staged, open_source() as source_path:
        return transfer(source_path, staged, base, print).disks[0]
"""


def run(script: str, exported: ExportedDisks, disks: Mapping[str, Path], there: Path, *more: object) -> str:
    """Run a script on a host's disks, and return its output."""
    there.mkdir()
    begun = exported.export(disks)
    request = {"there": str(there), "source": str(disks["vda"]), "begun": begun.model_dump(mode="json")}
    asked = {**request, "connection": exported.server.connection, "command": exported.command}
    return python(_BEGIN + script, json.dumps(asked), *(str(word) for word in more), prefix=own_mounts())


FULL = """
mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
vault = Vault.create(there / "vault")
(there / "other data").write_bytes(bytes(6 * MIB))
for _ in range(2):
    try:
        transferred(vault)
    except NoSpaceError as full:
        assert str(full) == f"The vault {vault.root} is full. Add space and clear the task."
    else:
        raise AssertionError("the vault wasn't full")
noted = VmArchive(vault).staged("maq1").received("vda").stat().st_size // 32
assert 7 <= noted <= 10, noted
(there / "other data").unlink()
assert transferred(vault).sent_bytes == (12 - noted) * MIB
assert VmArchive(vault).staged("maq1").image("vda").read_bytes() == source.read_bytes()
"""


def test_a_full_vault_is_reported_and_the_transfer_resumes_with_more_space(
    exported: ExportedDisks, tmp_path: Path
) -> None:
    """What was received isn't sent again."""
    run(FULL, exported, {"vda": image(tmp_path / "disk", 12 * MIB, at_0=noise(12))}, tmp_path / "there")


SHARED = """
mount("-o", "loop", sys.argv[2])
vault = Vault.create(there / "vault")
data = source.read_bytes()
old = noise(3) + data[3 * MIB :]
sample_vms.IMAGES = {"vda": old}
base = lay(vault)
free = os.statvfs(there).f_bfree * os.statvfs(there).f_frsize
received = transferred(vault, base)
assert (received.same_bytes, received.decayed) == (61 * MIB, False)
taken = free - os.statvfs(there).f_bfree * os.statvfs(there).f_frsize
staged = VmArchive(vault).staged("maq1")
assert staged.image("vda").read_bytes() == data
print(taken / MIB)
"""


def test_unchanged_chunks_take_no_space_where_the_file_system_shares_blocks(
    exported: ExportedDisks, tmp_path: Path
) -> None:
    """On XFS, 64 MiB of which 3 changed take little more than these 3."""
    disk_mounts()
    file_system = tmp_path / "xfs"
    with file_system.open("wb") as file:
        file.truncate(512 * MIB)
    subprocess.run([program("mkfs.xfs"), "-q", "-m", "reflink=1", file_system], check=True)
    disk = image(tmp_path / "disk", 64 * MIB, at_0=noise(64))
    taken = run(SHARED, exported, {"vda": disk}, tmp_path / "there", file_system)
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
sample_vms.IMAGES = {"vda": source.read_bytes()}
image = lay(Vault.create(there / "vault")).image("vda")
os.sync()
subprocess.run(["cp", image, there / "copy"], check=True)  # after everything else
(there / "copy").replace(image)
subprocess.run(["dd", "if=/dev/zero", f"of={high}", "bs=4k"], stderr=subprocess.DEVNULL)  # the free space
_, _, start, end = max(extents(image), key=lambda extent: extent[3])
cut = (start + end) // 2
assert cut > max(end for _, _, _, end in extents(low))
low.unlink()  # so that everything written from now on lies before the cut
lost = {
    block // 256
    for first, last, at, _ in extents(image)
    for block in range(first, last + 1)
    if at + block - first >= cut
}
subprocess.run(["umount", there], check=True)
mount("-o", "loop", sys.argv[2])
os.truncate(sys.argv[2], cut * 4096)  # blocks beyond can't be read
try:
    image.read_bytes()
except OSError as error:
    assert error.errno == 5
else:
    raise AssertionError("it can be read")
vault = Vault(there / "vault")
received = transferred(vault, VmArchive(vault).of("maq1")[0])
assert (received.same_bytes, received.decayed) == (12 * MIB, True)
assert os.stat(sys.argv[2]).st_size == cut * 4096
with VmArchive(vault).lock("maq1") as staged, open_source() as source_path:
    bad = read_back(staged.image("vda"), Chunks.read(staged.chunks("vda"))).bad
    assert set(bad) == lost
    transfer_again(source_path, staged, {"vda": bad})
    assert not read_back(staged.image("vda"), Chunks.read(staged.chunks("vda"))).bad
    assert staged.image("vda").read_bytes() == source.read_bytes()
"""


def test_a_base_with_bad_sectors_doesnt_stop_backups(exported: ExportedDisks, tmp_path: Path) -> None:
    """Verification finds the chunks on them, and they are sent again."""
    disk_mounts()
    file_system = tmp_path / "ext4"
    with file_system.open("wb") as file:
        file.truncate(64 * MIB)
    plain = ["-O", "^has_journal", "-b", "4096"]
    subprocess.run([program("mkfs.ext4"), "-q", *plain, file_system], check=True)
    disk = image(tmp_path / "disk", 12 * MIB, at_0=noise(12))
    run(DECAYED, exported, {"vda": disk}, tmp_path / "there", file_system)


# Runs the agent, and writes its peak memory to a file.
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
    exported: ExportedDisks, vault: Vault, tmp_path: Path
) -> None:
    """64 GiB with scattered data, and 64 MiB in one piece."""
    parts = {f"at_{chunk}": noise(0.5) for chunk in range(1000, 64_000, 2000)}
    disk = image(tmp_path / "disk", 64 * GIB, at_7=noise(64), **parts)
    begun, peak = exported.export({"vda": disk}), tmp_path / "peak"
    words = ["python3", "-c", MEASURED, str(peak), *shlex.split(exported.command)[1:]]
    result = transfer_process.end(
        transfer_process.begin(vault, begun, exported.server.connection, shlex.join(words))
    )
    assert result["error"] == ""
    assert result["peak_bytes"] < MOST
    assert int(peak.read_text()) < MOST
    staged = VmArchive(vault).staged("maq1")
    assert staged.image("vda").stat().st_size == 64 * GIB
    assert allocated(staged.image("vda")) < 100 * MIB
    subprocess.run(["cmp", f"--bytes={100 * MIB}", disk, staged.image("vda")], check=True)
    assert len(Chunks.read(staged.chunks("vda")).digests) == 64 * 1024 * 32
