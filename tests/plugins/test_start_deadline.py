"""The start deadline counts for what a schedule started; ``operators/vms/`` has its tests in tasks."""

from types import SimpleNamespace
from typing import Any

import pytest

from inpe_backup.start_deadline import deadline_counts


@pytest.mark.parametrize(
    ("run_type", "max_tries", "counts"),
    [
        ("scheduled", 3, True),  # the first try, and Airflow's retries
        ("scheduled", 5, False),  # cleared after its second try
        ("manual", 3, False),
    ],
)
def test_a_person_may_stop_vms_at_any_time(run_type: str, max_tries: int, counts: bool) -> None:  # noqa: FBT001 - expected
    """By a run started by hand, or a cleared task; a retry isn't a person."""
    run, task = SimpleNamespace(run_type=run_type), SimpleNamespace(retries=3)
    context: Any = {"dag_run": run, "ti": SimpleNamespace(max_tries=max_tries), "task": task}
    assert deadline_counts(context) is counts
