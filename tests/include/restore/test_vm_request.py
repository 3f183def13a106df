"""The parameters of a restore of a VM."""

import os
from pathlib import Path

import pytest

from include.agent.restore.request import RestoreRequest
from include.errors import BackupError, RequestError
from include.restore.vm_definition import NewVm, beside, files_beside
from include.restore.vm_request import VmRestoreRequest
from tests.include.agent.restore.test_request import DISK, REQUEST, UUID

NAMES = [
    "Windows Server 2022",
    "servidor-produção",
    "web[1]",
    "-rf",
    "+1",
    " a ",
    "a\tb",
    "a,b=c",
    "a'b\"c&<d>",
    "$(reboot); `reboot`",
    "é" * 100,
    "\U0001f4be",
]


def request(**fields: object) -> VmRestoreRequest:
    """Return a request to restore ``maq1``."""
    return VmRestoreRequest.model_validate({"vm": "maq1", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"new_name": "maq1-copy"},
        {"folder": "/vms/other"},
        {"how": "in place", "confirm": "maq1"},
        {"how": "in place", "confirm": "maq1", "folder": "/vms"},
    ],
)
def test_a_valid_request_is_accepted(fields: dict[str, object]) -> None:
    """Beside with or without a name, and in place with a confirmation."""
    request(**fields).require_valid()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"how": "in place"}, r"Type its name as 'confirm'\.$"),
        ({"how": "in place", "confirm": "maq2"}, "'maq2' isn't it"),
        ({"how": "in place", "confirm": "maq1 "}, "'maq1 ' isn't it"),
        ({"new_name": "maq1"}, "needs another name"),
        ({"new_name": "../maq"}, "can't be a VM's name"),
        ({"new_name": "a/b"}, "can't be a VM's name"),
        ({"new_name": ".hidden"}, "can't be a VM's name"),
        ({"new_name": "a\nb"}, "can't be a VM's name"),
        ({"new_name": "a\rb"}, "can't be a VM's name"),
        ({"new_name": "a\0b"}, "can't be a VM's name"),
        ({"new_name": "a\x1bb"}, "can't be a VM's name"),
        ({"new_name": "a\udcffb"}, "can't be a VM's name"),
        ({"new_name": "a\uffffb"}, "can't be a VM's name"),
        ({"new_name": " \t"}, "can't be a VM's name"),
        ({"new_name": "é" * 101}, "can't be a VM's name. Choose one of at most 200 bytes"),
        ({"folder": "vms"}, "isn't a plain absolute path"),
        ({"folder": "/vms/../etc"}, "isn't a plain absolute path"),
        ({"folder": "/vms//x"}, "isn't a plain absolute path"),
        ({"folder": "/"}, "isn't a plain absolute path"),
        ({"folder": "/vms\0"}, "isn't a plain absolute path"),
    ],
)
def test_an_invalid_request_is_refused(fields: dict[str, object], message: str) -> None:
    """The message says what is valid."""
    with pytest.raises(RequestError, match=message):
        request(**fields).require_valid()


@pytest.mark.parametrize("name", NAMES)
def test_a_vm_of_any_name_that_libvirt_allows_has_a_default_name_beside_it(name: str) -> None:
    """It is accepted, and the same in the definition as the host reads it, and as a file."""
    asked = request(vm=name)
    asked.require_valid()
    new = asked.restored_name
    assert new.endswith("-restored")
    xml = beside("<domain><name>x</name></domain>", NewVm(new, UUID, None))
    restore = RestoreRequest({**REQUEST, "definition": xml, "in_place": False, "disks": []})
    assert restore.name == new
    path = files_beside(xml, new, "/vms", {"vda": "qcow2"}, {})["vda"]
    disk = RestoreRequest({**REQUEST, "disks": [{**DISK, "path": path}]}).disks[0]
    assert disk.path.parent == Path("/vms")
    assert "\t" not in disk.path.name, "libvirt would read it back as a blank"
    assert len(os.fsencode(disk.path.name)) < 255 - len(".before-restore-2026-11-22T05-00-03Z")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 300])
def test_a_vms_name_that_leads_out_of_the_vault_is_refused(name: str) -> None:
    """The name becomes part of a path there."""
    with pytest.raises(BackupError):
        request(vm=name).require_valid()


def test_a_vm_beside_the_original_has_a_default_name() -> None:
    """In place it keeps its own name."""
    assert request().restored_name == "maq1-restored"
    assert request(new_name="x").restored_name == "x"
    assert request(how="in place", new_name="x").restored_name == "maq1"
