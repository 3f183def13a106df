"""Transferring an image: what had changed and counted as unchanged is mailed at once; so is a VM down."""

from typing import Any

import pytest

from include.report.alarm import Alarm
from inpe_backup.operators.vms import transfer_image
from inpe_backup.operators.vms.transfer_image import TransferImageOperator
from inpe_backup.operators.vms.vm_operator import VmOperator
from tests.plugins.operators import FakeTask


@pytest.mark.parametrize(
    ("result", "mailed"),
    [
        (None, []),  # its images are verified already
        ({"mismatch": "", "not_back": ""}, []),
        ({"mismatch": "Chunk 5 differs.", "not_back": ""}, ["maq1: Chunk 5 differs."]),
        ({"mismatch": "", "not_back": "It can't be started."}, ["maq1 did not come back."]),
    ],
)
def test_what_cant_wait_is_mailed(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, str] | None, mailed: list[str]
) -> None:
    """The run goes on."""
    found: list[Alarm] = []
    monkeypatch.setattr(VmOperator, "work", lambda *_: result)
    monkeypatch.setattr(transfer_image, "mail_alarms", lambda _context, _log, alarms: found.extend(alarms))
    vm = {"name": "maq1", "uuid": "", "was": "running"}
    task: Any = TransferImageOperator(task_id="transfer_image", ssh_conn_id="kvm_host", vm=vm, begun={})
    assert task.work(FakeTask().context()) == result
    assert [alarm.sentences[0][: len(text)] for alarm, text in zip(found, mailed, strict=True)] == mailed
