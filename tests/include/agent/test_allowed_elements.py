"""The list of what may stay of a definition: complete for usual VMs, and without paths of the host."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.agent.allow_list import AllowList
from include.agent.allowed_elements import ATTRIBUTES, NEEDED

RECORDED = Path(__file__).with_name("recorded") / "domains"


def test_every_element_is_in_one_that_may_stay() -> None:
    """Otherwise its line would mean nothing."""
    assert [path for path in ATTRIBUTES if path and path.rpartition("/")[0] not in ATTRIBUTES] == []
    assert NEEDED.keys() <= ATTRIBUTES.keys()


@pytest.mark.parametrize("name", ["files", "agent", "uefi", "tpm", "odd-name", "block", "network"])
def test_usual_vms_lose_nothing_but_what_leads_to_the_host(name: str) -> None:
    """Disks are added again, consoles become pseudo-terminals, and kernels are files of the host's."""
    xml = (RECORDED / name / "definition.xml").read_text(encoding="utf-8")
    found = AllowList(ATTRIBUTES, NEEDED)
    assert found.copy(ET.fromstring(xml)) is not None  # noqa: S314 - recorded
    leading_to_the_host = {f"os/{tag}" for tag in ("kernel", "initrd", "cmdline")}
    leading_to_the_host |= {"devices/serial", "devices/console"} if name == "agent" else set()
    assert found.left_out.keys() - {"devices/disk/source"} <= leading_to_the_host
