"""A restore never writes to a file that other VMs need, nor two disks to one file."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.agent.bitmap import Bitmap
from include.errors import ConfigError, VmNotPossibleError
from include.remote.ssh import connected
from include.restore.vm_sender import sending
from include.vms.chunks import Chunks
from include.vms.progress import Progress
from tests.include.agent.agent_on_host import Agent
from tests.include.restore.vm_restores import Rehearsal, remove

_VM = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>{disks}</devices>
</domain>
"""
_DISK = "<disk><driver name='qemu' type='qcow2'/><source file='{path}'/><target dev='{target}'/></disk>"


@pytest.fixture
def clones(rehearsal: Rehearsal) -> Iterator[list[Path]]:
    """Two VMs, off, whose disks lie on that of ``maq1``: one directly, one on the other's."""
    base, folder = rehearsal.kvm.disk("maq1", "vda"), rehearsal.kvm.folder / "clones"
    folder.mkdir()
    disks = [folder / "clone1.qcow2", folder / "clone2.qcow2"]
    for disk, below, form in zip(disks, (base, disks[0]), ("raw", "qcow2"), strict=True):
        _create(disk, "-F", form, "-b", str(below))
        _define(rehearsal, disk.stem, {"vda": disk})
    yield disks
    for disk in disks:
        rehearsal.kvm.virsh("undefine", f"--domain={disk.stem}")
        disk.unlink()
    folder.rmdir()


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_disk_that_clones_lie_on_isnt_restored_in_place(
    rehearsal: Rehearsal, clones: list[Path], *, keep_old: bool
) -> None:
    """Their disks would change. The message names them all; beside, it is restored."""
    assert [clone.stem for clone in clones] == ["clone1", "clone2"]
    refused = r"maq1\.vda is a backing file of the VMs clone1 and clone2, whose disks it would change"
    with pytest.raises(VmNotPossibleError, match=refused):
        rehearsal.in_place("maq1", keep_old=keep_old)
    assert rehearsal.left_behind() == []


def test_a_clone_with_a_missing_backing_file_keeps_that_path(rehearsal: Rehearsal) -> None:
    """A new VM's disk isn't created there: the clone would have its content."""
    disks = rehearsal.kvm.folder / "disks"
    clone = disks / "clone3.qcow2"
    _create(clone, "-u", "-F", "raw", "-b", str(disks / "maq1-new-vda.raw"), size="64M")
    _define(rehearsal, "clone3", {"vda": clone})
    try:
        with pytest.raises(VmNotPossibleError, match=r"maq1-new-vda\.raw is a backing file of the VM clone3"):
            rehearsal.beside("maq1", new_name="maq1-new")
    finally:
        rehearsal.kvm.virsh("undefine", "--domain=clone3")
        clone.unlink()


@pytest.fixture
def twin(rehearsal: Rehearsal) -> Iterator[tuple[Rehearsal, Path]]:
    """A VM with two disks of one name, with its backup in the vault, and an empty folder for both."""
    folder = rehearsal.kvm.folder / "twin"
    paths = {"vda": folder / "a" / "data.qcow2", "vdb": folder / "b" / "data.qcow2"}
    for target, path in paths.items():
        path.parent.mkdir(parents=True)
        _create(path, size="4M")
        write = ["qemu-io", "-c", f"write -P {ord(target[-1])} 0 4M", str(path)]
        subprocess.run(write, check=True, capture_output=True)
    _define(rehearsal, "twin", paths)
    rehearsal.back_up("twin", "last week")
    new = folder / "new"
    new.mkdir()
    yield rehearsal, new
    rehearsal.kvm.virsh("undefine", "--domain=twin")
    remove(rehearsal.vault.root / "vm" / "twin")
    subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.mark.slow
def test_two_disks_of_one_name_arent_restored_into_one_folder(twin: tuple[Rehearsal, Path]) -> None:
    """Neither at the first try nor at the second; both stay as they are."""
    rehearsal, new = twin
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"vda and vdb of twin would both be written to .*data\.qcow2"):
            rehearsal.in_place("twin", folder=str(new))
    assert list(new.iterdir()) == []


def test_the_host_refuses_two_disks_at_one_place(twin: tuple[Rehearsal, Path]) -> None:
    """Even if each path leads there through another mount."""
    rehearsal, new = twin
    mounted = new.with_name("mounted")
    mounted.mkdir()
    order = rehearsal.restore("twin", how="in place").order().model_dump(mode="json")
    order["folders"] = [str(new), str(mounted)]
    for disk, folder in zip(order["disks"], (new, mounted), strict=True):
        disk["path"] = str(folder / "data.qcow2")
    rehearsal.kvm.run("mount", "--bind", str(new), str(mounted))
    try:
        answer = Agent(rehearsal.kvm).call("check-restore", request=order)
    finally:
        rehearsal.kvm.run("umount", str(mounted))
    assert answer.status == 4
    assert "vda and vdb would both be written to" in answer.output["message"]


@pytest.mark.slow
def test_what_was_compared_is_read_again_after_another_write(rehearsal: Rehearsal) -> None:
    """A chunk that was equal isn't any more: it is found, and sent again."""
    rehearsal.damage("maq1", "vda", "raw", "0", "1M")
    restore = rehearsal.restore("maq1", how="in place")
    image, chunks = restore.generation.image("vda"), Chunks.read(restore.generation.chunks("vda"))
    progress = Progress("vda", chunks.bytes, print)
    command = restore.host.install_agent().command("receive")
    with (
        connected(restore.host.transport.endpoint) as config,
        sending(config, command, restore.order()) as sender,
    ):
        assert list(sender.compare("vda", chunks, progress)) == [0]
        [new] = (rehearsal.kvm.folder / "disks").glob("maq1.vda.restoring-*")
        with new.open("r+b") as file:
            file.seek(5 * chunks.chunk_bytes)
            file.write(b"another's")
        sender.write("vda", image, chunks, Bitmap(chunks.count, [0]), progress)
        assert list(sender.verify("vda", chunks, progress)) == [5]
    rehearsal.in_place("maq1")
    assert rehearsal.kvm.disk("maq1", "vda").read_bytes() == image.read_bytes()
    assert rehearsal.left_behind() == []


def _create(disk: Path, *options: str, size: str = "") -> None:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *options, str(disk), *([size] if size else [])]
    subprocess.run(command, check=True)


def _define(rehearsal: Rehearsal, name: str, disks: dict[str, Path]) -> None:
    described = rehearsal.kvm.folder / f"{name}.xml"
    xml = "".join(_DISK.format(path=path, target=target) for target, path in disks.items())
    described.write_text(_VM.format(name=name, disks=xml))
    rehearsal.kvm.virsh("define", f"--file={described}")
