"""The KVM host is a real one: libvirt, guests, and nothing left after a power cut."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.include.project_process import python
from tests.session import needs
from tests.site import boot_sector, processes, systemctl
from tests.site.kvm_host import URI, KvmHost
from tests.site.sshd import SshServer

LOCKED_S = 2
HOLD_LOCK = f"""
import fcntl, time
print("locking")
fcntl.lockf(open("/run/libvirtd.pid", "r+"), fcntl.LOCK_EX)
time.sleep({LOCKED_S})
"""


def set_up(host: KvmHost) -> None:
    """Define a VM that obeys its power button, one that doesn't, and one that is off."""
    host.define("maq1", {"vda": "raw", "vdb": "qcow2"})
    host.define("maq2", {"vda": "qcow2"})
    host.define("maq3", {"vda": "raw"}, stubborn=True)
    host.boot("maq1")


def ssh(server: SshServer, *command: str) -> str:
    """Run a command over the host's SSH server, whose key is checked."""
    known = server.folder / "known_hosts"
    known.write_text(server.known_hosts, encoding="ascii")
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}"]
    options += ["IdentitiesOnly=yes", f"IdentityFile={server.key_file}"]
    target = ["-p", str(server.port), f"{server.login}@127.0.0.1"]
    client = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), *target]
    return subprocess.run([*client, *command], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_a_vm_runs_from_its_disk_and_obeys_the_power_button(host: KvmHost) -> None:
    """It counts its boots on the disk, and shuts down."""
    before = host.console("maq1")
    host.virsh("shutdown", "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    host.boot("maq1")
    assert "guest: boot 1" in before
    assert "guest: boot 2" in host.console("maq1")


def test_a_small_vm_counts_its_boots_and_obeys_the_power_button(host: KvmHost) -> None:
    """Without harm to the file system on its disk."""
    host.define_small("small", {"vda": "raw"})
    for _ in range(2):
        host.boot("small")
        host.virsh("shutdown", "--domain=small")
        host.wait_for_state("small", "shut off")
    assert boot_sector.boots(host.disk("small", "vda").read_bytes()) == 2
    subprocess.run(["e2fsck", "-fn", str(host.disk("small", "vda"))], check=True)


@pytest.mark.slow
def test_a_stubborn_vm_ignores_the_power_button(host: KvmHost) -> None:
    """As a guest that hangs does."""
    host.boot("maq3")
    host.virsh("shutdown", "--domain=maq3")
    host.virsh("shutdown", "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    assert host.state("maq3") == "running"
    host.virsh("destroy", "--domain=maq3")
    host.boot("maq1")


@pytest.mark.slow
def test_a_stubborn_small_vm_ignores_the_power_button(host: KvmHost) -> None:
    """Until it's destroyed."""
    host.define_small("deaf", {"vda": "raw"}, stubborn=True)
    host.boot("deaf")
    host.virsh("shutdown", "--domain=deaf")
    host.virsh("shutdown", "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    assert host.state("deaf") == "running"
    host.virsh("destroy", "--domain=deaf")
    host.boot("maq1")


def test_ssh_connects_to_the_host_and_its_own_libvirt(host: KvmHost) -> None:
    """It shows the VMs, and not this machine's processes."""
    assert ssh(host.ssh, "virsh", "-c", URI, "domstate", "maq2") == "shut off"
    assert "kvm_host.sh" in ssh(host.ssh, "cat", "/proc/1/cmdline")


def test_vms_keep_running_while_libvirtd_is_dead(host: KvmHost) -> None:
    """And libvirtd finds them again."""
    host.kill_libvirtd()
    assert host.state("maq1") == "running"


def test_libvirtd_is_restarted_even_while_its_lock_is_taken(host: KvmHost) -> None:
    """A killed libvirtd may keep its lock for a while, if the disk was busy."""
    locking = [*host.enter(), "python3", "-uc", HOLD_LOCK]
    with subprocess.Popen(locking, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locking\n"
        killed = time.monotonic()
        host.kill_libvirtd()
    assert time.monotonic() - killed > LOCKED_S
    assert host.state("maq1") == "running"


REPLACED = """
import sys
from pathlib import Path
from tests.site.kvm_host import KvmHost

with KvmHost(Path(sys.argv[1]) / "kvm") as host:
    host.define_small("maq1", {"vda": "raw"})
    host.boot("maq1")
    Path("/etc/passwd.new").write_bytes(Path("/etc/passwd").read_bytes())
    Path("/etc/passwd.new").replace("/etc/passwd")
    host.kill_libvirtd()
    print(host.state("maq1"))
"""


def test_libvirtd_is_restarted_after_a_package_installation(tmp_path: Path) -> None:
    """An installation replaces /etc/passwd, here in a copy of /etc; the host has its own."""
    needs.kvm_host()
    copied = 'cp -a /etc "$1/etc" && mount --bind "$1/etc" /etc && shift && exec "$@"'
    prefix = [*needs.own_mounts(), "sh", "-ec", copied, "sh", str(tmp_path)]
    assert python(REPLACED, str(tmp_path), prefix=prefix) == "running\n"


@pytest.mark.slow
def test_a_reboot_ends_all_vms_and_starts_those_with_autostart(host: KvmHost) -> None:
    """As on any host."""
    host.virsh("start", "--domain=maq3")
    host.virsh("autostart", "--domain=maq1")
    host.reboot()
    host.wait_for_state("maq1", "running")
    assert host.state("maq3") == "shut off"
    host.virsh("autostart", "--domain=maq1", "--disable")


@pytest.mark.slow
def test_one_vms_disks_can_lie_on_another_file_system(tmp_path: Path) -> None:
    """After a reboot, too; when the host is off, nothing of it is mounted."""
    needs.kvm_host()
    needs.program("mkfs.xfs")
    with KvmHost(tmp_path / "kvm") as host:
        host.mount_disks("xfs", vm="maq1")
        host.define_small("maq1", {"vda": "raw"})
        host.define_small("maq2", {"vda": "raw"})
        for _ in range(2):
            kinds = [host.run("stat", "-fc%T", str(host.disk(vm, "vda"))) for vm in ("maq1", "maq2")]
            assert (kinds[0], kinds[1] != "xfs") == ("xfs", True)
            host.reboot()
    image = str(tmp_path / "kvm" / "disks" / "maq1.img")
    assert wait_for(lambda: image not in subprocess.check_output(["losetup", "--list"], text=True))


def test_what_cant_be_mounted_leaves_nothing(host: KvmHost) -> None:
    """So that the VM's disks are put where all others are."""
    before = sorted(host.disks.iterdir())
    with pytest.raises((OSError, subprocess.CalledProcessError)):
        host.mount_disks("nothing", vm="maq9")
    assert sorted(host.disks.iterdir()) == before


@pytest.mark.slow
def test_the_stand_ins_systemctl_runs_a_timer(tmp_path: Path) -> None:
    """Until it is ended; after a boot again."""
    needs.kvm_host()
    needs.program("systemctl")
    timer, ran = "x.timer", tmp_path / "ran"
    with KvmHost(tmp_path / "kvm") as host:
        for _ in range(2):
            systemctl.install(host)
            (host.folder / "units" / timer).write_text("[Timer]\nOnUnitInactiveSec=1\n")
            (host.folder / "units" / "x.service").write_text(f'[Service]\nExecStart="touch" "{ran}"\n')
            host.run("systemctl", "--quiet", "enable", "--now", timer)
            assert wait_for(ran.exists)
            host.run("systemctl", "--quiet", "is-active", timer)
            ran.unlink()
            assert wait_for(ran.exists)
            host.reboot()
        systemctl.install(host)
        host.run("systemctl", "--quiet", "disable", "--now", timer)
        assert host.run("systemctl", "is-active", timer, check=False) == ""
        with pytest.raises(subprocess.CalledProcessError):
            host.run("systemctl", "--quiet", "is-active", timer)


def wait_for(reached: Callable[[], bool]) -> bool:
    """Wait until a condition is true, for half a minute at most; return whether it is."""
    for _ in range(300):
        if reached():
            return True
        time.sleep(0.1)
    return False


def test_two_hosts_are_independent(host: KvmHost, tmp_path: Path) -> None:
    """Each has its own VMs and its own port."""
    with KvmHost(tmp_path / "other") as other:
        assert other.virsh("list", "--all", "--name") == ""
        assert other.connection["port"] != host.connection["port"]


@pytest.mark.slow
def test_a_power_cut_leaves_no_process(tmp_path: Path) -> None:
    """Neither guests, daemons nor SSH sessions."""
    with KvmHost(tmp_path / "kvm") as doomed:
        doomed.define("maq1", {"vda": "raw"})
        doomed.boot("maq1")
        host_processes = processes.family([doomed.libvirtd()]) | {doomed.libvirtd()}
    assert not [pid for pid in host_processes if Path(f"/proc/{pid}").exists()]
