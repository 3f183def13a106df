"""What is read from libvirt's XML: ``recorded/domains`` has real answers, and the facts expected of each.

They are libvirt 9.0's, of domains that were defined, and some of them started, on a stand-in host; its own
folders were shortened. A new oddity is a new folder: ``virsh dumpxml --inactive --security-info`` makes its
``definition.xml``, the same without ``--inactive`` its ``running.xml``.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from include.agent.domain import Domain, account_of

RECORDED = Path(__file__).with_name("recorded") / "domains"


def facts_of(folder: Path) -> dict[str, Any]:
    """Give what is read from a recorded domain, as its ``facts.json`` has it: what is empty is left out."""
    running = folder / "running.xml"
    domain = Domain(
        (folder / "definition.xml").read_text(encoding="utf-8"),
        running.read_text(encoding="utf-8") if running.exists() else None,
    )
    read = {
        "name": domain.name,
        "disks": domain.disks,
        "left_out": domain.left_out,
        "nvram": domain.nvram,
        "tpm": domain.tpm,
        "guest_agent": domain.guest_agent,
        "goes_on_after_shutdown": domain.goes_on_after_shutdown,
        "problems": domain.problems,
    }
    return {key: value for key, value in read.items() if value}


@pytest.mark.parametrize("folder", sorted(RECORDED.iterdir()), ids=lambda folder: folder.name)
def test_a_recorded_domain_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks, what else holds data, and why it can't be imaged."""
    monkeypatch.setattr("os.geteuid", lambda: 0)  # where libvirt keeps a TPM's state depends on it
    assert facts_of(folder) == json.loads((folder / "facts.json").read_text(encoding="utf-8"))


def test_its_uuid_is_its_own() -> None:
    """By which the host is asked for it."""
    domain = Domain((RECORDED / "tpm" / "definition.xml").read_text(encoding="utf-8"))
    assert str(domain.tpm).endswith(f"/{domain.uuid}")


def test_whose_qemu_it_is_is_told_while_it_runs() -> None:
    """The room for its socket is his alone; where nobody tells, it's whoever's that knows its name."""
    in_use = (RECORDED / "files" / "running.xml").read_text(encoding="utf-8")
    assert account_of(in_use) == (0, 0)
    assert account_of(in_use.replace("+0:+0", "+64055:+108")) == (64055, 108)
    assert account_of(in_use.replace("+0:+0", "qemu:qemu")) is None
    assert account_of((RECORDED / "files" / "definition.xml").read_text(encoding="utf-8")) is None


def test_one_that_is_off_is_compared_with_nothing() -> None:
    """A disk plugged into it when it ran last is gone anyway."""
    definition = (RECORDED / "plugged" / "definition.xml").read_text(encoding="utf-8")
    assert Domain(definition).problems == []


def test_a_user_has_his_own_folder_for_tpms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the agent runs as a user, libvirt does too."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/her/.config")
    definition = (RECORDED / "tpm" / "definition.xml").read_text(encoding="utf-8")
    assert str(Domain(definition).tpm).startswith("/home/her/.config/libvirt/qemu/swtpm/")
