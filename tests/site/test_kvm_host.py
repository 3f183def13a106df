"""The KVM host is a real one: libvirt's own words, real guests, and nothing left when its power goes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import boot_sector, processes
from tests.site.kvm_host import URI, KvmHost
from tests.site.sshd import SshServer

pytestmark = pytest.mark.xdist_group("kvm")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that obeys, a deaf one, and one that is off."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define("maq1", {"vda": "raw", "vdb": "qcow2"})
        running.define("maq2", {"vda": "qcow2"})
        running.define("maq3", {"vda": "raw"}, stubborn=True)
        running.boot("maq1")
        running.boot("maq3")
        yield running


def ssh(server: SshServer, *command: str) -> str:
    """Run a command over the host's SSH server, which is checked."""
    known = server.folder / "known_hosts"
    known.write_text(server.known_hosts, encoding="ascii")
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}"]
    options += ["IdentitiesOnly=yes", f"IdentityFile={server.key_file}"]
    target = ["-p", str(server.port), f"{server.login}@127.0.0.1"]
    client = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), *target]
    return subprocess.run([*client, *command], capture_output=True, text=True, check=True).stdout.strip()


def test_a_machine_runs_from_its_disk_and_obeys_the_power_button(host: KvmHost) -> None:
    """It counts its boots on the disk, and goes down by itself."""
    before = host.console("maq1")
    host.virsh("shutdown", "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    host.boot("maq1")
    assert "guest: boot 1" in before
    assert "guest: boot 2" in host.console("maq1")


def test_a_small_machine_is_a_machine_too(host: KvmHost) -> None:
    """It counts its boots on its disk, which keeps its file system, and obeys the power button."""
    host.define_small("small", {"vda": "raw"})
    for _ in range(2):
        host.boot("small")
        host.virsh("shutdown", "--domain=small")
        host.wait_for_state("small", "shut off")
    assert boot_sector.boots(host.disk("small", "vda").read_bytes()) == 2
    subprocess.run(["e2fsck", "-fn", str(host.disk("small", "vda"))], check=True)


def test_a_stubborn_machine_ignores_the_power_button(host: KvmHost) -> None:
    """As a hung one does."""
    host.virsh("shutdown", "--domain=maq3")
    host.virsh("shutdown", "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    assert host.state("maq3") == "running"
    host.boot("maq1")


def test_ssh_leads_to_the_host_and_its_own_libvirt(host: KvmHost) -> None:
    """The login sees the machines, and not this machine's processes."""
    assert ssh(host.ssh, "virsh", "-c", URI, "domstate", "maq2") == "shut off"
    assert "kvm_host.sh" in ssh(host.ssh, "cat", "/proc/1/cmdline")


def test_machines_live_on_while_libvirtd_is_dead(host: KvmHost) -> None:
    """And libvirt finds them again."""
    os.kill(host.libvirtd(), signal.SIGKILL)
    host.start_libvirtd()
    assert host.state("maq1") == "running"


def test_a_reboot_ends_everything_and_starts_what_is_set_to_start(host: KvmHost) -> None:
    """The rest stays off, as on any host."""
    host.virsh("autostart", "--domain=maq1")
    host.reboot()
    host.wait_for_state("maq1", "running")
    assert host.state("maq3") == "shut off"
    host.virsh("autostart", "--domain=maq1", "--disable")
    host.boot("maq3")


def test_two_hosts_know_nothing_of_each_other(host: KvmHost, tmp_path: Path) -> None:
    """Each has its own machines and its own port."""
    with KvmHost(tmp_path / "other") as other:
        assert other.virsh("list", "--all", "--name") == ""
        assert other.connection["port"] != host.connection["port"]


def test_nothing_is_left_of_a_host_without_power(tmp_path: Path) -> None:
    """Its guests, its daemons and its logins end with it."""
    with KvmHost(tmp_path / "kvm") as doomed:
        doomed.define("maq1", {"vda": "raw"})
        doomed.boot("maq1")
        everybody = processes.family([doomed.libvirtd()]) | {doomed.libvirtd()}
    assert not [pid for pid in everybody if Path(f"/proc/{pid}").exists()]
