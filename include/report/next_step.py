"""What to do about a run that failed, where nothing else in its report says that."""

from include.report.model import Report
from include.report.phrases import joined, noun
from include.report.subject import overall
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from include.results.task_labels import task_label
from include.text import counted

_CLEAR = "clear the run's failed tasks (Clear only failed tasks)"
_CLEAR_VMS = f"clear {task_label('begin_backup')} with its downstream tasks"
_BACKFILL = "start a backfill of the same days again; it leaves safe days alone"
_DRY_RUN = "trigger it again"


def with_next_step(report: Report) -> Report:
    """Add an action to a failed report that has none: each mail that says FAILED says what to do."""
    needs_it = report.kind is Kind.BACKFILL or not {*report.needs_action} - {*report.beside_failures}
    failed = [item for item in report.items if item.state is State.FAILED and not _is_left_out(item)]
    if not failed or not needs_it or overall(report) is not State.FAILED:
        return report
    sentence = _sentence(report, failed)
    return report.model_copy(
        update={
            "needs_action": (*report.needs_action, sentence),
            "known_states": (*report.known_states, sentence),  # the page shows the items' states
        }
    )


def _is_left_out(item: Item) -> bool:
    return item.outcome is Outcome.EXCLUDED


def _sentence(report: Report, failed: list[Item]) -> str:
    names = joined([item.name for item in failed])
    then = {Kind.BACKFILL: _BACKFILL, Kind.VMS: _CLEAR_VMS}.get(report.kind, _CLEAR)
    then = _DRY_RUN if report.dry_run else then
    if len(failed) == 1:
        return f"{names} failed, for the reason below. Fix the cause, then {then}."
    many = counted(len(failed), noun(report))
    return f"{many} failed, for the reasons below: {names}. Fix the causes, then {then}."
