"""A run's part of the status: what it did, and what it found at the source."""

from collections.abc import Iterable

from include.days.plan import DayPlan
from include.report import Report, is_good, summary
from include.results.item import Item
from include.results.states import Outcome, State
from include.status.parts import DayAtSource, RunPart, SourcePart, TroubledItem

SOURCE, RUNS = "source", "runs"
"""Keys of the two histories."""


def source_part(plans: Iterable[DayPlan]) -> SourcePart:
    """Return what a daily run found at the source of each of its days, and what it decided."""
    return SourcePart(
        days=tuple(
            DayAtSource(day=plan.day, state=plan.at_source.state, reason=plan.reason) for plan in plans
        )
    )


def run_part(report: Report, *, dag: str, run: str, by_hand: bool = False, vault_gone: str = "") -> RunPart:
    """Return the summary of a run by its report.

    Args:
        report: the run's report.
        dag: the id of its DAG.
        run: its id.
        by_hand: whether a person started it.
        vault_gone: why the vault couldn't be opened when it ended; empty if it could be.
    """
    return RunPart(
        dag=dag,
        run=run,
        about=report.kind,
        line=summary(report),
        good=is_good(report),
        dry_run=report.dry_run,
        partial=bool(report.requested),
        started=report.started,
        finished=report.finished,
        items=len(report.items),
        troubled=tuple(map(_troubled, filter(_is_troubled, report.items))),
        left_out=tuple(_troubled(item) for item in report.items if item.outcome is Outcome.EXCLUDED),
        needs_action=tuple(each for each in report.needs_action if each not in report.known_states),
        refused=by_hand and not report.items and not is_good(report),
        vault_gone=vault_gone,
    )


def _is_troubled(item: Item) -> bool:
    attempted = item.outcome is not Outcome.EXCLUDED and not item.outcome.planned
    return attempted and item.state is not State.PASSED


def _troubled(item: Item) -> TroubledItem:
    return TroubledItem(name=item.name, state=item.state, outcome=item.outcome, reason=item.reason)
