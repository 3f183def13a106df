"""Machines booted from their images, on a real host: proof, picture, and nothing left behind."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from include.errors import BackupError
from include.machines.drill import MachineDrill
from include.machines.drill_section import DrillSection
from include.machines.generation import Generations, PublishedGeneration
from include.machines.host import Host, Ran
from include.report import Item, Outcome
from include.transfer import Route, connected
from include.vault import Vault
from tests.include.agent.on_host import Agent, wait_until
from tests.include.machines import machines
from tests.include.machines.held_disks import route
from tests.site.kvm_host import STATE, URI, KvmHost

pytestmark = pytest.mark.xdist_group("kvm")

READY = {"serial": "guest: ready"}


class Door:
    """The way to the host, by OpenSSH alone."""

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
        (self._host.agents_folder / Path(path).name).write_bytes(content)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that runs."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define_small("maq1", {"vda": "raw"})
        running.boot("maq1")
        yield running


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty one."""
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def image(host: KvmHost, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> PublishedGeneration:
    """The machine's image in the vault, with its definition."""
    disk = bytearray(host.disk("maq1", "vda").read_bytes()[: 4 << 20])
    monkeypatch.setattr(machines, "IMAGES", {"vda": bytes(disk)})
    return machines.lay(vault, definition=host.virsh("dumpxml", "--domain=maq1", "--inactive"))


def drill(vault: Vault, image: PublishedGeneration, host: KvmHost, **section: object) -> Item:
    """Boot the machine from its image."""
    how = DrillSection.model_validate({"proof": READY, "timeout_s": 30, **section})
    opened = Host(Door(host), URI, STATE, None)
    return MachineDrill(Generations(vault), image, how, lambda _: opened, "a run", lambda _: None).do()


def left(host: KvmHost) -> list[str]:
    """Give what a drill left behind at the host."""
    files = [str(path) for path in host.agents_folder.glob("drill*") if path.name != "drill.lock"]
    domains = host.virsh("list", "--all", "--name").split()
    return files + [name for name in domains if name.startswith("drill")]


def test_a_machine_boots_from_its_image(host: KvmHost, vault: Vault, image: PublishedGeneration) -> None:
    """Passed, with the time that it took and a picture of its screen; its own domain isn't touched."""
    before = host.virsh("dumpxml", "--domain=maq1"), host.state("maq1")
    item = drill(vault, image, host)

    assert (item.outcome, item.name) == (Outcome.BOOTED, "maq1"), item.reason
    assert item.picture
    assert Path(item.picture).read_bytes().startswith(b"\x89PNG")
    [found] = image.proofs.read()
    assert (found.what, found.result) == ("drill", "passed")
    assert 0 < found.seconds < 30
    assert (host.virsh("dumpxml", "--domain=maq1"), host.state("maq1")) == before
    assert left(host) == []
    assert machines.proven(image)


def test_the_second_drill_tells_what_the_first_took(
    host: KvmHost, vault: Vault, image: PublishedGeneration
) -> None:
    """So that one sees it getting slower."""
    drill(vault, image, host)
    [first] = image.proofs.read()
    assert f"before: {first.seconds:.1f} s." in drill(vault, image, host).reason


def test_a_machine_that_never_says_so_didnt_boot(
    host: KvmHost, vault: Vault, image: PublishedGeneration
) -> None:
    """Failed after the time that it's given, with its last words and a picture."""
    item = drill(vault, image, host, proof={"serial": "login:"}, timeout_s=3)

    assert item.outcome is Outcome.NOT_BOOTED
    assert "no sign of: 'login:' on its serial console. Its console said last: guest: ready" in item.reason
    assert item.picture
    assert left(host) == []


def test_a_screen_that_stands_still_is_proof_where_it_is_asked_for(
    host: KvmHost, vault: Vault, image: PublishedGeneration
) -> None:
    """Its firmware's words appear, and stay."""
    item = drill(vault, image, host, proof={"screen_s": 2})
    assert item.outcome is Outcome.BOOTED, item.reason
    assert "its screen stood still for 2 s" in item.reason


@pytest.mark.parametrize("killed", ["agent", "ssh"])
def test_a_drill_that_is_killed_leaves_nothing_after_the_next_call(
    host: KvmHost, vault: Vault, image: PublishedGeneration, killed: str
) -> None:
    """No domain, no overlay, no picture; the machine's own domain does what it did."""
    words = {"agent": r"agent-[0-9a-f]+\.pyz .* drill$", "ssh": "sshd: root"}
    before = host.virsh("dumpxml", "--domain=maq1"), host.state("maq1")
    going = threading.Thread(
        target=lambda: suppressed(vault, image, host, proof={"serial": "login:"}, timeout_s=20)
    )
    going.start()
    wait_until(lambda: "drill-" in host.virsh("list", "--name"), "a drill's domain")
    host.run("pkill", "-KILL", "-f", words[killed])
    going.join(timeout=30)
    wait_until(lambda: Agent(host).call("survey", request={}).status == 0 and not left(host), "nothing left")

    assert not image.folder.with_name(f"{image.name}.png").exists()
    assert (host.virsh("dumpxml", "--domain=maq1"), host.state("maq1")) == before


def suppressed(vault: Vault, image: PublishedGeneration, host: KvmHost, **section: object) -> None:
    """Boot the machine, and take no notice of what comes of it."""
    with suppress(BackupError):
        drill(vault, image, host, **section)


def test_without_a_proof_nothing_is_booted(host: KvmHost, vault: Vault, image: PublishedGeneration) -> None:
    """Not checked is never good news."""
    item = drill(vault, image, host, proof={})
    assert item.outcome is Outcome.NOT_CHECKED
    assert [found.result for found in image.proofs.read()] == ["not checked"]
