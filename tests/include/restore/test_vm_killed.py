"""A restore that is interrupted: each disk is complete, the message says which, and a retry resumes."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from include.agent.bitmap import Bitmap
from include.errors import HostNotReadyError, SourceUnreachableError, TransientError, VmNotRestoredError
from include.remote.ssh import connected
from include.restore.vm_sender import sending
from include.vms.chunks import Chunks
from include.vms.progress import Progress
from tests.include.restore.vm_restores import Rehearsal

KEEP_STEPS = ["begin", "autostart", "keep vda", "move vda", "keep vdb", "move vdb"]
OVERWRITE_STEPS = ["begin", "keep definition", "define", "commit vda", "commit vdb", "remove-old"]
QUICK = ((True, "move vda"),)
"""Those of ``make test``."""
STEPS = [
    pytest.param(*one, marks=() if one in QUICK else (pytest.mark.slow,))
    for one in [*((True, step) for step in KEEP_STEPS), *((False, step) for step in OVERWRITE_STEPS)]
]


@pytest.mark.parametrize(("keep_old", "step"), STEPS)
def test_a_swap_killed_at_any_step_reports_each_disk_and_resumes(
    rehearsal: Rehearsal, step: str, *, keep_old: bool
) -> None:
    """Each disk is complete at its place, old or new; a retry finishes the swap."""
    kvm, generation = rehearsal.kvm, rehearsal.generations("maq1")[-1]
    new = {disk: generation.image(disk).read_bytes() for disk in ("vda", "vdb")}
    rehearsal.damage("maq1", "vda", "raw", "0")
    rehearsal.damage("maq1", "vdb", "qcow2", "0", "1M")
    old = disk_contents(rehearsal)
    kvm.plan_fault(step, "agent")

    with pytest.raises(HostNotReadyError, match=f"interrupted at the step {step}") as refused:
        rehearsal.in_place("maq1", f"killed at {step}, {keep_old}", keep_old=keep_old)

    assert kvm.fault_happened()
    for disk, content in disk_contents(rehearsal).items():
        assert content in (old[disk], new[disk])
        is_new = content == new[disk] or step == f"commit {disk}"  # then together with its overlay
        assert f"{disk} is {'restored' if is_new else 'still the old one'}" in str(refused.value)
    assert "Don't start the VM" in survey_problems(rehearsal)
    restored = rehearsal.in_place("maq1", f"killed at {step}, {keep_old}", keep_old=keep_old)
    assert disk_contents(rehearsal) == new
    kept = sorted((kvm.folder / "disks").glob("*.before-restore-*"))
    assert sorted(map(Path, restored.swapped.kept)) == kept
    assert [path.name.split(".")[1] for path in kept] == (["vda", "vdb"] if keep_old else [])
    for path in kept:
        path.unlink()
    assert rehearsal.left_behind() == []


@pytest.mark.parametrize(
    ("disk", "form"), [("vda", "raw"), pytest.param("vdb", "qcow2", marks=pytest.mark.slow)]
)
def test_a_partly_overwritten_disk_is_complete_with_its_overlay(
    rehearsal: Rehearsal, disk: str, form: str
) -> None:
    """The message names the overlay. A retry repairs what was written to the disk meanwhile."""
    kvm, image = rehearsal.kvm, rehearsal.generations("maq1")[-1].image(disk).read_bytes()
    kvm.virsh("autostart", "--domain=maq1")
    rehearsal.damage("maq1", disk, form, "0", "4M")
    kvm.plan_fault(f"commit {disk}", "agent")
    with pytest.raises(HostNotReadyError, match=f"interrupted at the step commit {disk}") as refused:
        rehearsal.in_place("maq1", f"half of {disk}", keep_old=False)
    [overlay] = (kvm.folder / "disks").glob(f"maq1.{disk}.restoring-*.qcow2")
    rehearsal.damage("maq1", disk, form, "1M", "1M")
    assert autostarts(rehearsal) == [], "a host that reboots must not start it"
    assert f"{disk} is restored, but only together with {overlay}" in str(refused.value)
    assert rehearsal.content(overlay, "qcow2") == image

    rehearsal.in_place("maq1", f"half of {disk}", keep_old=False)
    assert autostarts(rehearsal) == ["maq1"]
    assert rehearsal.content(kvm.disk("maq1", disk), form) == image
    assert rehearsal.left_behind() == []


@pytest.mark.slow
@pytest.mark.parametrize("step", ["define", "move vdb"])
def test_a_restore_beside_that_is_killed_at_a_step_is_finished_by_a_retry(
    rehearsal: Rehearsal, step: str
) -> None:
    """The message says which disks are at their places; the original is never changed."""
    kvm, generation = rehearsal.kvm, rehearsal.generations("maq1")[-1]
    before, new_name = disk_contents(rehearsal), f"maq1-{step.replace(' ', '-')}"
    kvm.plan_fault(step, "agent")
    with pytest.raises(HostNotReadyError, match=f"interrupted at the step {step}") as refused:
        rehearsal.beside("maq1", new_name=new_name)
    assert kvm.fault_happened()
    vda = "is restored" if step == "move vdb" else "isn't in place yet"
    assert f"vda {vda}" in str(refused.value)
    assert "vdb isn't in place yet (its restored content is " in str(refused.value)
    assert disk_contents(rehearsal) == before

    assert rehearsal.beside("maq1", new_name=new_name).swapped.state == "shut off"
    disks = kvm.folder / "disks"
    assert (disks / f"{new_name}-vda.raw").read_bytes() == generation.image("vda").read_bytes()
    vdb = rehearsal.content(disks / f"{new_name}-vdb.qcow2", "qcow2")
    assert vdb == generation.image("vdb").read_bytes()
    assert disk_contents(rehearsal) == before
    assert rehearsal.left_behind() == []
    kvm.virsh("undefine", f"--domain={new_name}")


@pytest.mark.parametrize("fault", [pytest.param("ssh", marks=pytest.mark.slow), "libvirtd"])
def test_a_swap_that_loses_ssh_or_libvirt_is_finished_by_a_retry(rehearsal: Rehearsal, fault: str) -> None:
    """Without a person."""
    rehearsal.damage("maq1", "vda", "raw", "0")
    rehearsal.kvm.plan_fault("move vda", fault)
    for _ in range(3):
        try:
            rehearsal.in_place("maq1", f"lost {fault}")
            break
        except TransientError:
            time.sleep(1)
    assert rehearsal.kvm.fault_happened()
    image = rehearsal.generations("maq1")[-1].image("vda")
    assert rehearsal.kvm.disk("maq1", "vda").read_bytes() == image.read_bytes()
    assert rehearsal.left_behind() == []


@pytest.mark.slow
def test_a_transfer_that_breaks_resumes(rehearsal: Rehearsal) -> None:
    """What has arrived stays on the host, the VM isn't changed, and nothing is sent twice."""
    rehearsal.damage("maq1", "vda", "raw", "0")
    rehearsal.damage("maq1", "vdb", "qcow2", "0", "1M")
    before = disk_contents(rehearsal)

    def kill_after_vda(line: str) -> None:
        if line.startswith("maq1 vda") and "verified" in line:
            rehearsal.kvm.run("pkill", "-KILL", "-f", r"agent-[0-9a-f]+\.pyz .* receive")

    interrupted = replace(rehearsal.restore("maq1", "broken", how="in place"), log=kill_after_vda)
    with pytest.raises(SourceUnreachableError):
        interrupted.run_all()
    assert disk_contents(rehearsal) == before
    again = rehearsal.in_place("maq1", "broken")
    assert again.sent_bytes == 1 << 20  # of vdb only
    assert rehearsal.left_behind() == []


@pytest.mark.slow
def test_a_chunk_that_reads_back_differently_is_sent_again(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap refuses a disk that isn't verified. Signs of life get into no command and no chunk."""
    monkeypatch.setattr("include.agent.heartbeat.EVERY_S", 0.001)
    rehearsal.damage("maq1", "vda", "raw", "0")
    restore = rehearsal.restore("maq1", how="in place")
    order = restore.order()
    image, chunks = restore.generation.image("vda"), Chunks.read(restore.generation.chunks("vda"))
    progress = Progress("vda", chunks.bytes, print)
    command = restore.host.install_agent().command("receive")
    with connected(restore.host.transport.endpoint) as config, sending(config, command, order) as sender:
        missing = sender.compare("vda", chunks, progress)
        sender.write("vda", image, chunks, missing, progress)
        [new] = (rehearsal.kvm.folder / "disks").glob("maq1.vda.restoring-*")
        with new.open("r+b") as file:
            file.write(b"rotten")
        assert list(sender.verify("vda", chunks, progress)) == [0]
    with pytest.raises(VmNotRestoredError, match="vda isn't verified on the host yet"):
        restore.host.swap(order)
    with connected(restore.host.transport.endpoint) as config, sending(config, command, order) as sender:
        assert list(sender.compare("vda", chunks, progress)) == [0]
        sender.write("vda", image, chunks, Bitmap(chunks.count, [0]), progress)
        assert not sender.verify("vda", chunks, progress)
    assert new.read_bytes() == image.read_bytes()
    rehearsal.in_place("maq1")
    assert rehearsal.left_behind() == []


def autostarts(rehearsal: Rehearsal) -> list[str]:
    """Return the VMs with autostart."""
    return rehearsal.kvm.virsh("list", "--all", "--autostart", "--name").split()


def disk_contents(rehearsal: Rehearsal) -> dict[str, bytes]:
    """Return the content of each disk as the guest sees it."""
    kvm = rehearsal.kvm
    vdb = rehearsal.content(kvm.disk("maq1", "vdb"), "qcow2")
    return {"vda": kvm.disk("maq1", "vda").read_bytes(), "vdb": vdb}


def survey_problems(rehearsal: Rehearsal) -> str:
    """Return why the VM can't be backed up now."""
    [found] = [vm for vm in rehearsal.host.survey().vms if vm.name == "maq1"]
    return " ".join(found.problems)
