"""The door to libvirt, against libvirt's own test driver; and against one that hangs, or isn't there."""

import socket
from pathlib import Path

import pytest

from include.agent.errors import LibvirtError
from include.agent.lease import is_gone
from include.agent.virsh import Virsh, is_uuid

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # of the domain that the test driver always has
NOWHERE = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"


@pytest.fixture
def virsh() -> Virsh:
    """Libvirt's test driver."""
    return Virsh("test:///default")


def test_a_machine_is_asked_for_by_its_uuid(virsh: Virsh) -> None:
    """What comes back has no columns."""
    assert virsh.uuids() == {UUID}
    assert virsh.uuids("--autostart") == set()
    assert (virsh.state(UUID), virsh.is_halted(UUID), virsh.autostarts(UUID)) == ("running", False, False)
    assert f"<uuid>{UUID}</uuid>" in virsh.xml(UUID)
    assert virsh.version()[0].isdigit()


def test_a_machine_that_isnt_there_is_told_from_a_libvirt_that_isnt(virsh: Virsh) -> None:
    """Only the one is a reason to owe it nothing."""
    assert is_gone(virsh, NOWHERE)
    assert not is_gone(virsh, UUID)
    with pytest.raises(LibvirtError, match="virsh domstate failed: failed to get domain"):
        virsh.state(NOWHERE)
    with pytest.raises(LibvirtError, match="virsh list failed"):
        is_gone(Virsh("qemu+unix:///system?socket=/nowhere"), UUID)


def test_a_libvirt_that_isnt_there_isnt_one_that_cant() -> None:
    """Or a machine would be down for hours for want of a moment's patience."""
    with pytest.raises(LibvirtError, match="domcapabilities failed"):
        Virsh("qemu+unix:///system?socket=/nowhere").images_running_machines()


def test_a_libvirt_that_hangs_is_given_up(short: Path) -> None:
    """It takes the connection, and never answers."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(short / "s"))
        silent.listen()
        hung = Virsh(f"qemu+unix:///system?socket={short / 's'}")
        with pytest.raises(LibvirtError, match="virsh list didn't come back in 1 s"):
            hung.run("list", patience_s=1)


def test_a_host_without_virsh_is_told(virsh: Virsh, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LibvirtError, match="Install libvirt's clients"):
        virsh.uuids()


def test_values_arent_taken_for_options(virsh: Virsh) -> None:
    """Whatever a name begins with."""
    with pytest.raises(LibvirtError, match="failed to get domain '--all'"):
        virsh.run("domstate", "--domain=--all")


@pytest.mark.parametrize("text", ["", "x", UUID.upper(), f" {UUID}", f"{UUID}\n", UUID.replace("-", "")])
def test_only_what_libvirt_writes_is_a_uuid(text: str) -> None:
    """In small letters, and nothing around it."""
    assert is_uuid(UUID)
    assert not is_uuid(text)
