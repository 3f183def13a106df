"""What one run did, and what it saw at the source, as facts."""

from collections.abc import Iterable

from include.plan import Verdict
from include.report import Item, Outcome, Report, State, is_good, summary
from include.standing.facts import RunPart, SeenDay, SourcePart, TroubledItem

SOURCE, RUNS = "source", "runs"
"""Keys of the two histories."""


def source_part(verdicts: Iterable[Verdict]) -> SourcePart:
    """Give what a daily run saw of each of its days, and what it decided."""
    return SourcePart(
        days=tuple(SeenDay(day=one.day, state=one.seen.state, reason=one.reason) for one in verdicts)
    )


def run_part(report: Report, *, dag: str, run: str) -> RunPart:
    """Sum up a run by its report.

    Args:
        report: the run's.
        dag: the id of its DAG.
        run: its own id.
    """
    return RunPart(
        dag=dag,
        run=run,
        about=report.kind,
        line=summary(report),
        good=is_good(report),
        dry_run=report.dry_run,
        started=report.started,
        finished=report.finished,
        items=len(report.items),
        troubled=tuple(map(_troubled, filter(_is_troubled, report.items))),
        needs_person=report.needs_person,
    )


def _is_troubled(item: Item) -> bool:
    wanted = item.outcome is not Outcome.EXCLUDED and not item.outcome.planned
    return wanted and item.state is not State.PASSED


def _troubled(item: Item) -> TroubledItem:
    return TroubledItem(name=item.name, state=item.state, outcome=item.outcome, reason=item.reason)
