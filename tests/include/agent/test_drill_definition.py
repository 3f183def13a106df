"""What becomes of real definitions (``recorded/domains``) in a drill: nothing of them leads out."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.agent.drill_definition import Drilled, drilled

RECORDED = sorted((Path(__file__).with_name("recorded") / "domains").glob("*/definition.xml"))
ROOM = Path("/room")
GIVEN = Drilled("drill-1", "0b0c9d1e-0000-4000-8000-000000000001", ROOM, {"vda": ROOM / "vda.qcow2"}, 2**30)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_a_recorded_definition_is_isolated(file: Path) -> None:
    """Another name and UUID, no network, nothing passed through, and no file that is written outside."""
    root = ET.fromstring(drilled(file.read_text(encoding="utf-8"), GIVEN))  # noqa: S314 - our own
    devices = root.find("devices")
    assert devices is not None
    assert (root.findtext("name"), root.findtext("uuid")) == (GIVEN.name, GIVEN.uuid)
    for tag in ("interface", "hostdev", "redirdev", "filesystem", "smartcard", "tpm", "graphics", "shmem"):
        assert devices.findall(tag) == []
    named = {value for element in devices.iter("source") for value in element.attrib.values()}
    assert all(value.startswith("/room/") for value in named), named
    assert all((nvram.text or "").startswith("/room/") for nvram in root.iter("nvram"))
    assert int(root.findtext("memory", "0")) <= 2**20


def test_options_past_libvirt_are_left_out() -> None:
    """They may open files, ports and networks of the host."""
    namespace = "http://libvirt.org/schemas/domain/qemu/1.0"
    options = f"<q:commandline xmlns:q='{namespace}'><q:arg value='-net'/></q:commandline>"
    domain = f"<domain><name>a</name><memory>9</memory><devices/>{options}</domain>"
    assert "-net" not in drilled(domain, GIVEN)


@pytest.mark.parametrize("text", ["", "<network/>", "no XML"])
def test_what_is_no_definition_is_refused(text: str) -> None:
    """With why."""
    with pytest.raises(ValueError, match="it"):
        drilled(text, GIVEN)
