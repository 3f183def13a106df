"""What stands in the way of a restore: said before anything is touched, with what to do."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.errors import (
    ConfigError,
    DamagedError,
    MachineNotPossibleError,
    MachineNotRestoredError,
    NotYetError,
    SourceUnreachableError,
    VaultError,
)
from include.proofs import Found
from include.restore.machine_choice import kept_meanwhile
from tests.include.audit.kept import flip
from tests.include.restore.bringing_back import Rehearsal, copied, mounted, remove

pytestmark = pytest.mark.xdist_group("kvm")


@pytest.fixture(autouse=True)
def _nothing_touched(bringing: Rehearsal) -> Iterator[None]:
    """After each of these tests machines and disks are as they were, and nothing is left."""
    kvm = bringing.kvm
    disks = {path: path.read_bytes() for path in (kvm.folder / "disks").iterdir()}
    machines = kvm.virsh("list", "--all", "--name")
    yield
    assert {path: path.read_bytes() for path in (kvm.folder / "disks").iterdir()} == disks
    assert kvm.virsh("list", "--all", "--name") == machines
    assert bringing.left_behind() == []


def test_a_machine_that_runs_isnt_restored_in_place(bringing: Rehearsal) -> None:
    """It's told to shut it down, or to restore it beside itself."""
    disk = bringing.kvm.disk("maq1", "vda")
    before = disk.read_bytes()
    bringing.kvm.virsh("start", "--domain=maq1")
    try:
        with pytest.raises(MachineNotPossibleError, match="maq1 is running, and is restored in place only"):
            bringing.in_place("maq1")
    finally:
        bringing.kvm.virsh("destroy", "--domain=maq1")
        disk.write_bytes(before)  # it booted meanwhile


def test_a_machine_with_a_saved_state_isnt_restored_in_place(bringing: Rehearsal) -> None:
    """That state fits the disks only as they are now."""
    disk = bringing.kvm.disk("maq1", "vda")
    before = disk.read_bytes()
    bringing.kvm.virsh("start", "--domain=maq1")
    bringing.kvm.virsh("managedsave", "--domain=maq1")
    try:
        with pytest.raises(MachineNotPossibleError, match="maq1 has a saved state"):
            bringing.in_place("maq1")
    finally:
        bringing.kvm.virsh("managedsave-remove", "--domain=maq1")
        disk.write_bytes(before)  # it booted meanwhile


def test_a_machine_that_is_called_otherwise_now_is_refused(bringing: Rehearsal) -> None:
    """Libvirt would have two names for one UUID."""
    bringing.kvm.virsh("domrename", "--domain=maq1", "--new-name=renamed")
    try:
        with pytest.raises(MachineNotPossibleError, match="maq1 is called renamed at this host"):
            bringing.in_place("maq1")
    finally:
        bringing.kvm.virsh("domrename", "--domain=renamed", "--new-name=maq1")


def test_a_definition_that_the_host_doesnt_take_moves_nothing(bringing: Rehearsal) -> None:
    """As of a machine of another kind; and no restore is left open."""
    [good] = bringing.generations("maq1")
    other = copied(good, good.instant + timedelta(days=7))
    definition, sums = other.file("domain.xml"), other.sums
    sha256 = hashlib.sha256(definition.read_bytes()).hexdigest()
    definition.chmod(0o600)
    definition.write_text(definition.read_text().replace("arch='x86_64'", "arch='sparc'"))
    sums.chmod(0o600)
    own = hashlib.sha256(definition.read_bytes()).hexdigest()
    sums.write_text(sums.read_text().replace(sha256, own))
    try:
        with pytest.raises(MachineNotPossibleError, match="Nothing was moved"):
            bringing.in_place("maq1", generation=other.name)
        [found] = [one for one in bringing.host.survey().machines if one.name == "maq1"]
        assert found.problems == ()
    finally:
        remove(other.folder)
        for left in (bringing.kvm.folder / "disks").glob("*.restoring-*"):
            left.unlink()


def test_a_name_that_exists_is_refused(bringing: Rehearsal) -> None:
    """Of a machine; another one is to be chosen."""
    bringing.kvm.define_small("maq9", {"vda": "raw"})
    try:
        with pytest.raises(
            MachineNotPossibleError, match=r"has a machine maq9 already, of the UUID .* Choose"
        ):
            bringing.beside("maq1", new_name="maq9")
    finally:
        bringing.kvm.virsh("undefine", "--domain=maq9")
        bringing.kvm.disk("maq9", "vda").unlink()


def test_a_file_that_exists_is_refused(bringing: Rehearsal) -> None:
    """It isn't written over."""
    there = bringing.kvm.folder / "disks" / "maq1-new-vdb.qcow2"
    there.write_bytes(b"somebody's")
    try:
        with pytest.raises(MachineNotPossibleError, match=r"maq1-new-vdb\.qcow2 is there already"):
            bringing.beside("maq1", new_name="maq1-new")
        assert there.read_bytes() == b"somebody's"
    finally:
        there.unlink()


def test_another_machines_disk_is_refused(bringing: Rehearsal) -> None:
    """Whatever way its path leads there."""
    kvm = bringing.kvm
    link = kvm.folder / "linked"
    link.symlink_to(kvm.folder / "disks")
    kvm.define_small("maq8", {"vda": "raw"})
    kvm.disk("maq8", "vda").rename(kvm.disk("maq8", "vda").with_name("maq1-x-vda.raw"))
    kvm.run("sh", "-c", f"virsh dumpxml maq8 | sed s,maq8.vda,maq1-x-vda.raw, >{kvm.folder}/maq8.xml")
    kvm.virsh("define", f"--file={kvm.folder}/maq8.xml")
    try:
        with pytest.raises(MachineNotPossibleError, match="is a disk of the machine maq8"):
            bringing.beside("maq1", new_name="maq1-x", folder=str(link))
    finally:
        kvm.virsh("undefine", "--domain=maq8")
        (kvm.folder / "disks" / "maq1-x-vda.raw").unlink()
        link.unlink()


def test_a_full_target_is_refused(bringing: Rehearsal) -> None:
    """It's said how much is missing, before anything is written."""
    with (
        mounted(bringing, "4m") as folder,
        pytest.raises(MachineNotPossibleError, match=r"has 0\.00 GB free, and 0\.0. GB are needed"),
    ):
        bringing.beside("maq1", folder=folder)


def test_a_read_only_target_is_refused(bringing: Rehearsal) -> None:
    """By name."""
    with (
        mounted(bringing, "400m", "ro") as folder,
        pytest.raises(MachineNotPossibleError, match="is on a file system that is mounted read-only"),
    ):
        bringing.beside("maq1", folder=folder)


def test_a_folder_that_isnt_there_is_refused(bringing: Rehearsal) -> None:
    """It isn't made: who mistypes a path would fill the wrong disk."""
    with pytest.raises(MachineNotPossibleError, match="has no folder /nowhere"):
        bringing.beside("maq1", folder="/nowhere")


def test_a_host_that_cant_be_reached_is_worth_another_try(bringing: Rehearsal) -> None:
    """It's told as such."""
    bringing.kvm.ssh.stop()
    try:
        with pytest.raises(SourceUnreachableError, match="can't be reached"):
            bringing.in_place("maq1")
    finally:
        bringing.kvm.ssh.start()


def test_damage_that_an_audit_found_is_refused(bringing: Rehearsal) -> None:
    """With what is wrong, and which other generation is good; asked for none, the good one is taken."""
    old, new = bringing.generations("maq1")[-1], bringing.image("maq1", "this week")
    facts = {"what": "audit", "when": datetime.now(UTC), "result": "failed", "how": "2 chunks of vda differ."}
    new.proofs.append(Found.model_validate({**facts, "seconds": 1, "run": "an audit"}))
    try:
        with pytest.raises(VaultError, match=f"found: 2 chunks of vda differ. .* is {old.name}"):
            bringing.restore("maq1", generation=new.name)
        assert bringing.restore("maq1").generation == old
    finally:
        remove(new.folder)
        new.proofs.path.unlink()


def test_damage_that_nobody_knew_of_is_refused(bringing: Rehearsal) -> None:
    """It's found before it's sent; the message says where, and which other generation is good."""
    good, bad = bringing.generations("maq1")[-1], bringing.image("maq1", "this week")
    image = bad.image("vda")
    image.chmod(0o600)
    with image.open("r+b") as file:
        file.seek(4096)
        file.write(b"rotten")
    disk = bringing.kvm.disk("maq1", "vda")
    before = disk.read_bytes()
    bringing.damage("maq1", "vda", "raw", "0", "1M")
    try:
        with pytest.raises(VaultError, match=rf"vda.img is damaged: chunk 0 .* is {good.name}"):
            bringing.in_place("maq1", generation=bad.name)
        left = list((bringing.kvm.folder / "disks").glob("*.restoring-*"))
        assert left, "what was begun stays for the next try"
        [found] = bad.proofs.read()
        assert (found.what, found.result, found.run) == ("audit", "failed", "a restore")
        assert found.how.startswith("A restore found it: ")
        assert bringing.restore("maq1").generation == good
    finally:
        for one in (bringing.kvm.folder / "disks").glob("*.restoring-*"):
            one.unlink()
        disk.write_bytes(before)
        remove(bad.folder)
        bad.proofs.path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["domain.xml", "vda.chunks", "SHA256SUMS"])
def test_a_damaged_definition_or_list_is_refused_before_the_host_is_asked(
    bringing: Rehearsal, name: str
) -> None:
    """One bit may be another path, or another machine's memory; nothing is begun at the host."""
    [good] = bringing.generations("maq1")
    bad = copied(good, good.instant + timedelta(days=7))
    flip(bad.file(name), 40)
    restore = bringing.restore("maq1", how="in place", generation=bad.name)
    try:
        with pytest.raises(DamagedError, match=f"{bad.name} is damaged.* is {good.name}"):
            restore.places()
        assert bad.proofs.read() == []
        with pytest.raises(DamagedError, match="Nothing of the machine was touched"):
            restore.run_all()
        assert [found.result for found in bad.proofs.read()] == ["failed"]
        assert bringing.left_behind() == []
    finally:
        remove(bad.folder)
        bad.proofs.path.unlink(missing_ok=True)


def test_a_generation_that_was_removed_since_it_was_chosen_is_told(bringing: Rehearsal) -> None:
    """Nothing is begun."""
    [good] = bringing.generations("maq1")
    gone = copied(good, good.instant + timedelta(days=7))
    restore = bringing.restore("maq1", how="in place", generation=gone.name)
    remove(gone.folder)
    with pytest.raises(VaultError, match="isn't in the vault any more: it was removed just now"):
        restore.run_all()
    assert bringing.left_behind() == []


def test_a_target_that_fills_up_under_the_disks_is_told_and_gone_on_with(bringing: Rehearsal) -> None:
    """Somebody else writes there; no machine is defined, and with more room the next try ends it."""
    with mounted(bringing, "200m") as folder:

        def fill(_: str) -> None:
            others = ["dd", "if=/dev/zero", f"of={folder}/others", "bs=1M", "count=200"]
            bringing.kvm.run(*others, check=False)

        restore = bringing.restore("maq1", new_name="maq1-full", folder=folder)
        with pytest.raises(MachineNotRestoredError, match="No space left on device"):
            replace(restore, say=fill).run_all()
        assert "maq1-full" not in bringing.kvm.virsh("list", "--all", "--name").split()
        bringing.kvm.run("rm", f"{folder}/others")
        restore.run_all()
        bringing.kvm.virsh("undefine", "--domain=maq1-full")


def test_a_generation_isnt_removed_while_it_is_restored(bringing: Rehearsal) -> None:
    """And isn't restored while something is removed: each waits for the other."""
    restore = bringing.restore("maq1", how="in place")
    with bringing.vault.hold_alone("a removal"), pytest.raises(NotYetError):
        restore.run_all()
    with (
        kept_meanwhile(restore.vault, restore.generation),
        pytest.raises(NotYetError),
        bringing.vault.hold_alone("a removal"),
    ):
        pass


def test_in_place_wants_the_machines_name(bringing: Rehearsal) -> None:
    """Typed; another one isn't it."""
    for typed in (None, "maq2", "MAQ1"):
        with pytest.raises(ConfigError, match="Type its name as 'confirm'"):
            bringing.in_place("maq1", confirm=typed)


def test_what_the_host_is_asked_by_others_is_checked_there(bringing: Rehearsal) -> None:
    """A path with a detour is no path."""
    from tests.include.agent.on_host import Agent  # noqa: PLC0415 - only here

    request = bringing.restore("maq1", how="in place")._request().request.model_dump(mode="json")  # noqa: SLF001
    request["disks"][0]["path"] = "/vms/../etc/shadow"
    answer = Agent(bringing.kvm).call("check-restore", request=request)
    assert answer.status == 2
    assert "no absolute path without detours" in answer.said["message"]
