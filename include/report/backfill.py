"""The report of a whole backfill, made of those of its runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.config.site_file import Site
from include.report import Report
from include.report.next_step import with_next_step
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from include.text import counted, duration

_NO_REPORT = "Its run left no report: it was stopped or deleted, or its tasks were killed. Check their logs."


@dataclass(frozen=True)
class BackfillRuns:
    """The runs of a backfill.

    Args:
        site: the site file.
        started: when the first of them started.
        reports: of each run, by its day; None: it left none.
        unfinished: the days whose runs aren't over.
        watched: whether their end is waited for.
        run_url: the page of the run that reports, in the web UI.
    """

    site: Site
    started: datetime
    reports: Mapping[str, Report | None]
    unfinished: Sequence[str] = ()
    watched: bool = True
    run_url: str | None = None

    def report(self) -> Report:
        """Return the report: each run's own day, and each action that is needed once."""
        return with_next_step(self._report())

    def _report(self) -> Report:
        left = [report for report in self.reports.values() if report]
        needed = (sentence for report in left for sentence in report.needs_action)
        waits = f"{len(self.unfinished)} of {counted(len(self.reports), 'run')} not over"
        return Report(
            kind=Kind.BACKFILL,
            title=f"SUPIM backfill {self._range}",
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            dry_run=any(report.dry_run for report in left),
            started=self.started,
            finished=datetime.now(UTC),
            items=tuple(self._items()),
            cause=f"stuck, {waits}" if self.unfinished else None,
            needs_action=(*([self._advice(waits)] if self.unfinished else []), *dict.fromkeys(needed)),
            archive=self.site.vault.path,
            run_url=self.run_url,
        )

    @property
    def _range(self) -> str:
        first, last = min(self.reports), max(self.reports)
        return first if first == last else f"{first} to {last}"

    def _advice(self, waits: str) -> str:
        rest = "Another mail comes when it ends."
        if not self.watched:
            rest = "It is no longer watched. Each run that ends from now on sends its own mail."
        return (
            f"The backfill isn't over: {waits}, and one failed or the last one ended "
            f"{duration(self.site.mail.backfill_stuck_s)} ago. Check the causes, and whether the backfill "
            f"or supim_daily is paused. {rest}"
        )

    def _items(self) -> Iterator[Item]:
        for day, report in sorted(self.reports.items()):
            if day not in self.unfinished:
                yield _of_run(day, report)


def _of_run(day: str, report: Report | None) -> Item:
    """Return the item of a run's own day, with the cause of the whole run's failure if it has none itself."""
    own = next((item for item in report.items if item.own), None) if report else None
    if own is None:
        reason = " ".join(report.needs_action) if report and report.needs_action else _NO_REPORT
        outcome, cause = Outcome.FAILED, report.cause if report else None
        return Item(name=day, own=True, state=State.FAILED, outcome=outcome, reason=reason, cause=cause)
    cause = own.cause or (report.cause if report and own.state is not State.PASSED else None)
    return own.model_copy(update={"cause": cause, "picture": None, "picture_caption": None})
