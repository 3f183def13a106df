"""The daily report: which days are items, and what needs action."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.days.plan import DayAction, DayWindow
from include.days.source import SourceState
from include.report import headline, is_good, overall
from include.report.day_item import DayResult
from include.results.failure import Failure
from include.results.states import Outcome, State
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, lay
from tests.include.report.daily_runs import NOW, own_item, plan, reported

FRESH = {"when": NOW, "how": "It was read.", "seconds": 1}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_without_enough_space_nothing_is_copied(vault: Vault) -> None:
    """The reason comes first, once, and each day refers to it."""
    no_space = Failure(task="check_free_space", error="NoSpaceError", message="The vault needs more space.")
    report = reported(vault, plan(DayAction.COPY), failures=[no_space])
    assert own_item(report).reason == "Not started: an earlier task of the run failed."
    assert report.needs_action[0] == "The vault needs more space."
    assert overall(report) is State.FAILED


@pytest.mark.parametrize("vault_there", [True, False])
def test_a_run_that_couldnt_reach_the_source_reports_its_day_as_failed(
    vault: Vault, *, vault_there: bool
) -> None:
    """Without a window, plans, and even without a vault."""
    unreachable = Failure(task="survey_source", error="SourceUnreachableError", message="No route to host.")
    report = reported(vault if vault_there else None, window=None, failures=[unreachable])
    item = own_item(report)
    assert (item.state, item.reason) == (State.FAILED, "The run failed before it checked this day.")
    assert report.needs_action == ("No route to host.",)
    assert overall(report) is State.FAILED
    assert bool(report.coverage) is bool(report.space) is vault_there
    assert report.verification_command is None


def test_a_day_in_the_vault_that_the_run_couldnt_check_isnt_called_failed(vault: Vault) -> None:
    """The coverage of the same mail has it as safe; the run failed all the same."""
    lay(vault, verifications=[FRESH])
    unreachable = Failure(task="survey_source", error="SourceUnreachableError", message="No route to host.")
    report = reported(vault, failures=[unreachable])
    item = own_item(report)
    assert (item.state, item.outcome) == (State.NOT_CHECKED, Outcome.NOT_CHECKED)
    assert headline(report) == "Day 2026-268 could not be checked at the source; the vault has it."
    failed = report.model_copy(update={"cause": "cluster unreachable"})
    assert (overall(failed), is_good(report)) == (State.FAILED, False)


def test_a_new_version_that_couldnt_be_copied_leaves_the_one_that_the_vault_has(vault: Vault) -> None:
    """So the day isn't unsafe, though the run failed."""
    lay(vault, verifications=[FRESH])
    broken = DayResult(failure=Failure(task="copy_day", error="TransientError", message="It broke."))
    report = reported(vault, plan(DayAction.REVISE), results={DAY: broken})
    assert headline(report) == (
        "Day 2026-268 was not backed up again; the vault keeps the version that it has."
    )
    assert overall(report) is State.FAILED


@pytest.mark.parametrize(
    ("source_state", "outcome"),
    [
        (SourceState.MISSING, Outcome.MISSING),
        (SourceState.INCOMPLETE, Outcome.INCOMPLETE),
        (SourceState.UNUSABLE, Outcome.UNREADABLE),
    ],
)
def test_a_day_that_the_run_is_responsible_for_and_gave_up_is_an_item(
    vault: Vault, source_state: SourceState, outcome: Outcome
) -> None:
    """The run doesn't wait for it, and yet it isn't safe."""
    report = reported(vault, plan(DayAction.GIVE_UP, source_state, DAY - 1), plan(DayAction.NOTHING))
    item = report.items[0]
    assert (item.name, item.own, item.outcome, item.state) == ("2026-267", False, outcome, State.FAILED)
    assert overall(report) is State.FAILED


@pytest.mark.parametrize(
    ("source_state", "sentences"),
    [(SourceState.MISSING, 0), (SourceState.INCOMPLETE, 1), (SourceState.UNUSABLE, 1)],
)
def test_an_older_gap_that_cant_be_closed_is_not_an_item(
    vault: Vault, source_state: SourceState, sentences: int
) -> None:
    """A day that the source lost years ago doesn't fail each run; a day that can be repaired needs action."""
    gap = DAY - 9
    lay(vault, verifications=[FRESH])
    report = reported(vault, plan(DayAction.GIVE_UP, source_state, gap), plan(DayAction.NOTHING))
    assert [item.name for item in report.items] == ["2026-268"]
    sentence = f"{gap} isn't in the vault and can't be copied. Planned: give up."
    assert report.needs_action == (sentence,) * sentences
    assert overall(report) is State.PASSED


def test_only_a_scheduled_run_reports_what_no_scrub_has_verified(vault: Vault) -> None:
    """A backfill of a year would report it 365 times."""
    lay(vault, DAY - 1, verifications=[FRESH | {"when": NOW - timedelta(days=31)}])
    lay(vault, DAY - 2, verifications=[FRESH])
    scheduled = DayWindow(own=DAY, responsible_for=(DAY - 2, DAY - 1, DAY))
    [sentence] = reported(vault, plan(DayAction.COPY), window=scheduled).needs_action
    assert sentence.startswith("1 day not verified within 30 days")
    by_hand = DayWindow(own=DAY, responsible_for=(DAY,))
    assert reported(vault, plan(DayAction.COPY), window=by_hand).needs_action == ()
