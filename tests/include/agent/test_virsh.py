"""Virsh, with libvirt's test driver, with a libvirt that hangs, and without one."""

import socket
from pathlib import Path

import pytest

from include.agent.backup.watchdog import is_undefined
from include.agent.errors import LibvirtError
from include.agent.virsh import Virsh, is_uuid

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # the domain of the test driver
NOWHERE = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"


@pytest.fixture
def virsh() -> Virsh:
    """Libvirt's test driver."""
    return Virsh("test:///default")


def test_a_vm_is_queried_by_its_uuid(virsh: Virsh) -> None:
    """State, definition and autostart are returned."""
    assert virsh.uuids() == {UUID}
    assert virsh.uuids("--autostart") == set()
    assert (virsh.state(UUID), virsh.is_paused_on_io_error(UUID), virsh.autostarts(UUID)) == (
        "running",
        False,
        False,
    )
    assert f"<uuid>{UUID}</uuid>" in virsh.xml(UUID)
    assert virsh.version()[0].isdigit()


def test_blanks_around_a_name_are_part_of_it(tmp_path: Path) -> None:
    """Libvirt allows them in the name of a snapshot."""
    names = (" first", "last ")
    snapshot = "<name>{}</name><state>shutoff</state><creationTime>1</creationTime><active>0</active>"
    snapshots = "".join(f"<s:domainsnapshot>{snapshot.format(name)}</s:domainsnapshot>" for name in names)
    (tmp_path / "node.xml").write_text(
        f"""<node xmlns:s='http://libvirt.org/schemas/domain/test/1.0'><domain type='test'><name>a</name>
        <memory>1024</memory><os><type>hvm</type></os>{snapshots}</domain></node>"""
    )
    virsh = Virsh(f"test://{tmp_path / 'node.xml'}")
    assert virsh.run("snapshot-list", "--domain=a", "--name").split("\n") == list(names)


def test_a_guest_without_an_agent_gives_no_answer(virsh: Virsh) -> None:
    """As any other failure of libvirt."""
    with pytest.raises(LibvirtError, match="virsh qemu-agent-command failed"):
        virsh.guest_agent(UUID, "guest-ping")


@pytest.mark.parametrize("answer", ["", "[]", "{}", "null", '{"error": 1}'])
def test_a_guest_may_answer_anything(virsh: Virsh, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """What isn't an answer counts as none."""
    monkeypatch.setattr(virsh, "run", lambda *_: answer)
    with pytest.raises(LibvirtError, match="Unexpected answer of the guest agent to guest-ping"):
        virsh.guest_agent(UUID, "guest-ping")


def test_an_undefined_vm_is_distinguished_from_an_unreachable_libvirt(virsh: Virsh) -> None:
    """Only an undefined VM need not be started again."""
    assert is_undefined(virsh, NOWHERE)
    assert not is_undefined(virsh, UUID)
    with pytest.raises(LibvirtError, match="virsh domstate failed: failed to get domain"):
        virsh.state(NOWHERE)
    with pytest.raises(LibvirtError, match="virsh list failed"):
        is_undefined(Virsh("qemu+unix:///system?socket=/nowhere"), UUID)


def test_an_unreachable_libvirt_doesnt_count_as_one_without_backup_begin() -> None:
    """Otherwise a transient error would cost hours of downtime."""
    with pytest.raises(LibvirtError, match="domcapabilities failed"):
        Virsh("qemu+unix:///system?socket=/nowhere").supports_backup_begin()


def test_a_libvirt_that_hangs_is_an_error(short: Path) -> None:
    """It accepts the connection, and never answers."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(short / "s"))
        silent.listen()
        hung = Virsh(f"qemu+unix:///system?socket={short / 's'}")
        with pytest.raises(LibvirtError, match="virsh list gave no answer within 1 s"):
            hung.run("list", timeout_s=1)


def test_a_missing_virsh_is_an_error_that_names_the_package(
    virsh: Virsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator is to install it."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LibvirtError, match="Install libvirt's clients"):
        virsh.uuids()


def test_values_arent_taken_for_options(virsh: Virsh) -> None:
    """Even if a value begins with dashes."""
    with pytest.raises(LibvirtError, match="failed to get domain '--all'"):
        virsh.run("domstate", "--domain=--all")


@pytest.mark.parametrize("text", ["", "x", UUID.upper(), f" {UUID}", f"{UUID}\n", UUID.replace("-", "")])
def test_a_uuid_is_exactly_as_libvirt_writes_it(text: str) -> None:
    """It is in lower case, with nothing around it."""
    assert is_uuid(UUID)
    assert not is_uuid(text)
