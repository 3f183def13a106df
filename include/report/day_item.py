"""One day of a daily run: its item in the report."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from include.days.plan import DayAction, DayPlan
from include.days.published import PublishedDay
from include.days.record import DayRecord, RevisionCause
from include.days.source import SourceState
from include.errors import DayIncompleteError, DayMissingError, DayUnusableError, NotSettledError
from include.models import Model
from include.ordinal_day import OrdinalDay
from include.report.causes import cause
from include.results.failure import Failure
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from include.results.task_labels import task_label
from include.text import zoned

_UNCOPIED = {
    SourceState.COMPLETE: Outcome.FAILED,
    SourceState.MISSING: Outcome.MISSING,
    SourceState.INCOMPLETE: Outcome.INCOMPLETE,
    SourceState.UNUSABLE: Outcome.UNREADABLE,
}

_FAILED = {
    DayMissingError.__name__: Outcome.MISSING,
    DayIncompleteError.__name__: Outcome.INCOMPLETE,
    DayUnusableError.__name__: Outcome.UNREADABLE,
    NotSettledError.__name__: Outcome.NOT_SETTLED,
}
_NO_RESULT = (
    "Its tasks left no result; they were killed or never started. Check their logs, then clear "
    f"{task_label('copy_day')}."
)


class DayResult(Model):
    """What the tasks of one day left.

    Args:
        record: of the published day; None: it wasn't published.
        failure: why it wasn't published, if known.
    """

    record: DayRecord | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class DayCase:
    """All that is known of one day of a run.

    Args:
        plan: what was decided.
        own: whether it's the run's own day.
        result: what its tasks left.
        published: the day in the vault; None: it isn't there, or the vault isn't.
        run_id: the run's id.
        started: when the run began.
        dry_run: whether the run only planned.
        run_failed: whether a task failed that works for the whole run.
        zone: the zone of times in sentences.
    """

    plan: DayPlan
    own: bool
    result: DayResult
    published: PublishedDay | None
    run_id: str
    started: datetime
    dry_run: bool
    run_failed: bool
    zone: tzinfo

    @property
    def item(self) -> Item:
        """The day's item."""
        record = self.result.record or (None if self.result.failure else self._published_by_run)
        if self.plan.action is DayAction.NOTHING:
            return self._safe(self.published.readable_record if self.published else None)
        if record and record.run != self.run_id:  # another run published it first
            return self._safe(record)
        return self._copied(record) if record else self._not_copied()

    @property
    def _published_by_run(self) -> DayRecord | None:
        """The record of what this run published: a task may have been killed after publishing."""
        published = self.published
        record = published.readable_record if published and not published.damage else None
        ours = record and record.run == self.run_id and record.verifications[-1].when >= self.started
        return record if ours else None

    def _safe(self, record: DayRecord | None) -> Item:
        plan = self.plan
        return Item(
            name=str(plan.day),
            own=self.own,
            state=State.PASSED,
            outcome=Outcome.ALREADY_SAFE,
            reason=plan.reason if plan.action is DayAction.NOTHING else "Already in the vault.",
            files=record.files if record else None,
            size_bytes=record.bytes if record else None,
            verification=self._verification(record) if record else None,
            revision=record.revision if record else 1,
            revision_cause=record.cause if record else None,
        )

    def _copied(self, record: DayRecord) -> Item:
        waited = self.plan.action is DayAction.WAIT
        return Item(
            name=str(self.plan.day),
            own=self.own,
            state=State.PASSED,
            outcome=_outcome(record.cause),
            reason="The day became complete while the run waited." if waited else self.plan.reason,
            files=record.files,
            size_bytes=record.bytes,
            seconds=record.copy_seconds + record.verifications[-1].seconds,
            verification=self._verification(record),
            revision=record.revision,
            revision_cause=record.cause,
            warnings=tuple(record.warnings),
        )

    def _verification(self, record: DayRecord) -> str:
        last = record.verifications[-1]
        return f"{last.how}, {zoned(last.when.astimezone(self.zone))}"

    def _not_copied(self) -> Item:
        plan, failure = self.plan, self.result.failure
        state, outcome, reason = State.FAILED, _UNCOPIED[plan.at_source.state], plan.reason
        phrase = None
        if failure:
            outcome, reason = _FAILED.get(failure.error, Outcome.FAILED), failure.message
            phrase = cause(failure, Kind.DAYS) if outcome is Outcome.FAILED else None
        elif self.dry_run and plan.at_source.state is SourceState.COMPLETE:
            state, outcome = State.NOT_CHECKED, Outcome.WOULD_COPY
        elif self.dry_run and plan.action is DayAction.WAIT:
            reason += " A real run waits for it."
        elif plan.action.backs_up:
            outcome = Outcome.FAILED
            reason = "Not started: an earlier task of the run failed." if self.run_failed else _NO_RESULT
        return Item(
            name=str(plan.day),
            own=self.own,
            state=state,
            outcome=outcome,
            reason=reason,
            cause=phrase,
            size_bytes=plan.at_source.bytes or None,
        )


def never_checked(day: OrdinalDay, published: PublishedDay | None) -> Item:
    """Return the item of a run's own day that it didn't plan.

    Args:
        day: the day.
        published: the day in the vault; None: it isn't there, or the vault isn't.
    """
    state, outcome, reason = State.FAILED, Outcome.FAILED, "The run failed before it checked this day."
    if published and not published.damage:
        state, outcome = State.NOT_CHECKED, Outcome.NOT_CHECKED
        reason += " The vault has it; whether it has changed at the source isn't known."
    return Item(name=str(day), own=True, state=state, outcome=outcome, reason=reason)


def _outcome(cause: RevisionCause) -> Outcome:
    if cause.repairs:
        return Outcome.FETCHED_AGAIN
    return Outcome.COPIED if cause is RevisionCause.FIRST else Outcome.NEW_REVISION
