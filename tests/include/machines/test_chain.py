"""Machines from a real libvirt into the vault and back: every step, and a guest that boots from an image."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import (
    ImageGoneError,
    MachineNotBackError,
    MachineNotImagedError,
    MachineNotPossibleError,
    MachineNotStoppedError,
)
from include.machines.facts import LifeSigns
from include.machines.generation import Generations, PublishedGeneration
from include.machines.host import Host
from include.machines.machine_backup import MachineBackup
from include.vault import Vault
from tests.include.agent.on_host import wait_until
from tests.include.machine import environment
from tests.include.machines.folder_host import REQUEST, take
from tests.include.machines.held_disks import door
from tests.include.machines.machines import names, proven
from tests.site.kvm_host import STATE, URI, KvmHost

pytestmark = pytest.mark.xdist_group("kvm")


@pytest.fixture(scope="module")
def kvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """A host with a machine that obeys, and a deaf one."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as host:
        host.define("maq1", {"vda": "raw", "vdb": "qcow2"})
        host.define("maq3", {"vda": "raw"}, stubborn=True)
        host.boot("maq1")
        host.boot("maq3")
        yield host


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """The vault of all tests here."""
    return Vault.create(tmp_path_factory.mktemp("vault") / "vault")


@pytest.fixture(autouse=True)
def _ready(kvm: KvmHost) -> None:
    """The machine is up, and hears its power button."""
    wait_until(lambda: "guest: ready" in kvm.console("maq1"), "maq1, ready")


def host_of(kvm: KvmHost, scratch: str | None = None) -> Host:
    """Give the host as the backup sees it."""
    return Host(door(kvm.connection), URI, STATE, scratch)


def backup(kvm: KvmHost, vault: Vault, run: str, machine: str = "maq1") -> MachineBackup:
    """Give a machine's backup."""
    return MachineBackup(vault, host_of(kvm), machine, uuid(kvm, machine), run, 0, print)


def uuid(kvm: KvmHost, machine: str = "maq1") -> str:
    """Give a machine's UUID."""
    return kvm.virsh("domuuid", f"--domain={machine}")


def boots(console: str) -> int:
    """Give which boot a guest counts."""
    (count,) = re.findall(r"guest: boot (\d+)", console)
    return int(count)


def kept_boots(generation: PublishedGeneration) -> int:
    """Give how many boots an image has seen."""
    cat = ["debugfs", "-R", "cat /boots", str(generation.image("vda"))]
    return int(subprocess.run(cat, capture_output=True, check=True).stdout)


def left(kvm: KvmHost) -> list[Path]:
    """Give what a freeze left on the host."""
    return [*kvm.agents_folder.glob("x-*"), *kvm.agents_folder.glob("machines/*/journal.jsonl")]


def test_a_machine_is_secured_and_a_week_later_only_its_changes(kvm: KvmHost, kept: Vault) -> None:
    """Down for seconds, running again, its file system clean; the second time is a delta."""
    survey = host_of(kvm).survey()
    found = {machine.name: (machine.state, machine.problems) for machine in survey.machines}
    assert found == {"maq1": ("running", ()), "maq3": ("running", ())}
    before = boots(kvm.console("maq1"))
    for run in ("first", "second"):
        wait_until(lambda: "guest: ready" in kvm.console("maq1"), "maq1, ready")
        take(backup(kvm, kept, run))
        assert (kvm.state("maq1"), left(kvm)) == ("running", [])
    first, second = Generations(kept).of("maq1")
    assert proven(first)
    assert proven(second)
    assert (kept_boots(first), kept_boots(second)) == (before, before + 1)
    for generation in (first, second):
        record = generation.record
        assert (record.method, record.was, record.stopped) == ("cold", "running", "by itself")
        assert 0 < record.downtime_s < 60
        assert record.disks[0].filesystems[0].clean
        assert {"domain.xml", "record.json", "SHA256SUMS"} <= set(names(generation.folder))
        assert {disk.name: disk.source_format for disk in record.disks} == {"vda": "raw", "vdb": "qcow2"}
        subprocess.run(["e2fsck", "-fn", generation.image("vda")], capture_output=True, check=True)
    assert second.record.base == first.name
    sent = [disk.sent_bytes for generation in (first, second) for disk in generation.record.disks]
    assert sent[0] > sent[2] > 0 == sent[3] < sent[1], sent


# A freeze as its task makes it, in a process that can be killed.
_FREEZE = """
import json, sys
from include.machines.host import Host
from tests.include.machines.folder_host import REQUEST
from tests.include.machines.held_disks import door
connection, uri, state, uuid, run = json.loads(sys.argv[1])
Host(door(connection), uri, state, None).freeze(uuid, REQUEST.model_copy(update={"run": run}))
"""


def test_a_worker_that_is_killed_between_and_in_its_steps_stops_the_machine_once(
    kvm: KvmHost, kept: Vault
) -> None:
    """The host goes on; who asks again finds the same freeze, and each step is taken up where it was left."""
    before, run = boots(kvm.console("maq1")), "killed"
    request = REQUEST.model_copy(update={"run": run})
    asked = json.dumps([kvm.connection, URI, STATE, uuid(kvm), run])
    worker = subprocess.Popen([sys.executable, "-c", _FREEZE, asked], env=environment())
    journal = kvm.agents_folder / "machines" / uuid(kvm) / "journal.jsonl"
    wait_until(lambda: journal.exists() and '"shutdown"' in journal.read_text(), "the shutdown")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    frozen = backup(kvm, kept, run).freeze(request)
    assert backup(kvm, kept, run).freeze(request) == frozen
    first = backup(kvm, kept, run).pull(frozen)
    assert backup(kvm, kept, run).pull(frozen) == first
    draft = backup(kvm, kept, run).prove(frozen)
    again = backup(kvm, kept, run).freeze(request)
    assert (again.instant, again.disks) == (frozen.instant.replace(microsecond=0), frozen.disks)
    for _ in range(2):
        backup(kvm, kept, run).release()
        assert backup(kvm, kept, run).publish(frozen) == draft
    wait_until(lambda: "guest: boot" in kvm.console("maq1"), "maq1, booted")
    assert boots(kvm.console("maq1")) == before + 1
    assert proven(Generations(kept).of("maq1")[-1])
    assert left(kvm) == []


def test_a_released_machine_has_nothing_to_pull(kvm: KvmHost, kept: Vault) -> None:
    """Its freeze task must be cleared; what there is of it is dropped."""
    one = backup(kvm, kept, "released")
    frozen = one.freeze(REQUEST.model_copy(update={"run": "released"}))
    one.release()
    with pytest.raises(ImageGoneError, match="Nothing of this machine is frozen"):
        one.pull(frozen)
    assert not Generations(kept).staged("maq1").folder.exists()


def test_what_fails_at_the_host_is_told_as_what_it_is(kvm: KvmHost) -> None:
    """A guest that doesn't stop, room that isn't there, a machine that isn't proven back."""
    host, request = host_of(kvm), REQUEST.model_copy(update={"run": "fails"})
    with pytest.raises(MachineNotStoppedError, match=r"maq3 didn't shut down within 1 s.*\(host kvm_host\)"):
        host.freeze(uuid(kvm, "maq3"), request.model_copy(update={"shutdown_timeout_s": 1}))
    host.release(uuid(kvm, "maq3"), "fails")
    with pytest.raises(MachineNotPossibleError, match=r"This host has no folder /no/such/folder"):
        host.freeze(uuid(kvm), request.model_copy(update={"scratch": "/no/such/folder"}))
    host.release(uuid(kvm), "fails")
    hasty = {"method": "copy", "lease_s": 14}
    with pytest.raises(MachineNotImagedError, match=r"maq1 couldn't be frozen: .*It runs"):
        host.freeze(uuid(kvm), request.model_copy(update=hasty))
    host.release(uuid(kvm), "fails")
    nobody = LifeSigns(address="127.0.0.1", ports=(1,), timeout_s=1)
    with pytest.raises(MachineNotBackError, match="still no sign of: TCP port 1"):
        host.freeze(uuid(kvm), request.model_copy(update={"proof": nobody}))
    with pytest.raises(MachineNotPossibleError, match="maq1 didn't come back in this run"):
        host.freeze(uuid(kvm, "maq3"), request)
    assert host.release(uuid(kvm), "fails").state == "running"
    assert left(kvm) == []


def test_a_machine_boots_from_the_vault_on_another_host(
    kvm: KvmHost, kept: Vault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With cp, a text editor and virsh, as the README says."""
    if not Generations(kept).of("maq1"):
        take(backup(kvm, kept, "to restore"))
    generation = Generations(kept).of("maq1")[-1]
    with KvmHost(tmp_path_factory.mktemp("other")) as other:
        definition = generation.file("domain.xml").read_text()
        for disk in generation.record.disks:
            target = other.disk("maq1", disk.name)
            target.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "--sparse=always", generation.image(disk.name), target], check=True)
            target.chmod(0o600)
        edited = definition.replace(str(kvm.folder), str(other.folder)).replace("type='qcow2'", "type='raw'")
        (other.folder / "consoles").mkdir()
        (other.folder / "domain.xml").write_text(edited)
        other.virsh("define", f"--file={other.folder / 'domain.xml'}")
        other.boot("maq1")
        assert boots(other.console("maq1")) == kept_boots(generation) + 1
        assert uuid(other) == uuid(kvm) == generation.record.uuid
