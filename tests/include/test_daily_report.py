"""The daily report: each outcome becomes an item, and nothing that isn't safe looks safe."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.daily_report import Doing
from include.failure import Failure
from include.plan import Action
from include.record import Record
from include.report import Item, Outcome, Report, State, overall, subject
from include.source import State as Seen
from include.vault import Vault
from tests.include.days import DAY, lay, record
from tests.include.runs import NOW, RUN, reported, verdict


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def own(report: Report) -> Item:
    """Give the item of the run's own day."""
    (item,) = [item for item in report.items if item.own]
    assert item.name == str(DAY)
    return item


def failed(error: str) -> Doing:
    """Give what a failed task of a day left."""
    return Doing(failure=Failure(task="secure_day.copy_day", error=error, message=f"{error} happened."))


@pytest.mark.parametrize(
    ("made", "revision", "outcome", "reason"),
    [
        (RUN, 1, Outcome.COPIED, "Planned: copy."),
        (RUN, 2, Outcome.NEW_REVISION, "Planned: copy."),
        ("another run", 1, Outcome.ALREADY_SAFE, "The vault has it already."),
    ],
)
def test_a_published_day_is_safe(
    vault: Vault, made: str, revision: int, outcome: Outcome, reason: str
) -> None:
    """With what it took, by whom it was made, and how it was proven."""
    done = record(run=made, revision=revision, warnings=["Odd."])
    report = reported(vault, verdict(Action.COPY), doings={DAY: Doing(record=done)})
    item = own(report)
    assert (item.state, item.outcome, item.reason, item.revision) == (State.PASSED, outcome, reason, revision)
    assert (item.files, item.size_bytes) == (48, 412_000_000)
    assert item.proof == f"{done.proofs[0].how}, 2026-09-27 09:30 UTC"
    if outcome is not Outcome.ALREADY_SAFE:
        assert (item.seconds, item.warnings) == (32, ("Odd.",))
    assert overall(report) is State.PASSED


def test_a_day_that_became_complete_says_so(vault: Vault) -> None:
    """The reason to wait is none any more."""
    item = own(
        reported(vault, verdict(Action.WAIT, Seen.INCOMPLETE), doings={DAY: Doing(record=record(run=RUN))})
    )
    assert (item.outcome, item.reason) == (Outcome.COPIED, "It became complete while the run waited.")


def test_a_day_that_needed_nothing_is_already_safe(vault: Vault) -> None:
    """By the record in the vault."""
    lay(vault)
    item = own(reported(vault, verdict(Action.NOTHING)))
    assert (item.state, item.outcome, item.reason) == (
        State.PASSED,
        Outcome.ALREADY_SAFE,
        "Planned: nothing.",
    )
    assert item.proof


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("DayMissingError", Outcome.MISSING),
        ("DayIncompleteError", Outcome.INCOMPLETE),
        ("DayUnusableError", Outcome.UNREADABLE),
        ("NotSettledError", Outcome.NOT_SETTLED),
        ("DayNotProvenError", Outcome.FAILED),
        ("NoSpaceError", Outcome.FAILED),
        ("SourceRefusedError", Outcome.FAILED),
        ("ZeroDivisionError", Outcome.FAILED),
    ],
)
def test_a_failed_day_says_why(vault: Vault, error: str, outcome: Outcome) -> None:
    """In the task's own words."""
    report = reported(vault, verdict(Action.COPY), doings={DAY: failed(error)})
    item = own(report)
    assert (item.state, item.outcome, item.reason) == (State.FAILED, outcome, f"{error} happened.")
    assert overall(report) is State.FAILED


@pytest.mark.parametrize("action", [Action.COPY, Action.REVISE, Action.WAIT])
def test_a_killed_task_is_no_success(vault: Vault, action: Action) -> None:
    """It left neither record nor failure; an older version in the vault doesn't make up for it."""
    if action is Action.REVISE:
        lay(vault)
    report = reported(vault, verdict(action), doings={DAY: Doing()})
    item = own(report)
    assert (item.state, item.outcome) == (State.FAILED, Outcome.FAILED)
    assert item.reason.startswith("Its task ended without a word: killed, or the machine went down.")
    assert overall(report) is State.FAILED


@pytest.mark.parametrize(
    ("made", "age_s", "doing", "outcome"),
    [
        (RUN, -1, Doing(), Outcome.COPIED),
        (RUN, 1, Doing(), Outcome.FAILED),
        ("another run", -1, Doing(), Outcome.FAILED),
        (RUN, -1, failed("NotSettledError"), Outcome.NOT_SETTLED),
    ],
    ids=["published", "before it was cleared", "by another run", "failed since"],
)
def test_a_killed_task_that_had_published_is_believed_by_the_vault(
    vault: Vault, made: str, age_s: int, doing: Doing, outcome: Outcome
) -> None:
    """The folder has its final name, so it was proven; but only what this round of the run did counts."""
    when = NOW - timedelta(seconds=age_s)
    lay(vault, run=made, proofs=[{"when": when, "how": "SHA-256 of 48 files equal", "seconds": 1}])
    report = reported(vault, verdict(Action.COPY), doings={DAY: doing})
    assert own(report).outcome is outcome


def test_a_run_without_room_has_begun_nothing(vault: Vault) -> None:
    """The reason stands first, once, and each day refers to it."""
    no_room = Failure(task="ensure_space", error="NoSpaceError", message="The vault needs more room.")
    report = reported(vault, verdict(Action.COPY), failures=[no_room])
    assert own(report).reason == "It wasn't begun: an earlier task of the run failed."
    assert report.needs_person[0] == "The vault needs more room."
    assert overall(report) is State.FAILED


@pytest.mark.parametrize("vault_there", [True, False])
def test_a_run_that_couldnt_look_isnt_silent(vault: Vault, *, vault_there: bool) -> None:
    """No window, no verdicts; and perhaps not even a vault."""
    unreachable = Failure(task="survey", error="SourceUnreachableError", message="No route to host.")
    report = reported(vault if vault_there else None, window=None, failures=[unreachable])
    item = own(report)
    assert (item.state, item.reason) == (State.FAILED, "The run failed before it looked at the day.")
    assert report.needs_person == ("No route to host.",)
    assert overall(report) is State.FAILED
    assert bool(report.coverage) is bool(report.space) is vault_there
    assert report.proof_command is None


@pytest.mark.parametrize(
    ("action", "seen", "state", "outcome"),
    [
        (Action.COPY, Seen.COMPLETE, State.NOT_CHECKED, Outcome.WOULD_COPY),
        (Action.REVISE, Seen.COMPLETE, State.NOT_CHECKED, Outcome.WOULD_COPY),
        (Action.WAIT, Seen.INCOMPLETE, State.FAILED, Outcome.INCOMPLETE),
        (Action.WAIT, Seen.MISSING, State.FAILED, Outcome.MISSING),
        (Action.GIVE_UP, Seen.UNUSABLE, State.FAILED, Outcome.UNREADABLE),
    ],
)
def test_a_dry_run_says_what_it_would_do(
    vault: Vault, action: Action, seen: Seen, state: State, outcome: Outcome
) -> None:
    """And is never green for it."""
    report = reported(vault, verdict(action, seen), dry_run=True)
    item = own(report)
    assert (item.state, item.outcome, item.size_bytes) == (state, outcome, 412)
    assert item.reason.endswith("waits for it.") == (action is Action.WAIT)
    assert "DRY RUN" in subject(report)


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Seen.MISSING, Outcome.MISSING),
        (Seen.INCOMPLETE, Outcome.INCOMPLETE),
        (Seen.UNUSABLE, Outcome.UNREADABLE),
    ],
)
def test_a_day_that_the_run_answers_for_and_gave_up_is_an_item(
    vault: Vault, seen: Seen, outcome: Outcome
) -> None:
    """Nobody waits for yesterday, and yet it isn't safe."""
    report = reported(vault, verdict(Action.GIVE_UP, seen, DAY - 1), verdict(Action.NOTHING))
    item = report.items[0]
    assert (item.name, item.own, item.outcome, item.state) == ("2026-267", False, outcome, State.FAILED)
    assert overall(report) is State.FAILED


@pytest.mark.parametrize(("seen", "told"), [(Seen.MISSING, 0), (Seen.INCOMPLETE, 1), (Seen.UNUSABLE, 1)])
def test_an_older_gap_that_cant_be_closed_is_no_item(vault: Vault, seen: Seen, told: int) -> None:
    """A day that the source lost years ago doesn't make each run red; one that a person can mend is told."""
    gap = DAY - 9
    lay(vault)
    report = reported(vault, verdict(Action.GIVE_UP, seen, gap), verdict(Action.NOTHING))
    assert [item.name for item in report.items] == ["2026-268"]
    sentence = f"{gap} isn't in the vault and can't be copied. Planned: give up."
    assert report.needs_person == (sentence,) * told
    assert overall(report) is State.PASSED


def test_a_days_record_travels_as_json() -> None:
    """From the day's task to the report's."""
    doing = Doing(record=record(run=RUN))
    assert Doing.model_validate_json(doing.model_dump_json()) == doing
    assert isinstance(doing.record, Record)
