"""What a KVM host's agent prints is data: of another shape, it is an error of that host."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from include.errors import HostError, TransientError, UnexpectedAnswerError
from include.remote.transport import CommandResult
from include.restore.vm_sender import _places
from include.shapes import ShapeError
from include.vms.host import Host, _vm_status
from include.vms.image_stream import _header
from include.vms.models import BegunOnHost, EndedBackup, HostSurvey
from tests.include.answering_program import Answering
from tests.include.vms.sample_vms import UUID, record

HOST = Host(Answering([], "kvm_host"), "qemu:///system", "/var/lib/it", None)
ENDED: dict[str, object] = {"vm": "maq1", "state": "running", "repaired": [], "scratch_bytes": 0}
WRONG: list[object] = [{}, -1, float("nan"), None]
NO_VMS: list[object] = [None, {}, "vm", [7], [None], 7]
SHAPES = [
    b"7",
    b"[]",
    b"null",
    b'{"vm": ',
    b"\xff",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"vm": ' + b"9" * 5000 + b"}",
    b"{}",
    *(json.dumps({**ENDED, key: value}).encode() for key in ENDED for value in WRONG),
    json.dumps({**ENDED, "more": 1}).encode(),
    json.dumps({**ENDED, "repaired": [7]}).encode(),
]


@pytest.mark.parametrize("text", SHAPES, ids=range(len(SHAPES)))
def test_another_shape_is_one_line_with_the_hosts_name(text: bytes) -> None:
    """Not a model's own error, which has a line for each field."""
    with pytest.raises(HostError, match="kvm_host") as refused:
        HOST.answer(EndedBackup, CommandResult(0, text, ""))
    assert not isinstance(refused.value, TransientError)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    ("status", "output", "reason"),
    [
        (4, b"7", "Unexpected output"),
        (99, b"{}", r"None \(host kvm_host\)"),
        (5, b"", "the agent ended with status 5: no message"),
    ],
)
def test_a_refusal_of_another_shape_is_an_error(status: int, output: bytes, reason: str) -> None:
    """Whatever its exit status means."""
    with pytest.raises(HostError, match=reason):
        HOST.answer(EndedBackup, CommandResult(status, output, ""))


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_instant_outside_the_calendar_is_an_error(instant: str) -> None:
    """In UTC it is in no year from 1 to 9999."""
    begun = record().begun.model_dump(mode="json")
    output = json.dumps({**begun, "clock": "2036-01-01T02:00:00Z", "instant": instant}).encode()
    with pytest.raises(HostError, match="invalid answer from the agent: instant"):
        HOST.answer(BegunOnHost, CommandResult(0, output, ""))


def test_the_first_wrong_field_is_named() -> None:
    """By its path, with what came."""
    scratch = {"path": "/", "free_bytes": -1}
    survey = {"host": "h", "libvirt": "9", "backup": True, "scratch": scratch, "vms": [7]}
    with pytest.raises(HostError, match=r"kvm_host: .*: scratch\.free_bytes: .*, not -1 \(1 more\)\."):
        HOST.answer(HostSurvey, CommandResult(0, json.dumps(survey).encode(), ""))


@pytest.mark.parametrize("found", [{}, *({"vms": vms} for vms in NO_VMS)])
def test_a_status_of_another_shape_is_an_error(found: dict[str, object]) -> None:
    """It decides whether a backup goes on."""
    with pytest.raises(ShapeError):
        _vm_status(found, UUID)


def test_the_status_of_a_vm_is_found_among_others() -> None:
    """It's empty without one."""
    assert _vm_status({"vms": [{"uuid": "other"}, {"uuid": UUID, "run": "it"}]}, UUID)["run"] == "it"
    assert _vm_status({"vms": []}, UUID) == {}


@pytest.mark.parametrize("disks", [None, {}, 7, [7], [{"name": 7}], [{}]])
def test_the_first_line_of_a_restore_or_of_an_image_is_checked(disks: object) -> None:
    """Before anything is sent, or read."""
    with pytest.raises(UnexpectedAnswerError, match=r"output of the host: disks.* Nothing was sent"):
        _places({"disks": disks})
    begun = cast("Any", SimpleNamespace(vm="maq1"))
    with pytest.raises(UnexpectedAnswerError, match="maq1: invalid header from its host: disks"):
        _header({"vm": "maq1", "uuid": UUID, "disks": disks, "files": {}}, begun)
