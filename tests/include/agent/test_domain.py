"""Parsing of libvirt's XML: ``recorded/domains`` has real definitions, and what is expected of each.

They are of libvirt 9.0: domains that were defined, and some of them started, on a stand-in host, whose paths
were shortened. To add one, make a folder: ``virsh dumpxml --inactive --security-info`` prints its
``definition.xml``, the same without ``--inactive`` its ``running.xml``.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from include.agent.domain import Domain

BELOW_A = "<backingStore><source file='/a'/>"
RECORDED = Path(__file__).with_name("recorded") / "domains"


def parse(folder: Path) -> dict[str, Any]:
    """Return what is parsed from a recorded domain, in the form of ``facts.json``, without empty values."""
    running = folder / "running.xml"
    domain = Domain(
        (folder / "definition.xml").read_text(encoding="utf-8"),
        running.read_text(encoding="utf-8") if running.exists() else None,
    )
    parsed = {
        "name": domain.name,
        "disks": domain.disks,
        "left_out": domain.left_out,
        "nvram": domain.nvram,
        "tpm": domain.tpm,
        "guest_agent": domain.guest_agent,
        "restarts_after_shutdown": domain.restarts_after_shutdown,
        "problems": domain.problems,
    }
    return {key: value for key, value in parsed.items() if value}


@pytest.mark.parametrize("folder", sorted(RECORDED.iterdir()), ids=lambda folder: folder.name)
def test_a_recorded_domain_is_parsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks, firmware, and what prevents a backup."""
    monkeypatch.setattr("os.geteuid", lambda: 0)  # the default path of a TPM's state depends on it
    assert parse(folder) == json.loads((folder / "facts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("store", "backing"),
    [
        ("", []),
        ("<backingStore/>", [""]),
        ("<backingStore><source file='/a'/></backingStore>", ["/a"]),
        ("<backingStore><source dev='/a'/><backingStore/></backingStore>", ["/a", ""]),
        (
            f"{BELOW_A}<backingStore><source file='/b'/><backingStore/></backingStore></backingStore>",
            ["/a", "/b", ""],
        ),
        (
            f"{BELOW_A}<backingStore><source name='x'/></backingStore></backingStore>",
            ["/a"],
        ),
    ],
)
def test_the_files_below_a_disk_are_known_as_far_as_they_are_defined(store: str, backing: list[str]) -> None:
    """What isn't, is in the disk's own header; what is elsewhere is no file."""
    disk = f"<disk type='file'><source file='/x'/>{store}<target dev='vda'/></disk>"
    assert Domain(f"<domain><devices>{disk}</devices></domain>").backing == {"vda": backing}


def test_the_default_path_of_a_tpm_ends_in_the_uuid() -> None:
    """Libvirt names the folder so."""
    domain = Domain((RECORDED / "tpm" / "definition.xml").read_text(encoding="utf-8"))
    assert str(domain.tpm).endswith(f"/{domain.uuid}")


def test_the_definition_of_a_vm_that_is_off_isnt_compared() -> None:
    """Only a running VM can have other disks than its definition."""
    definition = (RECORDED / "plugged" / "definition.xml").read_text(encoding="utf-8")
    assert Domain(definition).problems == []


def test_a_users_tpm_state_is_in_his_configuration_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the agent doesn't run as root, libvirt doesn't either."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/her/.config")
    definition = (RECORDED / "tpm" / "definition.xml").read_text(encoding="utf-8")
    assert str(Domain(definition).tpm).startswith("/home/her/.config/libvirt/qemu/swtpm/")


def uefi(system: str, running: str = "") -> Domain:
    """Return a domain with this ``<os>``, and with that one while it runs."""
    definition = (RECORDED / "uefi" / "definition.xml").read_text(encoding="utf-8")
    start, end = definition.index("<os>"), definition.index("</os>") + len("</os>")
    texts = (definition[:start] + text + definition[end:] for text in (system, running) if text)
    return Domain(*texts)


CHOSEN = "<os firmware='efi'><type>hvm</type></os>"


def test_uefi_variables_whose_place_libvirt_chose_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libvirt before 9.2 shows their path only while the VM runs; then it is libvirt's default."""
    running = "<os firmware='efi'><nvram template='/fw/VARS.fd'>/nvram/chosen.fd</nvram></os>"
    assert uefi(CHOSEN, running).nvram == "/nvram/chosen.fd"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert uefi(CHOSEN).nvram == "/var/lib/libvirt/qemu/nvram/uefi_VARS.fd"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/her/.config")
    assert uefi(CHOSEN).nvram == "/home/her/.config/libvirt/qemu/nvram/uefi_VARS.fd"
    assert uefi("<os firmware='efi'><loader stateless='yes'/></os>").nvram is None
    assert Domain("<domain><name>../../etc/x</name><os firmware='efi'/></domain>").nvram is None
    assert uefi("<os><type>hvm</type></os>").nvram is None


@pytest.mark.parametrize(
    ("nvram", "path"),
    [
        ("<nvram type='file'><source file='/vms/a.fd'/></nvram>", "/vms/a.fd"),
        ("<nvram type='block'><source dev='/dev/vg/vars'/></nvram>", "/dev/vg/vars"),
        ("<nvram type='network'><source protocol='nbd' name='x'/></nvram>", None),
        ("<nvram type='volume'><source pool='default' volume='vars'/></nvram>", None),
    ],
)
def test_uefi_variables_are_where_the_definition_has_them(nvram: str, path: str | None) -> None:
    """If that is no path, they aren't at the place that libvirt chooses otherwise."""
    assert uefi(CHOSEN.replace("</os>", f"{nvram}</os>")).nvram == path


def test_a_tpm_whose_state_isnt_in_a_folder_has_no_path() -> None:
    """What is at the default path then is of another time."""
    for source, path in (("type='dir' path='/tpm'", "/tpm"), ("type='file' path='/tpm'", None)):
        backend = f"<backend type='emulator'><source {source}/></backend>"
        assert Domain(f"<domain><devices><tpm>{backend}</tpm></devices></domain>").tpm == path


@pytest.mark.parametrize(
    "source",
    [
        "type='dir'><source dir='/srv'/>",
        "type='network'><source protocol='rbd' name='pool/image'/>",
        "type='volume'><source pool='default' volume='vdb'/>",
        "type='nvme'><source type='pci' namespace='1'><address bus='1' slot='0'/></source>",
        "type='vhostuser'><source type='unix' path='/run/blk.sock'/>",
        "type='vhostvdpa'><source dev='/dev/vhost-vdpa-0'/>",
    ],
)
def test_a_disk_that_is_no_file_or_device_is_refused_by_its_name(source: str) -> None:
    """No other form of the format can be read; an image without it would be half of the VM."""
    disk = f"<disk {source}<target dev='vdb'/></disk>"
    own = "<disk type='file'><source file='/vms/a'/><target dev='vda'/></disk>"
    domain = Domain(f"<domain><devices>{own}{disk}</devices></domain>")
    assert [problem[:17] for problem in domain.problems] == ["vdb is stored as "]


@pytest.mark.parametrize(
    ("source", "device"),
    [
        ("<adapter name='scsi_host0'/><address bus='0' target='0' unit='1'/>", "scsi_host0 0:0:1"),
        ("<source protocol='iscsi' name='iqn.x/1'><host name='san'/></source>", "iscsi iqn.x/1"),
    ],
)
def test_a_scsi_device_that_is_passed_through_is_refused_by_its_address(source: str, device: str) -> None:
    """It is a disk, whatever else the VM has."""
    inner = source if source.startswith("<source") else f"<source>{source}</source>"
    hostdev = f"<hostdev mode='subsystem' type='scsi'>{inner}</hostdev>"
    domain = Domain(f"<domain><devices>{hostdev}</devices></domain>")
    assert domain.problems == [
        f"The SCSI device {device} of the host is passed through to the guest; it can't be backed up."
    ]
    assert domain.left_out == []
