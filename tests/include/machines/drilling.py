"""Drills on a stand-in KVM host, by OpenSSH alone: how they are begun, and what they leave behind."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from include.errors import BackupError
from include.machines.drill import MachineDrill
from include.machines.drill_section import DrillSection
from include.machines.generation import Generations, PublishedGeneration
from include.machines.host import Host, Ran
from include.report import Item
from include.transfer import Route, connected
from include.vault import Vault
from tests.include.agent.on_host import wait_until
from tests.include.machines.held_disks import route
from tests.site.kvm_host import STATE, URI, KvmHost

READY = {"serial": "guest: ready"}
NEVER = {"serial": "login:"}
AGENT = r"agent-[0-9a-f]+\.pyz .* drill$"
WATCHER = r"agent-[0-9a-f]+\.pyz .* watch-drill "
SESSION = "sshd: root"


class Door:
    """The way to the host."""

    connection = "kvm_host"

    def __init__(self, host: KvmHost) -> None:
        self._host = host
        self.route: Route = route(host.connection)

    def run(self, command: str, stdin: bytes = b"") -> Ran:
        """Run a command there."""
        with connected(self.route) as config:
            words = ["ssh", "-F", str(config), "source", command]
            done = subprocess.run(words, input=stdin, capture_output=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr.decode())

    def put(self, path: str, content: bytes) -> None:
        """Put a file there."""
        self._host.agents_folder.mkdir(mode=0o711, exist_ok=True)
        (self._host.agents_folder / Path(path).name).write_bytes(content)


@dataclass(frozen=True)
class Drills:
    """Drills of images of one vault at one host."""

    host: KvmHost
    vault: Vault

    def of(self, image: PublishedGeneration, **section: object) -> Item:
        """Boot a machine from its image; by its console, within a minute, unless told otherwise."""
        how = DrillSection.model_validate({"proof": READY, "timeout_s": 60, **section})
        opened = Host(Door(self.host), URI, STATE, None)
        generations = Generations(self.vault)
        return MachineDrill(generations, image, how, lambda _: opened, "a run", lambda _: None).do()

    @contextmanager
    def half_way(
        self, image: PublishedGeneration, *flags: str, timeout_s: float = 60
    ) -> Iterator[list[Item]]:
        """Have a drill be half-way for a block; what comes of it is in the list after the block, if anything.

        Its proof never comes.

        Args:
            image: of what.
            flags: of ``virsh list``: how its domain is when the block begins; it runs, unless told otherwise.
            timeout_s: when it ends by itself.
        """
        came: list[Item] = []

        def do() -> None:
            with suppress(BackupError):
                came.append(self.of(image, proof=NEVER, timeout_s=timeout_s))

        going = threading.Thread(target=do)
        going.start()
        try:
            wait_until(lambda: self.domains(*flags or ["--state-running"]), "a drill's domain")
            yield came
        finally:
            going.join(timeout=90)

    def kill(self, words: str) -> None:
        """Kill those processes of the host with -9 whose command lines have these words."""
        self.host.run("pkill", "-KILL", "-f", words)

    def domains(self, *flags: str) -> list[str]:
        """Give the names of the domains of drills: all, or those that ``virsh list`` has with these flags."""
        names = self.host.virsh("list", "--name", *flags or ["--all"]).split()
        return [name for name in names if name.startswith("drill")]

    def files(self) -> list[str]:
        """Give what a drill left behind in the host's folders."""
        folders = (self.host.agents_folder, self.host.folder / "log" / "qemu")
        found = [path for folder in folders for path in folder.glob("*drill*")]
        return [str(path) for path in found if path.name != "drill.lock"]

    def left(self) -> list[str]:
        """Give what a drill left behind at the host; its watcher, too."""
        watchers = self.host.run("pgrep", "-f", WATCHER, check=False).split()
        return self.files() + self.domains() + watchers
