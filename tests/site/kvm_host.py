"""A real KVM host in the role of the institute's: libvirtd, QEMU guests and sshd, apart from this machine's.

It lives in a mount and a PID namespace of its own (unshare(1)), with libvirt's folders below its own one. So
it can lose its power: every process of it ends with its first one, and nothing can be left behind.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.site import boot_sector, processes
from tests.site.guests import Boot
from tests.site.sshd import SshServer
from tests.site.switched import Switched

URI = "qemu:///system"
STATE = "/var/lib/libvirt/inpe-backup"  # the agent's folder, below one that is the host's own
_FAULTS = Path(__file__).with_name("faults")
_FIRST_PROCESS = Path(__file__).with_name("kvm_host.sh")
_PATIENCE_S = 90.0
_POLL_S = 0.05
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""
_DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{mib}</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>{boot}
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{disks}{channel}
    <serial type='file'><source path={console}/></serial>
  </devices>
</domain>
"""
_LINUX = """
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>console=ttyS0 quiet panic=-1{manners}</cmdline>"""
_CHANNEL = "\n    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
_DISK = """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='{format}'/><source file={path}/><target dev='{target}' bus='virtio'/>
    </disk>"""


class KvmHost(Switched):
    """One host; a context manager.

    Args:
        folder: holds everything: disks, consoles, libvirt's folders, keys.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._first: subprocess.Popen[bytes] | None = None
        self._fault = self.folder / "fault.json"
        environment = {"PYTHONPATH": str(_FAULTS), "FAULT_PLAN": str(self._fault)}
        self.ssh = SshServer(self.folder / "sshd", enter=self._enter, environment=environment)

    @property
    def connection(self) -> dict[str, Any]:
        """The host as an Airflow connection, in its JSON form."""
        return self.ssh.connection

    @property
    def log(self) -> Path:
        """What libvirtd and the first process wrote."""
        return self.folder / "host.log"

    def start(self) -> None:
        """Switch it on: libvirtd, with what is to start with it, then sshd.

        Raises:
            PermissionError: not root; namespaces and libvirtd ask for it.
            RuntimeError: libvirtd didn't come up; the message has the log's end.
        """
        if os.geteuid() != 0:
            raise PermissionError("The stand-in KVM host needs root: run this with sudo.")
        (self.folder / "etc").mkdir(parents=True, exist_ok=True)
        (self.folder / "etc" / "qemu.conf").write_text(_QEMU_CONF, encoding="ascii")
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        # SIGKILL reaches it when we die, even by SIGKILL: no host is left running.
        alive_with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
        command = [*alive_with_us, *apart, str(_FIRST_PROCESS), str(self.folder)]
        self._first = processes.start(command, log=self.log)
        self._wait(self._libvirt_answers, "libvirtd")
        self.ssh.start()

    def stop(self) -> None:
        """Pull the plug; harmless when it doesn't run."""
        self.ssh.stop()
        if self._first is None:
            return
        leader, self._first = self._first, None
        leader.kill()  # the kernel ends everybody in its namespace with it
        processes.end([], lambda: processes.family([leader.pid]), patience_s=_PATIENCE_S)
        leader.wait()

    def reboot(self) -> None:
        """Lose every process, and come up again as at boot: what is set to start with the host starts."""
        self.stop()
        self.start()

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on the host, as its root at a terminal would; gives what it printed.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        words = [*self._enter(), *command]  # nothing to read: virsh would change the terminal's settings
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout.strip()

    def virsh(self, *arguments: str) -> str:
        """Run one of virsh's commands on the host."""
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
        """Make a machine with new disks; the first holds an ext4 file system.

        Args:
            name: the domain's.
            disks: format of each: ``{"vda": "raw", "vdb": "qcow2"}``.
            stubborn: whether it ignores the power button.
            busy: whether it writes to its second disk all the time, and says so each time.
            agent: whether it has a guest agent that answers.
        """
        for target, kind in disks.items():
            self._make_disk(self.disk(name, target), kind)
        boot = Boot.made()
        linux = {"kernel": boot.kernel, "initramfs": boot.initramfs}
        manners = " stubborn" * stubborn + " busy" * busy
        self._define(name, disks, _LINUX.format(**linux, manners=manners), 128, _CHANNEL * agent)

    def define_small(self, name: str, disks: Mapping[str, str]) -> None:
        """Make a machine that is up in a moment: its system is its first disk's boot sector."""
        for target, kind in disks.items():
            self._make_disk(self.disk(name, target), kind)
        self._define(name, disks, "", 16)

    def _define(self, name: str, disks: Mapping[str, str], boot: str, mib: int, channel: str = "") -> None:
        described = _DOMAIN.format(
            name=escape(name),
            mib=mib,
            boot=boot,
            channel=channel,
            disks="\n".join(
                _DISK.format(format=kind, path=quoteattr(str(self.disk(name, target))), target=target)
                for target, kind in disks.items()
            ),
            console=quoteattr(str(self._console(name))),
        )
        file = self.folder / "domain.xml"
        file.write_text(described, encoding="utf-8")
        self.virsh("define", f"--file={file}")

    @property
    def agents_folder(self) -> Path:
        """The agent's folder, as it's seen from outside of the host."""
        return self.folder / "lib" / Path(STATE).name

    def plan_fault(self, step: str, fault: str) -> None:
        """Have something go wrong once, when the agent has written a step into its journal.

        Args:
            step: which.
            fault: what is killed with -9: ``agent``, ``everybody`` (all processes of the agent's), ``ssh``
                (the sessions), ``libvirtd`` (comes again a second later); or ``reboot`` and ``stall``: the
                agent holds still, until :meth:`reboot` or :meth:`go_on`.
        """
        self._fault.with_name("sprung").unlink(missing_ok=True)
        self._fault.write_text(json.dumps({"step": step, "fault": fault}), encoding="ascii")

    def go_on(self) -> None:
        """Let an agent go on that was stalled."""
        self.run("pkill", "-CONT", "-f", r"agent-[0-9a-f]+\.pyz .* work ")

    def forget_fault(self) -> None:
        """Have nothing go wrong that was planned, and didn't."""
        self._fault.unlink(missing_ok=True)

    def fault_sprung(self) -> bool:
        """Tell whether what was planned went wrong."""
        return self._fault.with_name("sprung").exists()

    def disk(self, machine: str, target: str) -> Path:
        """Give the file of a machine's disk."""
        return self.folder / "disks" / f"{machine}.{target}"

    def state(self, machine: str) -> str:
        """Give a machine's state in virsh's words: ``running``, ``paused``, ``shut off``."""
        return self.virsh("domstate", f"--domain={machine}")

    def console(self, machine: str) -> str:
        """Give what a machine said on its serial console since it was started last."""
        with suppress(FileNotFoundError):
            return self._console(machine).read_text(encoding="utf-8", errors="replace")
        return ""

    def boot(self, machine: str) -> None:
        """Start a machine, and wait until it's up."""
        self.virsh("start", f"--domain={machine}")
        self._wait(lambda: "guest: ready" in self.console(machine), f"{machine}, ready")

    def wait_for_state(self, machine: str, state: str) -> None:
        """Wait until a machine is in a state."""
        self._wait(lambda: self.state(machine) == state, f"{machine}, {state}")

    def libvirtd(self) -> int:
        """Give the process of libvirtd, as this machine numbers it."""
        family = processes.family([self._running.pid])
        (found,) = [pid for pid in family if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd"]
        return found

    def start_libvirtd(self) -> None:
        """Start libvirtd again after it was killed, as a service manager would."""
        self._wait(self._libvirtd_starts, "a place for libvirtd")  # one that was killed may still be dying
        self._wait(self._libvirt_answers, "libvirtd")

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        if self._first is None:
            raise RuntimeError("The KVM host doesn't run.")
        return self._first

    def _enter(self) -> list[str]:
        """Give the command that runs another one on the host: in the namespaces of its first process."""
        outside = self._running.pid
        children = Path(f"/proc/{outside}/task/{outside}/children").read_text(encoding="ascii").split()
        return ["nsenter", f"--target={children[0]}", "--mount", "--pid"]

    def _console(self, machine: str) -> Path:
        return self.folder / "consoles" / f"{machine}.log"

    def _make_disk(self, path: Path, kind: str) -> None:
        path.parent.mkdir(exist_ok=True)
        self._console("").parent.mkdir(exist_ok=True)
        raw = path.with_suffix(".new")
        raw.unlink(missing_ok=True)
        with raw.open("wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", str(raw)], check=True)
        boot_sector.write(raw)
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind, str(raw), str(path)], check=True)
        raw.unlink()

    def _libvirtd_starts(self) -> bool:
        try:
            self.run("libvirtd", "--daemon")
        except subprocess.CalledProcessError:
            return False
        return True

    def _libvirt_answers(self) -> bool:
        if self._running.poll() is not None:
            raise RuntimeError(f"The KVM host went down. {self.log} ends:\n{processes.tail(self.log)}")
        try:
            return bool(self.virsh("uri"))
        except (subprocess.CalledProcessError, IndexError):
            return False

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not reached():
            if time.monotonic() > deadline:
                raise RuntimeError(f"No sign of {what}. {self.log} ends:\n{processes.tail(self.log)}")
            time.sleep(_POLL_S)
