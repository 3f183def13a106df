"""Start boot tests on a stand-in KVM host over plain OpenSSH, and find what they leave behind."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.boot_test.boot_test import BootTest
from include.config.boot_test import BootTestSection
from include.errors import BackupError
from include.remote.ssh import HOST, Endpoint, connected
from include.remote.transport import CommandResult, Session
from include.results.item import Item
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.host import Host
from tests.include.agent.agent_on_host import wait_until
from tests.include.vms import sample_vms
from tests.include.vms.exported_disks import endpoint
from tests.site.kvm_host import STATE, URI, KvmHost

READY = {"serial": "guest: ready"}
NEVER = {"serial": "login:"}
AGENT = r"agent-[0-9a-f]+\.pyz .* boot-test$"
WATCHER = r"agent-[0-9a-f]+\.pyz .* watch-boot-test "
SESSION = "sshd: root"


class OpenSsh:
    """A transport to the host over plain OpenSSH."""

    ssh_conn_id = "kvm_host"

    def __init__(self, host: KvmHost) -> None:
        self._host = host
        self.endpoint: Endpoint = endpoint(host.connection)

    def run(self, command: str, stdin: bytes = b"") -> CommandResult:
        """Run a command on the host."""
        with connected(self.endpoint) as config:
            arguments = ["ssh", "-F", str(config), HOST, command]
            done = subprocess.run(arguments, input=stdin, capture_output=True, check=False)
        return CommandResult(done.returncode, done.stdout, done.stderr.decode())

    def put(self, path: str, content: bytes) -> None:
        """Put a file into the agent's folder."""
        self._host.agents_folder.mkdir(mode=0o711, exist_ok=True)
        (self._host.agents_folder / Path(path).name).write_bytes(content)

    def open(self, command: str, program: bytes) -> Session:
        """Not needed here."""
        raise NotImplementedError(command, program)


@dataclass(frozen=True)
class BootTests:
    """Boot tests of one vault's images on one host."""

    host: KvmHost
    vault: Vault
    scratch: str | None = None

    def of(self, image: PublishedVm, **settings: object) -> Item:
        """Boot a VM from its image; by default its console is checked, for up to a minute."""
        section = BootTestSection.model_validate({"checks": READY, "timeout_s": 60, **settings})
        host = Host(OpenSsh(self.host), URI, STATE, self.scratch)
        generations = VmArchive(self.vault)
        return BootTest(generations, image, section, lambda _: host, "a run", lambda _: None).do()

    @contextmanager
    def half_way(self, image: PublishedVm, *flags: str, timeout_s: float = 60) -> Iterator[list[Item]]:
        """Run the block in the middle of a boot test whose check never passes; yield the list for its result.

        Args:
            image: the image to boot.
            flags: flags of ``virsh list`` that its domain matches when the block begins (default: it runs).
            timeout_s: when the boot test ends by itself.
        """
        items: list[Item] = []

        def do() -> None:
            with suppress(BackupError):
                items.append(self.of(image, checks=NEVER, timeout_s=timeout_s))

        thread = threading.Thread(target=do)
        thread.start()
        try:
            wait_until(lambda: self.domains(*flags or ["--state-running"]), "a boot test's domain")
            yield items
        finally:
            thread.join(timeout=90)

    def kill(self, pattern: str) -> None:
        """Kill the host's processes whose command lines match a pattern."""
        self.host.run("pkill", "-KILL", "-f", pattern)

    def domains(self, *flags: str) -> list[str]:
        """Return the names of the boot tests' domains: all, or those that match flags of ``virsh list``."""
        names = self.host.virsh("list", "--name", *flags or ["--all"]).split()
        return [name for name in names if name.startswith("boot-test")]

    def files(self) -> list[str]:
        """Return the files that boot tests left in the host's folders."""
        folders = (self.host.agents_folder, self.host.folder / "log" / "qemu")
        found = [path for folder in folders for path in folder.glob("*boot-test*")]
        return [str(path) for path in found if path.name != "boot-test.lock"]

    def left(self) -> list[str]:
        """Return what boot tests left on the host: files, domains and watchers."""
        watchers = self.host.run("pgrep", "-f", WATCHER, check=False).split()
        return self.files() + self.domains() + watchers


def laid(
    boot_tests: BootTests, patch: pytest.MonkeyPatch, disk: bytes, of: str = "maq1", name: str = "maq1"
) -> PublishedVm:
    """Put a disk into the vault as a VM's image, with the definition of a VM of the host."""
    patch.setattr(sample_vms, "IMAGES", {"vda": disk})
    definition = boot_tests.host.virsh("dumpxml", f"--domain={of}", "--inactive")
    return sample_vms.lay(boot_tests.vault, vm=name, definition=definition)
