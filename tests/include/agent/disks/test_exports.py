"""Disks exported by a real qemu-nbd; and what the account of a running QEMU can't do to the agent."""

import fcntl
import subprocess
from pathlib import Path

from include.agent.disks import exports
from include.agent.disks.image_info import disk_info
from include.agent.virsh import TIMEOUT_S, Virsh

RUNNING = "<domain><seclabel model='dac'><label>nobody:nogroup</label></seclabel></domain>"


class Recorded(Virsh):
    """A libvirt that records which backup it is given."""

    backup = ""

    def run(self, command: str, *options: str, timeout_s: float = TIMEOUT_S) -> str:
        """Answer with a running domain, or read the backup's XML."""
        del timeout_s
        if command == "backup-begin":
            file = next(option for option in options if option.startswith("--backupxml="))
            self.backup = Path(file.partition("=")[2]).read_text(encoding="utf-8")
        return RUNNING


def test_qemus_account_cant_lead_the_agent_to_another_file(short: Path) -> None:
    """The work folder belongs to it, from the first backup on: the agent writes nothing there."""
    work, other, libvirt = short / "work", short / "other", Recorded("none")
    work.mkdir()
    other.write_text("root's", encoding="utf-8")
    for name in ("backup.xml", "vda.scratch", "nbd.sock"):
        (work / name).symlink_to(other)
    exports.begin_backup(libvirt, {"uuid": "a UUID", "disks": [{"name": "vda"}]}, work)
    assert f'file="{work}/vda.scratch"' in libvirt.backup
    assert other.read_text(encoding="utf-8") == "root's"


def test_a_disk_is_exported_while_an_ended_server_still_locks_its_pid_file(short: Path) -> None:
    """When a process ends, its command line, by which it is found, is gone before its locks."""
    disk = short / "disk"
    disk.write_bytes(bytes(1 << 20))
    with (short / "vda.pid").open("w") as ending:
        fcntl.lockf(ending, fcntl.LOCK_EX)
        [export] = exports.start_nbd_servers([{"name": "vda", "format": "raw", "path": str(disk)}], short)
        try:
            assert exports.with_sizes([export])[0]["bytes"] == 1 << 20
        finally:
            exports.end_processes(str(short))


def test_a_copy_of_a_disk_doesnt_change_with_its_data_file(short: Path) -> None:
    """The VM goes on writing to that while the copy is sent."""
    disk, data = short / "disk", short / "data"
    options = f"data_file={data},data_file_raw=on"
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(disk), "1M"]
    write = ["qemu-io", "-f", "qcow2", str(disk), "-c"]
    subprocess.run(made, check=True)
    subprocess.run([*write, "write -P 0x11 0 1M"], check=True, capture_output=True)
    surveyed = {"name": "vda", "kind": "file", "format": "qcow2", "path": str(disk)}
    copied = exports.copy({**surveyed, **disk_info(surveyed)}, short, 60)
    subprocess.run([*write, "write -P 0x22 0 1M"], check=True, capture_output=True)
    assert copied["format"] == "raw"
    assert Path(copied["path"]).read_bytes() == b"\x11" * (1 << 20) != data.read_bytes()
