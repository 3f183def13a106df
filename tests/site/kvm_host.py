"""A real KVM host in the role of the institute's: libvirtd, QEMU guests and sshd of its own.

It runs in mount and PID namespaces of its own (unshare(1)), with libvirt's folders below its own folder. So
it can lose power: all its processes end with the first one, and nothing is left.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.site import boot_sector, processes
from tests.site.guests import Boot
from tests.site.kvm_definitions import CHANNEL, DISK, DOMAIN, LINUX, QEMU_CONF
from tests.site.sshd import SshServer
from tests.site.switched import Switched

URI = "qemu:///system"
STATE = "/var/lib/libvirt/inpe-backup"  # the agent's folder, below one of the host's own
_FAULTS = Path(__file__).with_name("faults")
_FIRST_PROCESS = Path(__file__).with_name("kvm_host.sh")
_PATIENCE_S = 90.0
_POLL_S = 0.05


class KvmHost(Switched):
    """A KVM host; a context manager.

    Args:
        folder: has disks, consoles, libvirt's folders and keys.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._first: subprocess.Popen[bytes] | None = None
        self._fault = self.folder / "fault.json"
        environment = {"PYTHONPATH": str(_FAULTS), "FAULT_PLAN": str(self._fault)}
        self.ssh = SshServer(self.folder / "sshd", enter=self.enter, environment=environment)

    @property
    def connection(self) -> dict[str, Any]:
        """The host as an Airflow connection in JSON form."""
        return self.ssh.connection

    @property
    def log(self) -> Path:
        """The log of libvirtd and the first process."""
        return self.folder / "host.log"

    def start(self) -> None:
        """Start it: libvirtd, with the VMs that start with the host, then sshd.

        Raises:
            PermissionError: not root, which namespaces and libvirtd need.
            RuntimeError: libvirtd didn't start; the message has the end of the log.
        """
        if os.geteuid() != 0:
            raise PermissionError("The stand-in KVM host needs root: run this with sudo.")
        (self.folder / "etc").mkdir(parents=True, exist_ok=True)
        (self.folder / "etc" / "qemu.conf").write_text(QEMU_CONF, encoding="ascii")
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        # It gets a SIGKILL when this process ends, even by SIGKILL, so no host keeps running.
        end_with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
        command = [*end_with_us, *namespaces, str(_FIRST_PROCESS), str(self.folder)]
        self._first = processes.start(command, log=self.log)
        try:
            self._wait(self._libvirt_answers, "libvirtd")
            self.ssh.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cut its power; do nothing if it doesn't run."""
        self.ssh.stop()
        if self._first is None:
            return
        leader, self._first = self._first, None
        leader.kill()  # the kernel ends all processes in its namespace
        processes.end([], lambda: processes.family([leader.pid]), patience_s=_PATIENCE_S)
        leader.wait()

    def forget(self) -> None:
        """Delete its VMs and their disks; it must be off."""
        for part in ("disks", "consoles", "lib", "cache", "etc"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
        (self.folder / "disks.img").unlink(missing_ok=True)

    def reboot(self) -> None:
        """Cut its power and start it again, with the VMs that start with the host."""
        self.stop()
        self.start()

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on the host as root; return its output.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        # No stdin: virsh would change the terminal's settings.
        entered = [*self.enter(), *command]
        done = subprocess.run(entered, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
            error.add_note(done.stderr)
            raise error
        return done.stdout.strip()

    def virsh(self, *arguments: str) -> str:
        """Run a virsh command on the host; return its output."""
        return self.run("virsh", "--quiet", f"--connect={URI}", *arguments)

    def define(
        self,
        name: str,
        disks: Mapping[str, str],
        *,
        stubborn: bool = False,
        busy: bool = False,
        agent: bool = False,
    ) -> None:
        """Define a VM with new disks; the first has an ext4 file system.

        Args:
            name: the domain's name.
            disks: the format of each disk: ``{"vda": "raw", "vdb": "qcow2"}``.
            stubborn: whether it ignores the power button.
            busy: whether it keeps writing to its second disk, and prints each write.
            agent: whether it has a guest agent that answers.
        """
        for target, kind in disks.items():
            self._make_disk(self.disk(name, target), kind)
        boot = Boot.made()
        linux = {"kernel": boot.kernel, "initramfs": boot.initramfs}
        options = " stubborn" * stubborn + " busy" * busy
        self._define(name, disks, LINUX.format(**linux, options=options), 128, CHANNEL * agent)

    def define_small(self, name: str, disks: Mapping[str, str], *, stubborn: bool = False) -> None:
        """Define a VM that boots at once: its system is the boot sector of its first disk."""
        for target, kind in disks.items():
            self._make_disk(self.disk(name, target), kind, stubborn=stubborn)
        self._define(name, disks, "", 16)

    def _define(self, name: str, disks: Mapping[str, str], boot: str, mib: int, channel: str = "") -> None:
        definition = DOMAIN.format(
            name=escape(name),
            mib=mib,
            boot=boot,
            channel=channel,
            disks="\n".join(
                DISK.format(format=kind, path=quoteattr(str(self.disk(name, target))), target=target)
                for target, kind in disks.items()
            ),
            console=quoteattr(str(self._console(name))),
        )
        file = self.folder / "domain.xml"
        file.write_text(definition, encoding="utf-8")
        self.virsh("define", f"--file={file}")

    @property
    def agents_folder(self) -> Path:
        """The agent's folder, as a path outside of the host."""
        return self.folder / "lib" / Path(STATE).name

    def plan_fault(self, step: str, fault: str) -> None:
        """Plan a fault that happens once, when the agent has written a step into its journal.

        Args:
            step: the step.
            fault: what gets a SIGKILL: ``agent``, ``everybody`` (all processes of the agent), ``ssh`` (the
                sessions), ``libvirtd`` (which is started again); or ``reboot`` and ``stall``: the agent is
                stopped until :meth:`reboot` or :meth:`go_on`.
        """
        self._fault.with_name("happened").unlink(missing_ok=True)
        self._fault.write_text(json.dumps({"step": step, "fault": fault}), encoding="ascii")

    def go_on(self) -> None:
        """Continue a stalled agent."""
        self.run("pkill", "-CONT", "-f", r"agent-[0-9a-f]+\.pyz .* work ")

    def cancel_fault(self) -> None:
        """Cancel a planned fault that hasn't happened."""
        self._fault.unlink(missing_ok=True)

    def fault_happened(self) -> bool:
        """Return whether the planned fault has happened."""
        return self._fault.with_name("happened").exists()

    def mount_disks(self, kind: str, size: int = 384 << 20, *, vm: str = "") -> None:
        """Put the disks of VMs that are defined from now on into a file system of their own, ``xfs`` say.

        Only the host sees it, after a reboot too: use :meth:`seen` for its files.

        Args:
            kind: of the file system.
            size: of the file system, in bytes.
            vm: the VM whose disks alone it is for; empty: all.

        Raises:
            OSError, subprocess.CalledProcessError: it can't be made or mounted; nothing is left of it.
        """
        place = self.disks / vm
        image = place.with_name(f"{place.name}.img")
        place.mkdir(parents=True, exist_ok=True)
        try:
            with image.open("wb") as file:
                file.truncate(size)
            subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True)
            self.run("mount", "-o", "loop", str(image), str(place))
        except (OSError, subprocess.CalledProcessError):
            image.unlink(missing_ok=True)
            place.rmdir()
            raise

    def seen(self, path: Path) -> Path:
        """Return the path at which this process reaches a file that only the host sees."""
        first = self.enter()[1].partition("=")[2]
        return Path(f"/proc/{first}/root{path}")

    @property
    def disks(self) -> Path:
        """The folder with the disks of its VMs."""
        return self.folder / "disks"

    def disk(self, vm: str, target: str) -> Path:
        """Return the file of a VM's disk."""
        own = self.disks / vm
        return (own if own.is_dir() else self.disks) / f"{vm}.{target}"

    def state(self, vm: str) -> str:
        """Return a VM's state as virsh prints it: ``running``, ``paused``, ``shut off``."""
        return self.virsh("domstate", f"--domain={vm}")

    def console(self, vm: str) -> str:
        """Return the serial console's output since the VM was started last."""
        with suppress(FileNotFoundError):
            return self._console(vm).read_text(encoding="utf-8", errors="replace")
        return ""

    def boots(self, vm: str) -> int:
        """Wait until a small VM is up; return how often it was booted. Its first disk must be raw."""
        self._wait(lambda: "guest: ready" in self.console(vm), f"{vm}, ready")
        with self.seen(self.disk(vm, "vda")).open("rb") as disk:
            return boot_sector.boots(disk.read(1024))

    def boot(self, vm: str) -> None:
        """Start a VM, and wait until it's up."""
        self.virsh("start", f"--domain={vm}")
        self._wait(lambda: "guest: ready" in self.console(vm), f"{vm}, ready")

    def wait_for_state(self, vm: str, state: str) -> None:
        """Wait until a VM is in a state."""
        self._wait(lambda: self.state(vm) == state, f"{vm}, {state}")

    def libvirtd(self) -> int:
        """Return the PID of libvirtd outside of the host."""
        family = processes.family([self._running.pid])
        (found,) = [pid for pid in family if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd"]
        return found

    def kill_libvirtd(self) -> None:
        """Kill libvirtd, and wait until the host's first process has started it again."""
        killed = self.libvirtd()
        os.kill(killed, signal.SIGKILL)
        self._wait(lambda: not Path(f"/proc/{killed}").exists(), "the end of libvirtd")
        self._wait(self._libvirt_answers, "libvirtd")

    def fault(self) -> str:
        """Return why the host can't be used, or an empty text: a test may have broken it."""
        if self._first is None or self._first.poll() is not None:
            return f"The KVM host isn't running. {self.log} ends:\n{processes.tail(self.log)}"
        try:
            self._wait(self._libvirt_answers, "libvirtd", patience_s=15)
            self.ssh.wait_until_it_answers()
        except RuntimeError as broken:
            return str(broken)
        return ""

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        if self._first is None:
            raise RuntimeError("The KVM host doesn't run.")
        return self._first

    def enter(self) -> list[str]:
        """Return the prefix of a command that runs it in the namespaces of the host's first process."""
        outside = self._running.pid
        children = Path(f"/proc/{outside}/task/{outside}/children").read_text(encoding="ascii").split()
        return ["nsenter", f"--target={children[0]}", "--mount", "--pid"]

    def _console(self, vm: str) -> Path:
        return self.folder / "consoles" / f"{vm}.log"

    def _make_disk(self, path: Path, kind: str, *, stubborn: bool = False) -> None:
        path.parent.mkdir(exist_ok=True)
        self._console("").parent.mkdir(exist_ok=True)
        raw = self.folder / "disk.new"
        raw.unlink(missing_ok=True)
        with raw.open("wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", str(raw)], check=True)
        boot_sector.write(raw, stubborn=stubborn)
        self.run("qemu-img", "convert", "-f", "raw", "-O", kind, str(raw), str(path))
        raw.unlink()

    def _libvirt_answers(self) -> bool:
        if self._running.poll() is not None:
            raise RuntimeError(f"The KVM host went down. {self.log} ends:\n{processes.tail(self.log)}")
        try:
            return bool(self.virsh("uri"))
        except (subprocess.CalledProcessError, IndexError):
            return False

    def _wait(self, reached: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S) -> None:
        deadline = time.monotonic() + patience_s
        while not reached():
            if time.monotonic() > deadline:
                raise RuntimeError(f"No sign of {what}. {self.log} ends:\n{processes.tail(self.log)}")
            time.sleep(_POLL_S)
