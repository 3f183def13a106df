"""Transferring an image: what had changed and counted as unchanged is mailed at once."""

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
        ({"mismatch": ""}, []),
        ({"mismatch": "Chunk 5 differs."}, ["maq1: Chunk 5 differs."]),
    ],
)
def test_a_mismatch_is_mailed(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, str] | None, mailed: list[str]
) -> None:
    """The image was read whole then, and the run goes on."""
    found: list[Alarm] = []
    monkeypatch.setattr(VmOperator, "work", lambda *_: result)
    monkeypatch.setattr(transfer_image, "mail_alarms", lambda _context, _log, alarms: found.extend(alarms))
    vm = {"name": "maq1", "uuid": "", "was": "running"}
    task: Any = TransferImageOperator(task_id="transfer_image", ssh_conn_id="kvm_host", vm=vm, begun={})
    assert task.work(FakeTask().context()) == result
    assert [alarm.sentences[0] for alarm in found] == mailed
