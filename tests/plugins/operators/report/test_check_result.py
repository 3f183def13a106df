"""A run's result is its report's, whether the run gets a note or not."""

from typing import Any

import pytest

from include.errors import RunFailedError
from inpe_backup.operators.report.check_result import CheckResultOperator
from inpe_backup.run_note import NOTE
from tests.include.report.sample_items import bad, report
from tests.plugins.operators import FakeTask


@pytest.mark.parametrize("refuses", [False, True])
def test_a_good_report_passes_and_a_bad_one_fails(*, refuses: bool) -> None:
    """Also where Airflow doesn't take the note."""

    def refuse(*_: object) -> None:
        raise RuntimeError("The API server is busy.")

    task = FakeTask()
    context: Any = task.context()
    if refuses:
        context["ti"].xcom_push = refuse
    good, failed = (
        CheckResultOperator(task_id="check_result", report=given.model_dump(mode="json"))
        for given in (report(), report(bad("missing")))
    )
    good.work(context)
    assert (NOTE in task.left) is not refuses
    with pytest.raises(RunFailedError):
        failed.work(context)
