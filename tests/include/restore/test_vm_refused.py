"""Restores that are refused before anything is changed, with a message that says what to do."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.errors import (
    ConfigError,
    DamagedError,
    RescheduleError,
    SourceUnreachableError,
    VaultError,
    VmNotPossibleError,
    VmNotRestoredError,
)
from include.restore.generation_choice import locked
from include.vault.verification_log import LogEntry
from tests.include.restore.vm_restores import Rehearsal, copied, mounted, remove
from tests.include.scrub.sample_backups import flip


@pytest.fixture(autouse=True)
def _nothing_touched(rehearsal: Rehearsal) -> Iterator[None]:
    """Check after each test that VMs and disks are unchanged, and nothing is left."""
    kvm = rehearsal.kvm
    disks = {path: path.read_bytes() for path in (kvm.folder / "disks").iterdir()}
    vms = kvm.virsh("list", "--all", "--name")
    yield
    assert {path: path.read_bytes() for path in (kvm.folder / "disks").iterdir()} == disks
    assert kvm.virsh("list", "--all", "--name") == vms
    assert rehearsal.left_behind() == []


def test_a_running_vm_isnt_restored_in_place(rehearsal: Rehearsal) -> None:
    """The message says to shut it down, or to restore beside it."""
    disk = rehearsal.kvm.disk("maq1", "vda")
    before = disk.read_bytes()
    rehearsal.kvm.virsh("start", "--domain=maq1")
    try:
        with pytest.raises(VmNotPossibleError, match="maq1 is running, and can be restored in place only"):
            rehearsal.in_place("maq1")
    finally:
        rehearsal.kvm.virsh("destroy", "--domain=maq1")
        disk.write_bytes(before)  # undo what it wrote while it ran


def test_a_vm_with_a_saved_state_isnt_restored_in_place(rehearsal: Rehearsal) -> None:
    """The saved state only fits the current disks."""
    disk = rehearsal.kvm.disk("maq1", "vda")
    before = disk.read_bytes()
    rehearsal.kvm.virsh("start", "--domain=maq1")
    rehearsal.kvm.virsh("managedsave", "--domain=maq1")
    try:
        with pytest.raises(VmNotPossibleError, match="maq1 has a saved state"):
            rehearsal.in_place("maq1")
    finally:
        rehearsal.kvm.virsh("managedsave-remove", "--domain=maq1")
        disk.write_bytes(before)  # undo what it wrote while it ran


def test_a_renamed_vm_is_refused(rehearsal: Rehearsal) -> None:
    """Libvirt would have two names for one UUID."""
    rehearsal.kvm.virsh("domrename", "--domain=maq1", "--new-name=renamed")
    try:
        with pytest.raises(VmNotPossibleError, match="maq1 is called renamed on this host"):
            rehearsal.in_place("maq1")
    finally:
        rehearsal.kvm.virsh("domrename", "--domain=renamed", "--new-name=maq1")


@pytest.mark.slow
def test_a_definition_that_libvirt_rejects_changes_nothing(rehearsal: Rehearsal) -> None:
    """Such as one of another architecture; no restore is left open."""
    [good] = rehearsal.generations("maq1")
    other = copied(good, good.instant + timedelta(days=7))
    definition, sums = other.file("domain.xml"), other.sums
    sha256 = hashlib.sha256(definition.read_bytes()).hexdigest()
    definition.chmod(0o600)
    definition.write_text(definition.read_text().replace("arch='x86_64'", "arch='sparc'"))
    sums.chmod(0o600)
    new_sha256 = hashlib.sha256(definition.read_bytes()).hexdigest()
    sums.write_text(sums.read_text().replace(sha256, new_sha256))
    try:
        with pytest.raises(VmNotPossibleError, match="Nothing was moved"):
            rehearsal.in_place("maq1", generation=other.name)
        [found] = [vm for vm in rehearsal.host.survey().vms if vm.name == "maq1"]
        assert found.problems == ()
    finally:
        remove(other.folder)
        for left in (rehearsal.kvm.folder / "disks").glob("*.restoring-*"):
            left.unlink()


def test_the_name_of_an_existing_vm_is_refused(rehearsal: Rehearsal) -> None:
    """The message says to choose another."""
    rehearsal.kvm.define_small("maq9", {"vda": "raw"})
    try:
        with pytest.raises(VmNotPossibleError, match=r"already has a VM maq9, with the UUID .* Choose"):
            rehearsal.beside("maq1", new_name="maq9")
    finally:
        rehearsal.kvm.virsh("undefine", "--domain=maq9")
        rehearsal.kvm.disk("maq9", "vda").unlink()


def test_an_existing_file_is_refused(rehearsal: Rehearsal) -> None:
    """It isn't overwritten."""
    there = rehearsal.kvm.folder / "disks" / "maq1-new-vdb.qcow2"
    there.write_bytes(b"somebody's")
    try:
        with pytest.raises(VmNotPossibleError, match=r"maq1-new-vdb\.qcow2 exists already"):
            rehearsal.beside("maq1", new_name="maq1-new")
        assert there.read_bytes() == b"somebody's"
    finally:
        there.unlink()


def test_another_vms_disk_is_refused(rehearsal: Rehearsal) -> None:
    """Even if its path leads there through a link."""
    kvm = rehearsal.kvm
    link = kvm.folder / "linked"
    link.symlink_to(kvm.folder / "disks")
    kvm.define_small("maq8", {"vda": "raw"})
    kvm.disk("maq8", "vda").rename(kvm.disk("maq8", "vda").with_name("maq1-x-vda.raw"))
    kvm.run("sh", "-c", f"virsh dumpxml maq8 | sed s,maq8.vda,maq1-x-vda.raw, >{kvm.folder}/maq8.xml")
    kvm.virsh("define", f"--file={kvm.folder}/maq8.xml")
    try:
        with pytest.raises(VmNotPossibleError, match="is a disk of the VM maq8"):
            rehearsal.beside("maq1", new_name="maq1-x", folder=str(link))
    finally:
        kvm.virsh("undefine", "--domain=maq8")
        (kvm.folder / "disks" / "maq1-x-vda.raw").unlink()
        link.unlink()


def test_a_target_without_enough_space_is_refused(rehearsal: Rehearsal) -> None:
    """The message has how much is needed."""
    with (
        mounted(rehearsal, "4m") as folder,
        pytest.raises(VmNotPossibleError, match=r"need 0\.0. GB, and 0\.00 GB are free"),
    ):
        rehearsal.beside("maq1", folder=folder)


def test_a_read_only_target_is_refused(rehearsal: Rehearsal) -> None:
    """The message names it."""
    with (
        mounted(rehearsal, "400m", "ro") as folder,
        pytest.raises(VmNotPossibleError, match="is on a file system that is mounted read-only"),
    ):
        rehearsal.beside("maq1", folder=folder)


def test_a_missing_folder_is_refused(rehearsal: Rehearsal) -> None:
    """It isn't created, because a typing error could fill the wrong disk."""
    with pytest.raises(VmNotPossibleError, match="has no folder /nowhere"):
        rehearsal.beside("maq1", folder="/nowhere")


def test_an_unreachable_host_is_a_transient_error(rehearsal: Rehearsal) -> None:
    """The task retries."""
    rehearsal.kvm.ssh.stop()
    try:
        with pytest.raises(SourceUnreachableError, match="can't be reached"):
            rehearsal.in_place("maq1")
    finally:
        rehearsal.kvm.ssh.start()


@pytest.mark.slow
def test_damage_that_a_scrub_found_is_refused(rehearsal: Rehearsal) -> None:
    """The message has the damage and an undamaged generation, which is the default."""
    old, new = rehearsal.generations("maq1")[-1], rehearsal.back_up("maq1", "this week")
    entry = {"what": "scrub", "when": datetime.now(UTC), "result": "failed", "how": "2 chunks of vda differ."}
    new.verification_log.append(LogEntry.model_validate({**entry, "seconds": 1, "run": "a scrub"}))
    try:
        with pytest.raises(VaultError, match=f"it damaged: 2 chunks of vda differ. .* is {old.name}"):
            rehearsal.restore("maq1", generation=new.name)
        assert rehearsal.restore("maq1").generation == old
    finally:
        remove(new.folder)
        new.verification_log.path.unlink()


@pytest.mark.slow
def test_damage_that_wasnt_known_is_found_and_refused(rehearsal: Rehearsal) -> None:
    """Before the chunk is sent. The message has its place and an undamaged generation."""
    good, bad = rehearsal.generations("maq1")[-1], rehearsal.back_up("maq1", "this week")
    image = bad.image("vda")
    image.chmod(0o600)
    with image.open("r+b") as file:
        file.seek(4096)
        file.write(b"rotten")
    disk = rehearsal.kvm.disk("maq1", "vda")
    before = disk.read_bytes()
    rehearsal.damage("maq1", "vda", "raw", "0", "1M")
    try:
        with pytest.raises(VaultError, match=rf"vda.img is damaged: .* chunk 0\. .* is {good.name}"):
            rehearsal.in_place("maq1", generation=bad.name)
        left = list((rehearsal.kvm.folder / "disks").glob("*.restoring-*"))
        assert left, "the new disk stays for a retry"
        [found] = bad.verification_log.read()
        assert (found.what, found.result, found.run) == ("restore", "failed", "a restore")
        assert rehearsal.restore("maq1").generation == good
    finally:
        for path in left:
            path.unlink()
        disk.write_bytes(before)
        remove(bad.folder)
        bad.verification_log.path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["domain.xml", "vda.chunks", "SHA256SUMS"])
def test_a_damaged_definition_or_list_is_refused_before_the_host_is_contacted(
    rehearsal: Rehearsal, name: str
) -> None:
    """One bit could be another path; nothing is begun on the host."""
    [good] = rehearsal.generations("maq1")
    bad = copied(good, good.instant + timedelta(days=7))
    flip(bad.file(name), 40)
    restore = rehearsal.restore("maq1", how="in place", generation=bad.name)
    try:
        with pytest.raises(DamagedError, match=f"{bad.name} is damaged.* is {good.name}"):
            restore.check()
        assert bad.verification_log.read() == []
        with pytest.raises(DamagedError, match="The VM wasn't changed"):
            restore.run_all()
        assert [found.result for found in bad.verification_log.read()] == ["failed"]
        assert rehearsal.left_behind() == []
    finally:
        remove(bad.folder)
        bad.verification_log.path.unlink(missing_ok=True)


def test_a_generation_that_is_removed_after_it_was_chosen_is_an_error(rehearsal: Rehearsal) -> None:
    """Nothing is begun on the host."""
    [good] = rehearsal.generations("maq1")
    gone = copied(good, good.instant + timedelta(days=7))
    restore = rehearsal.restore("maq1", how="in place", generation=gone.name)
    remove(gone.folder)
    with pytest.raises(VaultError, match="has been removed from the vault"):
        restore.run_all()
    assert rehearsal.left_behind() == []


@pytest.mark.slow
def test_a_target_that_fills_up_during_the_transfer_resumes_with_more_space(rehearsal: Rehearsal) -> None:
    """Another program writes there; no VM is defined before a retry completes the restore."""
    with mounted(rehearsal, "200m") as folder:

        def fill(_: str) -> None:
            others = ["dd", "if=/dev/zero", f"of={folder}/others", "bs=1M", "count=200"]
            rehearsal.kvm.run(*others, check=False)

        restore = rehearsal.restore("maq1", new_name="maq1-full", folder=folder)
        with pytest.raises(VmNotRestoredError, match=r"No space left on device|is nearly full"):
            replace(restore, log=fill).run_all()
        assert "maq1-full" not in rehearsal.kvm.virsh("list", "--all", "--name").split()
        rehearsal.kvm.run("rm", f"{folder}/others")
        restore.run_all()
        rehearsal.kvm.virsh("undefine", "--domain=maq1-full")


def test_a_generation_isnt_removed_while_it_is_restored(rehearsal: Rehearsal) -> None:
    """Nor restored while retention removes backups: each waits for the other."""
    restore = rehearsal.restore("maq1", how="in place")
    with rehearsal.vault.lock_vault("a removal"), pytest.raises(RescheduleError):
        restore.run_all()
    with (
        locked(restore.vault, restore.generation),
        pytest.raises(RescheduleError),
        rehearsal.vault.lock_vault("a removal"),
    ):
        pass


def test_a_restore_in_place_needs_the_vms_name_as_confirmation(rehearsal: Rehearsal) -> None:
    """Exactly as it is written."""
    for confirm in (None, "maq2", "MAQ1"):
        with pytest.raises(ConfigError, match="Type its name as 'confirm'"):
            rehearsal.in_place("maq1", confirm=confirm)


def test_the_host_checks_the_order_itself(rehearsal: Rehearsal) -> None:
    """It refuses a path with two dots."""
    from tests.include.agent.agent_on_host import Agent  # noqa: PLC0415 - only here

    order = rehearsal.restore("maq1", how="in place").order().model_dump(mode="json")
    order["disks"][0]["path"] = "/vms/../etc/shadow"
    answer = Agent(rehearsal.kvm).call("check-restore", request=order)
    assert answer.status == 2
    assert "isn't an absolute path without detours" in answer.output["message"]
