"""A day's item in the report: it looks safe only if it is."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.days.plan import DayAction
from include.days.record import DayRecord, RevisionCause
from include.days.source import SourceState
from include.report import overall, subject
from include.report.day_item import DayResult
from include.results.failure import Failure
from include.results.states import Outcome, State
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, lay, record
from tests.include.report.daily_runs import NOW, RUN, own_item, plan, reported


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def failed(error: str) -> DayResult:
    """Return what a failed task of a day left."""
    return DayResult(failure=Failure(task="back_up_day.copy_day", error=error, message=f"{error} happened."))


@pytest.mark.parametrize(
    ("made", "cause", "outcome", "reason"),
    [
        (RUN, RevisionCause.FIRST, Outcome.COPIED, "Planned: copy."),
        (RUN, RevisionCause.CHANGED, Outcome.NEW_REVISION, "Planned: copy."),
        (RUN, RevisionCause.DAMAGED, Outcome.FETCHED_AGAIN, "Planned: copy."),
        (RUN, RevisionCause.LOST, Outcome.FETCHED_AGAIN, "Planned: copy."),
        ("another run", RevisionCause.FIRST, Outcome.ALREADY_SAFE, "Already in the vault."),
    ],
)
def test_a_published_day_is_safe(
    vault: Vault, made: str, cause: RevisionCause, outcome: Outcome, reason: str
) -> None:
    """Its item has its size, its verification and its warnings."""
    revision = 1 if cause is RevisionCause.FIRST else 2
    done = record(run=made, revision=revision, cause=cause, warnings=["Odd."])
    report = reported(vault, plan(DayAction.COPY), results={DAY: DayResult(record=done)})
    item = own_item(report)
    assert (item.state, item.outcome, item.reason, item.revision) == (State.PASSED, outcome, reason, revision)
    assert item.revision_cause == cause
    assert (item.files, item.size_bytes) == (48, 412_000_000)
    assert item.verification == f"{done.verifications[0].how}, 2026-09-27 06:30 UTC-3"
    if outcome is not Outcome.ALREADY_SAFE:
        assert (item.seconds, item.warnings) == (32, ("Odd.",))
    assert overall(report) is State.PASSED


def test_a_day_that_became_complete_has_that_as_its_reason(vault: Vault) -> None:
    """The plan's reason, to wait, no longer holds."""
    item = own_item(
        reported(
            vault,
            plan(DayAction.WAIT, SourceState.INCOMPLETE),
            results={DAY: DayResult(record=record(run=RUN))},
        )
    )
    assert (item.outcome, item.reason) == (Outcome.COPIED, "The day became complete while the run waited.")


def test_a_day_that_needed_nothing_is_already_safe(vault: Vault) -> None:
    """Its item shows the record in the vault."""
    lay(vault)
    item = own_item(reported(vault, plan(DayAction.NOTHING)))
    assert (item.state, item.outcome, item.reason) == (
        State.PASSED,
        Outcome.ALREADY_SAFE,
        "Planned: nothing.",
    )
    assert item.verification


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("DayMissingError", Outcome.MISSING),
        ("DayIncompleteError", Outcome.INCOMPLETE),
        ("DayUnusableError", Outcome.UNREADABLE),
        ("NotSettledError", Outcome.NOT_SETTLED),
        ("DayNotVerifiedError", Outcome.FAILED),
        ("NoSpaceError", Outcome.FAILED),
        ("SourceRefusedError", Outcome.FAILED),
        ("ZeroDivisionError", Outcome.FAILED),
    ],
)
def test_a_failed_day_has_the_failure_as_its_reason(vault: Vault, error: str, outcome: Outcome) -> None:
    """With the task's message, and an outcome by the error's class."""
    report = reported(vault, plan(DayAction.COPY), results={DAY: failed(error)})
    item = own_item(report)
    assert (item.state, item.outcome, item.reason) == (State.FAILED, outcome, f"{error} happened.")
    assert overall(report) is State.FAILED


@pytest.mark.parametrize("action", [DayAction.COPY, DayAction.REVISE, DayAction.WAIT])
def test_tasks_without_a_result_are_no_success(vault: Vault, action: DayAction) -> None:
    """An older revision in the vault doesn't make up for it."""
    if action is DayAction.REVISE:
        lay(vault)
    report = reported(vault, plan(action), results={DAY: DayResult()})
    item = own_item(report)
    assert (item.state, item.outcome) == (State.FAILED, Outcome.FAILED)
    assert item.reason.startswith("Its tasks left no result; they were killed or never started.")
    assert overall(report) is State.FAILED


@pytest.mark.parametrize(
    ("made", "age_s", "result", "outcome"),
    [
        (RUN, -1, DayResult(), Outcome.COPIED),
        (RUN, 1, DayResult(), Outcome.FAILED),
        ("another run", -1, DayResult(), Outcome.FAILED),
        (RUN, -1, failed("NotSettledError"), Outcome.NOT_SETTLED),
    ],
    ids=["published", "before it was cleared", "by another run", "failed since"],
)
def test_a_day_counts_if_its_task_was_killed_after_publishing(
    vault: Vault, made: str, age_s: int, result: DayResult, outcome: Outcome
) -> None:
    """Only what this run published counts, and since it was last cleared."""
    when = NOW - timedelta(seconds=age_s)
    lay(vault, run=made, verifications=[{"when": when, "how": "SHA-256 of 48 files equal", "seconds": 1}])
    report = reported(vault, plan(DayAction.COPY), results={DAY: result})
    assert own_item(report).outcome is outcome


@pytest.mark.parametrize(
    ("action", "source_state", "state", "outcome"),
    [
        (DayAction.COPY, SourceState.COMPLETE, State.NOT_CHECKED, Outcome.WOULD_COPY),
        (DayAction.REVISE, SourceState.COMPLETE, State.NOT_CHECKED, Outcome.WOULD_COPY),
        (DayAction.WAIT, SourceState.INCOMPLETE, State.FAILED, Outcome.INCOMPLETE),
        (DayAction.WAIT, SourceState.MISSING, State.FAILED, Outcome.MISSING),
        (DayAction.GIVE_UP, SourceState.UNUSABLE, State.FAILED, Outcome.UNREADABLE),
    ],
)
def test_a_dry_run_reports_what_it_would_do(
    vault: Vault, action: DayAction, source_state: SourceState, state: State, outcome: Outcome
) -> None:
    """And never passes."""
    report = reported(vault, plan(action, source_state), dry_run=True)
    item = own_item(report)
    assert (item.state, item.outcome, item.size_bytes) == (state, outcome, 412)
    assert item.reason.endswith("waits for it.") == (action is DayAction.WAIT)
    assert "DRY RUN" in subject(report)


def test_a_days_result_survives_json() -> None:
    """As in XCom."""
    result = DayResult(record=record(run=RUN))
    assert DayResult.model_validate_json(result.model_dump_json()) == result
    assert isinstance(result.record, DayRecord)
