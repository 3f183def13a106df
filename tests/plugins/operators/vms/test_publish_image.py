"""An image that is published stays so, whatever becomes of the event that informs others of it."""

import logging
from typing import Any

import pytest

from inpe_backup.operators.vms.publish_image import PublishImageOperator
from inpe_backup.operators.vms.vm_operator import VmOperator
from tests.plugins.operators import FakeTask


def test_an_image_without_its_event_is_published_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The vault, which the event is read from, is gone just now; the log says so."""
    record = {"vm": "maq1"}
    monkeypatch.setattr(VmOperator, "work", lambda *_: record)
    monkeypatch.setattr(PublishImageOperator, "log", logging.getLogger("task"))
    vm = {"name": "maq1", "uuid": "", "was": "running"}
    task: Any = PublishImageOperator(task_id="publish_image", ssh_conn_id="kvm_host", vm=vm, begun={})
    assert task.work(FakeTask().context()) == record
    assert "The image is published; no DAG that waits for it gets an event." in caplog.messages
