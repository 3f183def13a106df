"""What a boot test takes of its host is bounded, and for QEMU alone."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from include.results.states import Outcome
from include.vault.vault import Vault
from include.vms.archive import PublishedVm
from tests.include.agent.agent_on_host import Agent, wait_until
from tests.include.boot_test.boot_tests import BootTests, laid
from tests.session import needs
from tests.site import boot_sector
from tests.site.kvm_host import KvmHost

CONNECT_AS_NOBODY = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for path in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            print(client.recv(8))
        except OSError as error:
            print(type(error).__name__)
"""


def set_up(host: KvmHost) -> None:
    """Define a VM whose definition is booted."""
    host.define_small("maq1", {"vda": "raw"})


@pytest.fixture
def boot_tests(host: KvmHost, tmp_path: Path) -> BootTests:
    """Boot tests of an empty vault."""
    return BootTests(host, Vault.create(tmp_path / "vault"))


@pytest.fixture
def image(boot_tests: BootTests, monkeypatch: pytest.MonkeyPatch) -> PublishedVm:
    """The image of a VM that boots."""
    return laid(boot_tests, monkeypatch, disk(boot_tests.host))


def disk(host: KvmHost) -> bytes:
    """Return the disk of a VM that boots."""
    return host.disk("maq1", "vda").read_bytes()[: 4 << 20]


@contextmanager
def small(host: KvmHost) -> Iterator[str]:
    """Mount a small file system on the host, with just enough space for a boot test."""
    folder = host.folder / "small"
    folder.mkdir(exist_ok=True)
    host.run("mount", "-t", "tmpfs", "-o", "size=300m", "small", str(folder))
    try:
        yield str(folder)
    finally:
        host.run("umount", str(folder))


def work_folders(folder: Path) -> list[Path]:
    """Return the work folders of boot tests."""
    return [path for path in folder.glob("boot-test-*") if path.is_dir()]


def refused(host: KvmHost) -> list[str]:
    """Return what another user gets at each socket of the agent that /proc/net/unix or a folder names."""
    named = host.run("sh", "-c", "awk '{print $8}' /proc/net/unix").split()
    found = [str(path) for path in host.agents_folder.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
    sockets = {path.replace(str(host.agents_folder), "/var/lib/libvirt/inpe-backup") for path in found}
    sockets |= {path for path in named if path.startswith("/var/lib/libvirt/inpe-backup/")}
    assert sockets
    return host.run("python3", "-c", CONNECT_AS_NOBODY, *sorted(sockets)).split()


def test_another_user_of_the_host_cant_read_the_image(boot_tests: BootTests, image: PublishedVm) -> None:
    """Neither at the socket, which /proc/net/unix names, nor in the work folder."""
    with boot_tests.half_way(image, timeout_s=8):
        assert set(refused(boot_tests.host)) <= {"PermissionError", "FileNotFoundError"}
        [folder] = work_folders(boot_tests.host.agents_folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_boot_test_ends_before_the_scratch_folder_is_full(
    host: KvmHost, boot_tests: BootTests, image: PublishedVm
) -> None:
    """Whoever fills it; the VM is as untested as before, and nothing is left."""
    with small(host) as scratch:
        with replace(boot_tests, scratch=scratch).half_way(image) as items:
            assert len(host.run("sh", "-c", f"ls {scratch}/*/vda.qcow2 {scratch}/*/console.log").split()) == 2
            host.run("fallocate", "-l", "286M", f"{scratch}/others")
            wait_until(lambda: items, "the end of the boot test", 15)
        assert [item.outcome for item in items] == [Outcome.NOT_CHECKED]
        assert "is nearly full. Free some space there, or name another scratch" in items[0].reason
        assert host.run("ls", scratch) == "others"
        wait_until(lambda: not boot_tests.left(), "nothing left", 15)


def test_a_guest_that_fills_its_disk_is_ended(
    boot_tests: BootTests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets no more space than the site file allows, however fast it writes."""
    flood = tmp_path / "disk"
    with flood.open("wb") as file:
        file.truncate(64 << 20)
    boot_sector.write_flood(flood)
    item = boot_tests.of(laid(boot_tests, monkeypatch, flood.read_bytes()), scratch_max="16 MB")
    assert item.outcome is Outcome.NOT_CHECKED, item.reason
    assert "the guest wrote too much: vda.qcow2 has 0.02 GB, of at most 0.02 GB" in item.reason
    wait_until(lambda: not boot_tests.left(), "nothing left", 15)


@pytest.mark.parametrize(
    ("scratch", "reason"),
    [("small", "a boot test needs 0.27 GB"), ("nowhere", "has no folder")],
)
def test_a_scratch_folder_that_cant_be_used_is_reported(
    boot_tests: BootTests, image: PublishedVm, scratch: str, reason: str
) -> None:
    """Before anything is booted."""
    with small(boot_tests.host) as folder:
        boot_tests.host.run("fallocate", "-l", "100M", f"{folder}/others")
        item = replace(boot_tests, scratch=str(Path(folder).with_name(scratch))).of(image)
        assert (item.outcome, reason in item.reason) == (Outcome.NOT_CHECKED, True), item.reason
        wait_until(lambda: not boot_tests.left(), "nothing left", 15)


@pytest.fixture
def unprivileged() -> Iterator[KvmHost]:
    """A host whose QEMU runs as nobody, as it has an account of its own on real hosts."""
    needs.kvm_host()
    with tempfile.TemporaryDirectory(prefix="kvm-") as folder, KvmHost(Path(folder)) as host:
        Path(folder).chmod(0o711)
        settings = host.folder / "etc" / "qemu.conf"
        as_root = settings.read_text(encoding="ascii")
        settings.write_text(
            as_root.replace('user = "root"', 'user = "+65534"').replace('group = "root"', 'group = "+65533"'),
            encoding="ascii",
        )
        host.kill_libvirtd()
        set_up(host)
        yield host


@pytest.mark.slow
def test_a_vm_boots_and_is_backed_up_where_qemu_has_an_account_of_its_own(
    unprivileged: KvmHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folders and sockets belong to that account."""
    host = unprivileged
    boot_tests = BootTests(host, Vault.create(tmp_path / "vault"))
    image = laid(boot_tests, monkeypatch, disk(host))
    with boot_tests.half_way(image, timeout_s=8):
        owned = [*host.agents_folder.glob("boot-test-*.sock"), *work_folders(host.agents_folder)]
        assert [(path.stat().st_uid, path.stat().st_mode & 0o077) for path in owned] == [(65534, 0)] * 2
    item = boot_tests.of(image)
    assert item.outcome is Outcome.BOOTED, item.reason

    host.boot("maq1")
    agent = Agent(host)
    assert agent.begin_backup("maq1").status == 0
    [folder] = host.agents_folder.glob("x-*")
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (65534, 0o700)
    assert os.path.lexists(folder / "nbd.sock")
    assert agent.end_backup("maq1").status == 0
