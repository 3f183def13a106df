"""A day that is published stays so, whatever becomes of the event that informs others of it."""

import logging

import pytest

from inpe_backup.operators.days.day_operator import DayOperator
from inpe_backup.operators.days.publish_day import PublishDayOperator
from tests.plugins.operators import RUN, FakeTask


def test_a_day_without_its_event_is_published_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And Airflow adds none by itself, which would be of the run's own day."""
    record = {"run": RUN}
    monkeypatch.setattr(DayOperator, "work", lambda *_: record)
    monkeypatch.setattr(PublishDayOperator, "log", logging.getLogger("task"))
    task = PublishDayOperator(task_id="publish_day", day="2026-268")
    assert task.work(FakeTask().context()) == record
    assert "The day is published; no DAG that waits for it gets an event." in caplog.messages
    assert task.outlets == []
