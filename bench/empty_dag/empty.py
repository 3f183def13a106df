"""The tasks that ``supim_daily`` runs when there is nothing to do, in the same order, all empty."""

from airflow.sdk import DAG, task, task_group

from inpe_backup.timetable import OrdinalDayTimetable


@task
def step(_before: object = None) -> list[str]:
    """Do nothing."""
    return []


@task_group
def back_up_day(day: str) -> None:
    """Stand for the three steps of a day."""
    (
        step.override(task_id="copy_day")(day)
        >> step.override(task_id="verify_day")()
        >> step.override(task_id="publish_day")()
    )


with DAG(
    "empty",
    schedule=OrdinalDayTimetable("30 6 * * *", timezone="America/Sao_Paulo", lag_days=2),
    catchup=False,
):
    window = step.override(task_id="choose_days")()
    survey = step.override(task_id="survey_source")(window)
    plan = step.override(task_id="plan_days")(survey)
    space = step.override(task_id="check_free_space")(plan)
    report = step.override(task_id="build_report", trigger_rule="all_done")(space)
    back_up_day.expand(day=space) >> report
    step.override(task_id="email_report")(report)
    step.override(task_id="check_result")(report)
    step.override(task_id="refresh_status", trigger_rule="all_done")(report)
