"""Machines booted from their images, on a real host: proof, picture, and nothing left behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import NotYetError
from include.machines.generation import PublishedGeneration
from include.report import Outcome
from include.vault import Vault
from tests.include.agent.on_host import Agent, wait_until
from tests.include.machines import machines
from tests.include.machines.drilling import AGENT, SESSION, WATCHER, Drills
from tests.site import boot_sector
from tests.site.kvm_host import KvmHost

pytestmark = pytest.mark.xdist_group("kvm")

AT_ONCE_S = 15  # a busy machine's few seconds
HOSTILE = "-rf; touch pwned $(reboot) 'a' \"b\" & <i>é \N{CJK UNIFIED IDEOGRAPH-65E5}\u202e %s {{x}}"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that runs, and one that is off and has a guest agent."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define_small("maq1", {"vda": "raw"})
        running.define("maq2", {"vda": "raw"}, agent=True)
        running.boot("maq1")
        yield running


@pytest.fixture
def drills(host: KvmHost, tmp_path: Path) -> Drills:
    """Drills from an empty vault."""
    return Drills(host, Vault.create(tmp_path / "vault"))


@pytest.fixture
def image(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> PublishedGeneration:
    """The machine's image in the vault, with its definition."""
    return laid(drills, monkeypatch, drills.host.disk("maq1", "vda").read_bytes()[: 4 << 20])


def laid(
    drills: Drills, patch: pytest.MonkeyPatch, disk: bytes, of: str = "maq1", name: str = "maq1"
) -> PublishedGeneration:
    """Have a disk in the vault as a machine's image, with the definition of one of the host's."""
    patch.setattr(machines, "IMAGES", {"vda": disk})
    definition = drills.host.virsh("dumpxml", f"--domain={of}", "--inactive")
    return machines.lay(drills.vault, machine=name, definition=definition)


def own(host: KvmHost) -> tuple[str, str]:
    """Give what a drill of the machine must leave alone: its own domain."""
    return host.virsh("dumpxml", "--domain=maq1"), host.state("maq1")


def found(image: PublishedGeneration) -> list[tuple[str, str]]:
    """Give what was found of an image, and how it ended."""
    return [(one.what, one.result) for one in image.proofs.read()]


def test_a_machine_boots_from_its_image(drills: Drills, image: PublishedGeneration) -> None:
    """Passed, with the time that it took, those before, and its screen; its own domain isn't touched."""
    before = own(drills.host)
    item = drills.of(image)

    assert (item.outcome, item.name) == (Outcome.BOOTED, "maq1"), item.reason
    assert item.picture
    assert Path(item.picture).read_bytes().startswith(b"\x89PNG")
    assert found(image) == [("audit", "passed"), ("drill", "passed")]
    assert 0 < image.proofs.read()[1].seconds < 30
    assert own(drills.host) == before
    assert machines.proven(image)
    assert f"before: {image.proofs.read()[1].seconds:.1f} s." in drills.of(image).reason
    wait_until(lambda: not drills.left(), "nothing left", AT_ONCE_S)


def test_a_machine_that_never_says_so_didnt_boot(drills: Drills, image: PublishedGeneration) -> None:
    """Failed after the time that it's given, with its last words and a picture."""
    item = drills.of(image, proof={"serial": "login:"}, timeout_s=4)

    assert item.outcome is Outcome.NOT_BOOTED
    assert "no sign of: 'login:' on its serial console. Its console said" in item.reason
    assert item.picture
    assert found(image) == [("audit", "passed"), ("drill", "failed")]
    wait_until(lambda: not drills.left(), "nothing left", AT_ONCE_S)


def test_a_screen_that_stands_still_is_proof_where_it_is_asked_for(
    drills: Drills, image: PublishedGeneration
) -> None:
    """Its firmware's words appear, and stay."""
    item = drills.of(image, proof={"screen_s": 2})
    assert item.outcome is Outcome.BOOTED, item.reason
    assert "its screen stood still for 2 s" in item.reason


def test_a_guest_agent_that_answers_is_proof(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """It's asked over the channel that libvirt made for the drill; its kernel is the host's, copied."""
    disk = drills.host.disk("maq2", "vda").read_bytes()
    item = drills.of(laid(drills, monkeypatch, disk, of="maq2"), proof={"guest_agent": True}, timeout_s=60)
    assert item.outcome is Outcome.BOOTED, item.reason
    assert "its guest agent answers" in item.reason


def test_a_machine_may_boot_again_during_its_drill(
    drills: Drills, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As one does whose disks were checked, or updated; its time goes on."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4 << 20))
    boot_sector.write(disk, boots=2)
    item = drills.of(laid(drills, monkeypatch, disk.read_bytes()))
    assert item.outcome is Outcome.BOOTED, item.reason


def test_an_image_that_changed_fails_its_drill_and_is_known_to_be_damaged(
    drills: Drills, image: PublishedGeneration
) -> None:
    """Though the machine booted: what is read afterwards isn't what was published."""
    path = image.image("vda")
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(3 << 20)
        file.write(b"decayed")
    path.chmod(0o400)
    item = drills.of(image)

    assert item.outcome is Outcome.NOT_BOOTED
    assert "It booted: " in item.reason
    assert "It isn't what it was: 1 chunk of 4 of vda.img isn't as published" in item.reason
    assert found(image) == [("audit", "failed"), ("drill", "failed")]
    assert image.proofs.damaged


def test_a_machines_name_is_only_a_name(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """To no shell, no libvirt and no page."""
    disk = drills.host.disk("maq1", "vda").read_bytes()[: 1 << 20]
    image = laid(drills, monkeypatch, disk, name=HOSTILE)
    item = drills.of(image)
    assert item.outcome is Outcome.BOOTED, item.reason
    assert item.name == HOSTILE.replace("\u202e", r"\u202e")  # told, and harmless
    assert image.folder.with_name(f"{image.name}.png").exists()
    assert not list(drills.host.folder.rglob("pwned"))


def test_without_a_proof_nothing_is_booted(drills: Drills, image: PublishedGeneration) -> None:
    """Not checked is never good news; nor was the image read."""
    item = drills.of(image, proof={})
    assert item.outcome is Outcome.NOT_CHECKED
    assert found(image) == [("drill", "not checked")]


@pytest.mark.parametrize(
    ("killed", "when"),
    [(AGENT, "--all"), (AGENT, "--state-running"), (SESSION, "--state-running")],
    ids=["agent, starting it", "agent", "ssh"],
)
def test_a_drill_that_is_killed_leaves_nothing_and_nobody_need_ask(
    drills: Drills, image: PublishedGeneration, killed: str, when: str
) -> None:
    """No domain, no overlay, no socket, no picture; the machine's own domain does what it did."""
    before = own(drills.host)
    with drills.half_way(image, when) as came:
        drills.kill(killed)
        wait_until(lambda: not drills.left(), "nothing left", AT_ONCE_S)

    assert [item.outcome for item in came] in ([], [Outcome.NOT_CHECKED])
    assert not image.folder.with_name(f"{image.name}.png").exists()
    assert own(drills.host) == before


def test_a_drill_whose_watcher_is_killed_too_is_ended_by_the_next_call(
    drills: Drills, image: PublishedGeneration
) -> None:
    """Whatever it's for."""
    with drills.half_way(image):
        drills.kill(WATCHER)
        drills.kill(AGENT)
    assert drills.left()
    assert Agent(drills.host).call("survey", request={}).status == 0
    assert drills.left() == []


def test_a_drill_goes_on_while_libvirt_is_away(drills: Drills, image: PublishedGeneration) -> None:
    """It says what it says of any machine that doesn't boot, and nothing is left."""
    with drills.half_way(image, timeout_s=8) as came:
        os.kill(drills.host.libvirtd(), 9)
        drills.host.start_libvirtd()
        assert drills.domains()
    assert ["no sign of: 'login:'" in item.reason for item in came] == [True]
    wait_until(lambda: not drills.left(), "nothing left", AT_ONCE_S)


def test_a_host_drills_one_machine_at_a_time_and_images_none_meanwhile(
    drills: Drills, image: PublishedGeneration, tmp_path: Path
) -> None:
    """Each comes again, whichever runs ask for it; the other way round, a drill waits for a freeze."""
    agent, before = Agent(drills.host), own(drills.host)
    others = Drills(drills.host, Vault.create(tmp_path / "other"))
    again = machines.lay(others.vault, definition=image.file("domain.xml").read_text())
    with drills.half_way(image):
        refused = agent.freeze("maq1")
        with pytest.raises(NotYetError, match="Another machine is being drilled"):
            others.of(again)
        still = drills.domains()
        drills.kill(AGENT)
    assert (refused.status, "is being drilled" in refused.said["message"], len(still)) == (3, True, 1)
    wait_until(lambda: not drills.left(), "nothing left", AT_ONCE_S)

    assert agent.freeze("maq1").status == 0
    with pytest.raises(NotYetError, match="maq1 of this host is being imaged"):
        drills.of(image)
    assert agent.release("maq1").status == 0
    assert drills.left() == []
    assert own(drills.host)[1] == before[1]


def test_a_host_that_is_rebooted_has_nothing_left_after_the_next_call(
    drills: Drills, image: PublishedGeneration
) -> None:
    """The domain is gone with its power; overlay and sockets go when somebody calls."""
    with drills.half_way(image):
        drills.host.reboot()
    assert drills.domains() == []
    assert drills.files()
    assert Agent(drills.host).call("survey", request={}).status == 0
    assert drills.left() == []
    drills.host.boot("maq1")
