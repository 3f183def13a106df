"""How days get from the source into the vault, task by task; the daily backup and the audit both do it."""

from typing import Any

from airflow.sdk import BaseOperator, task_group

from inpe_backup.operators.ensure_space import EnsureSpaceOperator
from inpe_backup.operators.plan_days import PlanDaysOperator
from inpe_backup.operators.secure_day import CopyDayOperator, PublishDayOperator, VerifyDayOperator
from inpe_backup.operators.survey_source import SurveySourceOperator

DAY_STEPS = ("secure_day.copy_day", "secure_day.verify_day", "secure_day.publish_day")
"""The ids of the mapped tasks of one day, in their order."""


def secure_days(window: BaseOperator, *, plan_task: str, shown: str) -> list[Any]:
    """Look for days at the source, plan them, see that there is room, and secure each.

    Args:
        window: the task that leaves a ``Window``: the days.
        plan_task: the id of the task that plans them.
        shown: what the web page calls the securing of each.

    Returns:
        Its tasks and their group, for the report to wait for.
    """
    survey = SurveySourceOperator(
        task_id="survey", task_display_name="Look at the source", window=window.output
    )
    plan = PlanDaysOperator(
        task_id=plan_task, task_display_name="Plan each day", window=window.output, looks=survey.output
    )
    space = EnsureSpaceOperator(
        task_id="ensure_space", task_display_name="See that there is room", verdicts=plan.output
    )

    @task_group(group_id="secure_day", group_display_name=shown)
    def secure_day(day: str) -> None:
        """Copy one day, prove it and publish it."""
        named = {"day": day, "map_index_template": "{{ task.day }}"}
        copy = CopyDayOperator(
            task_id="copy_day", task_display_name="Copy it", max_active_tis_per_dag=1, **named
        )
        (
            copy
            >> VerifyDayOperator(task_id="verify_day", task_display_name="Prove it", **named)
            >> PublishDayOperator(task_id="publish_day", task_display_name="Publish it", **named)
        )

    return [survey, plan, space, secure_day.expand(day=space.output)]
