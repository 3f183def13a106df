"""Boot tests on a KVM host: results, screenshots, and nothing left behind."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from include.agent.boot_test.boot import Caller, CallerGoneError
from include.errors import RescheduleError
from include.results.states import Outcome
from include.vault.vault import Vault
from include.vms.archive import PublishedVm
from tests.include.agent.agent_on_host import Agent, wait_until
from tests.include.boot_test.boot_tests import AGENT, SESSION, WATCHER, BootTests, laid
from tests.include.vms import sample_vms
from tests.site import boot_sector
from tests.site.kvm_host import KvmHost

CHECKS = {"serial": None, "guest_agent": True, "screen_s": None, "timeout_s": 5}
SOCKET = f"boot-test-{'0' * 16}-0.sock"
CLEANUP_S = 15  # a few seconds, on a busy computer
HOSTILE = "-rf; touch pwned $(reboot) 'a' \"b\" & <i>é \N{CJK UNIFIED IDEOGRAPH-65E5}\u202e %s {{x}}"


def set_up(host: KvmHost) -> None:
    """Define a VM that runs, and one that is off and has a guest agent."""
    host.define_small("maq1", {"vda": "raw"})
    host.define("maq2", {"vda": "raw"}, agent=True)
    host.boot("maq1")


@pytest.fixture
def boot_tests(host: KvmHost, tmp_path: Path) -> BootTests:
    """Boot tests of an empty vault."""
    return BootTests(host, Vault.create(tmp_path / "vault"))


@pytest.fixture
def image(boot_tests: BootTests, monkeypatch: pytest.MonkeyPatch) -> PublishedVm:
    """An image of maq1 in the vault, with its definition."""
    return laid(boot_tests, monkeypatch, boot_tests.host.disk("maq1", "vda").read_bytes()[: 4 << 20])


def own(host: KvmHost) -> tuple[str, str]:
    """Return the definition and state of the VM's own domain, which a boot test must not change."""
    return host.virsh("dumpxml", "--domain=maq1"), host.state("maq1")


def found(image: PublishedVm) -> list[tuple[str, str]]:
    """Return the kind and result of each check of an image."""
    return [(entry.what, entry.result) for entry in image.verification_log.read()]


def test_a_vm_boots_from_its_image(boot_tests: BootTests, image: PublishedVm) -> None:
    """The result has its duration, the ones before, and a screenshot; its own domain isn't changed."""
    before = own(boot_tests.host)
    item = boot_tests.of(image)

    assert (item.outcome, item.name) == (Outcome.BOOTED, "maq1"), item.reason
    assert item.picture
    assert Path(item.picture).read_bytes().startswith(b"\x89PNG")
    assert found(image) == [("scrub", "passed"), ("boot_test", "passed")]
    assert 0 < image.verification_log.read()[1].seconds < 30
    assert own(boot_tests.host) == before
    assert sample_vms.verified(image)
    assert f"before: {image.verification_log.read()[1].seconds:.1f} s." in boot_tests.of(image).reason
    wait_until(lambda: not boot_tests.left(), "nothing left", CLEANUP_S)


def test_a_vm_whose_check_never_passes_fails_its_boot_test(boot_tests: BootTests, image: PublishedVm) -> None:
    """After its timeout, with its console's last output and a screenshot."""
    item = boot_tests.of(image, checks={"serial": "login:"}, timeout_s=4)

    assert item.outcome is Outcome.NOT_BOOTED
    assert "no sign of 'login:' on its serial console. Its console printed last: " in item.reason
    assert item.picture
    assert found(image) == [("scrub", "passed"), ("boot_test", "failed")]
    wait_until(lambda: not boot_tests.left(), "nothing left", CLEANUP_S)


@pytest.mark.slow
def test_a_stable_screen_passes_the_check_for_one(boot_tests: BootTests, image: PublishedVm) -> None:
    """The firmware's text appears, and stays."""
    item = boot_tests.of(image, checks={"screen_s": 2})
    assert item.outcome is Outcome.BOOTED, item.reason
    assert "its screen didn't change for 2 s" in item.reason


@pytest.mark.slow
def test_a_guest_agent_that_answers_passes_the_check_for_one(
    boot_tests: BootTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the channel that libvirt made for the boot test; its kernel is copied from the host."""
    disk = boot_tests.host.disk("maq2", "vda").read_bytes()
    item = boot_tests.of(
        laid(boot_tests, monkeypatch, disk, of="maq2"), checks={"guest_agent": True}, timeout_s=60
    )
    assert item.outcome is Outcome.BOOTED, item.reason
    assert "its guest agent answers" in item.reason


def test_a_vm_may_reboot_during_its_boot_test(
    boot_tests: BootTests, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For example after fsck or updates; its timeout doesn't start again."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4 << 20))
    boot_sector.write(disk, boots=2)
    item = boot_tests.of(laid(boot_tests, monkeypatch, disk.read_bytes()))
    assert item.outcome is Outcome.BOOTED, item.reason


def test_an_image_that_changed_fails_its_boot_test_and_is_marked_as_damaged(
    boot_tests: BootTests, image: PublishedVm
) -> None:
    """Even though the VM booted: the scrub afterwards finds the damage."""
    path = image.image("vda")
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(3 << 20)
        file.write(b"decayed")
    path.chmod(0o400)
    item = boot_tests.of(image)

    assert item.outcome is Outcome.NOT_BOOTED
    assert "It booted: " in item.reason
    assert "Its images are damaged: 1 chunk of 4 of vda.img isn't as published" in item.reason
    assert found(image) == [("scrub", "failed"), ("boot_test", "failed")]
    assert image.verification_log.damaged


def test_a_hostile_vm_name_does_no_harm(boot_tests: BootTests, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in a shell, nor in libvirt, nor in the result."""
    disk = boot_tests.host.disk("maq1", "vda").read_bytes()[: 1 << 20]
    image = laid(boot_tests, monkeypatch, disk, name=HOSTILE)
    item = boot_tests.of(image)
    assert item.outcome is Outcome.BOOTED, item.reason
    assert item.name == HOSTILE.replace("\u202e", r"\u202e")  # escaped
    assert image.folder.with_name(f"{image.name}.png").exists()
    assert not list(boot_tests.host.folder.rglob("pwned"))


def test_without_checks_a_vm_that_hangs_before_its_system_fails(
    boot_tests: BootTests, image: PublishedVm
) -> None:
    """As a boot loader does that finds none: it writes a sector at most."""
    item = boot_tests.of(image, checks={}, timeout_s=4)
    assert item.outcome is Outcome.NOT_BOOTED
    assert "no sign of a running system: no guest agent answered, and it wrote 0 KiB" in item.reason


@pytest.mark.slow
def test_without_checks_a_vm_whose_system_runs_passes(
    boot_tests: BootTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without a guest agent in its definition, by what it writes."""
    disk = boot_tests.host.disk("maq2", "vda").read_bytes()
    monkeypatch.setattr(sample_vms, "IMAGES", {"vda": disk})
    its = boot_tests.host.virsh("dumpxml", "--domain=maq2", "--inactive")
    without = re.sub(r"<channel.*?</channel>", "", its, flags=re.DOTALL)
    image = sample_vms.lay(boot_tests.vault, definition=without)
    item = boot_tests.of(image, checks={}, timeout_s=60)
    assert item.outcome is Outcome.BOOTED, item.reason
    assert re.search(r"its system runs: it wrote \d+ KiB to its disks", item.reason)


@pytest.mark.parametrize(
    ("killed", "when"),
    [(AGENT, "--all"), (AGENT, "--state-running"), (SESSION, "--state-running")],
    ids=["agent, before it boots", "agent", "ssh"],
)
def test_a_killed_boot_test_is_cleaned_up_without_another_call(
    boot_tests: BootTests, image: PublishedVm, killed: str, when: str
) -> None:
    """No domain, overlay, socket or screenshot is left; the VM's own domain isn't changed."""
    before = own(boot_tests.host)
    with boot_tests.half_way(image, when) as items:
        boot_tests.kill(killed)
        wait_until(lambda: not boot_tests.left(), "nothing left", CLEANUP_S)

    assert [item.outcome for item in items] in ([], [Outcome.NOT_CHECKED])
    assert not image.folder.with_name(f"{image.name}.png").exists()
    assert own(boot_tests.host) == before


def test_a_boot_test_ends_when_its_caller_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its network was cut off: no end of its input ever comes. A sign of life may precede its request."""
    monkeypatch.setattr("include.agent.boot_test.boot.SILENCE_S", 1)
    asked = {"definition": "", "files": {}, "disks": [{"name": "vda", "socket": SOCKET}], "checks": CHECKS}
    limits = {"memory_max_bytes": 1, "scratch": "/", "scratch_max_bytes": 1}
    stdin, pipe = os.pipe()
    os.write(pipe, b"\n" + json.dumps({**asked, **limits}).encode() + b"\n")
    caller = Caller(os.fdopen(stdin, "rb"))
    for _ in range(15):
        os.write(pipe, b"\n")
        time.sleep(0.1)
    caller.require()
    time.sleep(1.5)
    with pytest.raises(CallerGoneError):
        caller.require()
    os.close(pipe)


@pytest.mark.slow
def test_a_boot_test_whose_watcher_is_killed_too_is_cleaned_up_by_the_next_call(
    boot_tests: BootTests, image: PublishedVm
) -> None:
    """Any call of the agent does."""
    with boot_tests.half_way(image):
        boot_tests.kill(WATCHER)
        boot_tests.kill(AGENT)
    assert boot_tests.left()
    assert Agent(boot_tests.host).call("survey", request={}).status == 0
    assert boot_tests.left() == []


@pytest.mark.slow
def test_a_boot_test_continues_while_libvirt_is_away(boot_tests: BootTests, image: PublishedVm) -> None:
    """Its result is that of any VM that doesn't boot, and nothing is left."""
    with boot_tests.half_way(image, timeout_s=8) as items:
        boot_tests.host.kill_libvirtd()
        assert boot_tests.domains()
    assert ["no sign of 'login:'" in item.reason for item in items] == [True]
    wait_until(lambda: not boot_tests.left(), "nothing left", CLEANUP_S)


@pytest.mark.slow
def test_a_host_boot_tests_one_vm_at_a_time_and_backs_up_none_meanwhile(
    boot_tests: BootTests, image: PublishedVm, tmp_path: Path
) -> None:
    """The others are rescheduled, whichever run they belong to; a boot test also waits for a backup."""
    agent, before = Agent(boot_tests.host), own(boot_tests.host)
    others = BootTests(boot_tests.host, Vault.create(tmp_path / "other"))
    other_image = sample_vms.lay(others.vault, definition=image.file("domain.xml").read_text())
    with boot_tests.half_way(image):
        refused = agent.begin_backup("maq1")
        with pytest.raises(RescheduleError, match="Another VM is being boot-tested"):
            others.of(other_image)
        domains = boot_tests.domains()
        boot_tests.kill(AGENT)
    assert (refused.status, "is being boot-tested" in refused.output["message"], len(domains)) == (3, True, 1)
    wait_until(lambda: not boot_tests.left(), "nothing left", CLEANUP_S)

    assert agent.begin_backup("maq1").status == 0
    with pytest.raises(RescheduleError, match="maq1 of this host is being backed up"):
        boot_tests.of(image)
    assert agent.end_backup("maq1").status == 0
    assert boot_tests.left() == []
    assert own(boot_tests.host)[1] == before[1]


@pytest.mark.slow
def test_a_host_that_is_rebooted_has_nothing_left_after_the_next_call(
    boot_tests: BootTests, image: PublishedVm
) -> None:
    """The reboot ends the domain; the next call removes overlays and sockets."""
    with boot_tests.half_way(image):
        boot_tests.host.reboot()
    assert boot_tests.domains() == []
    assert boot_tests.files()
    assert Agent(boot_tests.host).call("survey", request={}).status == 0
    assert boot_tests.left() == []
    boot_tests.host.boot("maq1")
