"""A restore that is cut off: the old disks or the new ones are complete, it says which, and goes on."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import (
    HostNotReadyError,
    MachineNotRestoredError,
    PassingError,
    SourceUnreachableError,
)
from include.machines.chunks import Chunks
from include.machines.progress import Progress
from include.restore.machine_request import asked
from include.restore.machine_sender import sending
from include.transfer import connected
from tests.include.restore.bringing_back import Rehearsal

pytestmark = pytest.mark.xdist_group("kvm")

KEEPING = ["begin", "autostart", "keep vda", "move vda", "keep vdb", "move vdb"]
DROPPING = ["begin", "keep definition", "define", "commit vda", "commit vdb", "remove-old"]
STEPS = [*((True, step) for step in KEEPING), *((False, step) for step in DROPPING)]


@pytest.mark.parametrize(("keep_old", "step"), STEPS)
def test_a_swap_killed_at_any_step_says_what_each_disk_holds_and_goes_on(
    bringing: Rehearsal, step: str, *, keep_old: bool
) -> None:
    """Each disk is complete, old or new, at its own place; the next try finishes what was begun."""
    kvm, generation = bringing.kvm, bringing.generations("maq1")[-1]
    new = {disk: generation.image(disk).read_bytes() for disk in ("vda", "vdb")}
    bringing.damage("maq1", "vda", "raw", "0")
    bringing.damage("maq1", "vdb", "qcow2", "0", "1M")
    old = seen(bringing)
    kvm.plan_fault(step, "agent")

    with pytest.raises(HostNotReadyError, match=f"cut off at the step {step}") as refused:
        bringing.in_place("maq1", f"killed at {step}, {keep_old}", keep_old=keep_old)

    assert kvm.fault_sprung()
    for disk, content in seen(bringing).items():
        assert content in (old[disk], new[disk])
        is_new = content == new[disk] or step == f"commit {disk}"  # then with what lies beside it
        assert f"{disk} is the {'restored' if is_new else 'old'} one, complete" in str(refused.value)
    assert "Don't start the machine" in survey_problems(bringing)
    restored = bringing.in_place("maq1", f"killed at {step}, {keep_old}", keep_old=keep_old)
    assert seen(bringing) == new
    kept = sorted((kvm.folder / "disks").glob("*.before-restore-*"))
    assert sorted(map(Path, restored.swapped.kept)) == kept
    assert [path.name.split(".")[1] for path in kept] == (["vda", "vdb"] if keep_old else [])
    for path in kept:
        path.unlink()
    assert bringing.left_behind() == []


@pytest.mark.parametrize(("disk", "form"), [("vda", "raw"), ("vdb", "qcow2")])
def test_a_disk_half_written_over_is_complete_with_what_lies_beside_it(
    bringing: Rehearsal, disk: str, form: str
) -> None:
    """It says where that is; and whatever was written there meanwhile, the next try puts it right."""
    kvm, image = bringing.kvm, bringing.generations("maq1")[-1].image(disk).read_bytes()
    kvm.virsh("autostart", "--domain=maq1")
    bringing.damage("maq1", disk, form, "0", "4M")
    kvm.plan_fault(f"commit {disk}", "agent")
    with pytest.raises(HostNotReadyError, match=f"cut off at the step commit {disk}") as refused:
        bringing.in_place("maq1", f"half of {disk}", keep_old=False)
    [overlay] = (kvm.folder / "disks").glob(f"maq1.{disk}.restoring-*.qcow2")
    bringing.damage("maq1", disk, form, "1M", "1M")
    assert autostarts(bringing) == [], "a host that comes back doesn't start it half-way"
    assert f"{disk} is the restored one, complete only together with {overlay}" in str(refused.value)
    assert bringing.content(overlay, "qcow2") == image

    bringing.in_place("maq1", f"half of {disk}", keep_old=False)
    assert autostarts(bringing) == ["maq1"]
    assert bringing.content(kvm.disk("maq1", disk), form) == image
    assert bringing.left_behind() == []


@pytest.mark.parametrize("step", ["define", "move vdb"])
def test_a_machine_beside_that_is_killed_at_a_step_is_finished_by_the_next_try(
    bringing: Rehearsal, step: str
) -> None:
    """It's said which of its disks are at their places; the old machine is as it was all the time."""
    kvm, generation = bringing.kvm, bringing.generations("maq1")[-1]
    before, new_name = seen(bringing), f"maq1-{step.replace(' ', '-')}"
    kvm.plan_fault(step, "agent")
    with pytest.raises(HostNotReadyError, match=f"cut off at the step {step}") as refused:
        bringing.beside("maq1", new_name=new_name)
    assert kvm.fault_sprung()
    vda = "is the restored one, complete" if step == "move vdb" else "isn't at its place yet"
    assert f"vda {vda}" in str(refused.value)
    assert "vdb isn't at its place yet (the restored one, complete, is " in str(refused.value)
    assert seen(bringing) == before

    assert bringing.beside("maq1", new_name=new_name).swapped.state == "shut off"
    disks = kvm.folder / "disks"
    assert (disks / f"{new_name}-vda.raw").read_bytes() == generation.image("vda").read_bytes()
    vdb = bringing.content(disks / f"{new_name}-vdb.qcow2", "qcow2")
    assert vdb == generation.image("vdb").read_bytes()
    assert seen(bringing) == before
    assert bringing.left_behind() == []
    kvm.virsh("undefine", f"--domain={new_name}")


@pytest.mark.parametrize("fault", ["ssh", "libvirtd"])
def test_a_swap_that_loses_its_session_or_libvirt_is_finished_by_the_next_try(
    bringing: Rehearsal, fault: str
) -> None:
    """What is retried needs nobody."""
    bringing.damage("maq1", "vda", "raw", "0")
    bringing.kvm.plan_fault("move vda", fault)
    for _ in range(3):
        try:
            bringing.in_place("maq1", f"lost {fault}")
            break
        except PassingError:
            time.sleep(1)
    assert bringing.kvm.fault_sprung()
    image = bringing.generations("maq1")[-1].image("vda")
    assert bringing.kvm.disk("maq1", "vda").read_bytes() == image.read_bytes()
    assert bringing.left_behind() == []


def test_a_transfer_that_breaks_is_gone_on_with(bringing: Rehearsal) -> None:
    """What came stays at the host; nothing of the machine is touched meanwhile, and nothing is sent twice."""
    bringing.damage("maq1", "vda", "raw", "0")
    bringing.damage("maq1", "vdb", "qcow2", "0", "1M")
    before = seen(bringing)

    def kill_after_vda(line: str) -> None:
        if line.startswith("maq1 vda") and "proven" in line:
            bringing.kvm.run("pkill", "-KILL", "-f", r"agent-[0-9a-f]+\.pyz .* receive")

    breaking = replace(bringing.restore("maq1", "broken", how="in place"), say=kill_after_vda)
    with pytest.raises(SourceUnreachableError):
        breaking.run_all()
    assert seen(bringing) == before
    again = bringing.in_place("maq1", "broken")
    assert again.sent_bytes == 1 << 20  # vdb's; vda's are there
    assert bringing.left_behind() == []


def test_what_the_disk_gives_back_otherwise_is_told_and_sent_again(bringing: Rehearsal) -> None:
    """Whatever became of it since it was written; and a swap refuses what isn't proven."""
    bringing.damage("maq1", "vda", "raw", "0")
    restore = bringing.restore("maq1", how="in place")
    request = asked(restore.wish, restore.generation, restore.run).request
    image, chunks = restore.generation.image("vda"), Chunks.read(restore.generation.chunks("vda"))
    progress = Progress("vda", chunks.bytes, print)
    command = restore.host.receive_command()
    with connected(restore.host.door.route) as config, sending(config, command, request) as sender:
        wanted = sender.compare("vda", chunks)
        sender.write("vda", image, chunks, wanted, progress)
        [new] = (bringing.kvm.folder / "disks").glob("maq1.vda.restoring-*")
        with new.open("r+b") as file:
            file.write(b"rotten")
        assert sender.prove("vda", chunks) == [0]
    with pytest.raises(MachineNotRestoredError, match="vda isn't proven at the host yet"):
        restore.host.swap(request)
    with connected(restore.host.door.route) as config, sending(config, command, request) as sender:
        assert sender.compare("vda", chunks) == [0]
        sender.write("vda", image, chunks, [0], progress)
        assert sender.prove("vda", chunks) == []
    assert new.read_bytes() == image.read_bytes()
    bringing.in_place("maq1")
    assert bringing.left_behind() == []


def autostarts(bringing: Rehearsal) -> list[str]:
    """Give the machines that their host starts by itself."""
    return bringing.kvm.virsh("list", "--all", "--autostart", "--name").split()


def seen(bringing: Rehearsal) -> dict[str, bytes]:
    """Give what a guest would see of each disk now."""
    kvm = bringing.kvm
    vdb = bringing.content(kvm.disk("maq1", "vdb"), "qcow2")
    return {"vda": kvm.disk("maq1", "vda").read_bytes(), "vdb": vdb}


def survey_problems(bringing: Rehearsal) -> str:
    """Give why the machine wouldn't be backed up now."""
    [found] = [one for one in bringing.host.survey().machines if one.name == "maq1"]
    return " ".join(found.problems)
