"""The weekly report: what the run was to do, what it did, and nothing unproven that looks proven."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.failure import Failure
from include.machines.plan import Action
from include.report import Outcome, State, headline, overall, subject
from include.vault import Vault
from include.weekly_report import MachineDoing
from tests.include.machines.machines import lay
from tests.include.weekly_runs import (
    GB,
    NOT_BACK,
    NOW,
    RUN,
    STARTED,
    done,
    failed,
    item,
    made,
    of_maq1,
    planned,
    reported,
    spoiled,
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_a_published_machine_is_imaged(vault: Vault) -> None:
    """With what it took, how it was proven, and what the downtime was."""
    report = of_maq1(vault, done())
    found = item(report)
    assert (found.own, found.state, found.outcome) == (True, State.PASSED, Outcome.IMAGED)
    assert found.reason == "It was stopped, and imaged while it ran again. It runs."
    assert (found.size_bytes, found.sent_bytes, found.seconds) == (9, 18, 5.2)
    assert found.proof == f"SHA-256 of 3 chunks equal, {NOW - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC"
    assert found.standstill
    assert found.standstill.model_dump(exclude_defaults=True) == {
        "method": "cold",
        "was": "running",
        "downtime_s": 4.2,
        "budget_s": 60,
    }
    assert (found.warnings, report.needs_person, overall(report)) == ((), (), State.PASSED)
    assert subject(report) == "[INPE backup] VM OK · 1 imaged · 9 B · longest downtime 4.2 s"


@pytest.mark.parametrize(
    ("action", "outcome", "state", "own"),
    [
        (Action.REFUSE, Outcome.NOT_POSSIBLE, State.FAILED, True),
        (Action.EXCLUDE, Outcome.EXCLUDED, State.NOT_CHECKED, False),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_machine_that_isnt_to_be_imaged_says_why(  # noqa: PLR0913 - two tables
    vault: Vault, action: Action, outcome: Outcome, state: State, *, own: bool, dry_run: bool
) -> None:
    """One that a person must mend makes the run red; one that the site excludes doesn't."""
    report = reported(vault, planned(), planned("odd", action), doings={"maq1": done()}, dry_run=dry_run)
    found = item(report, "odd")
    assert (found.outcome, found.state, found.own) == (outcome, state, own)
    assert found.reason == f"Planned: {action}."
    assert (overall(report) is State.FAILED) is own


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_without_room_has_begun_nothing(vault: Vault, *, dry_run: bool) -> None:
    """The reason stands first, once; a dry run that finds something in the way says so, too."""
    no_room = failed("ensure_space", "NoSpaceError", "The vault needs more room.")
    report = reported(vault, planned(), failures=[no_room], dry_run=dry_run)
    assert (item(report).outcome, item(report).state) == (Outcome.NOT_ATTEMPTED, State.FAILED)
    assert item(report).reason == "It wasn't begun: an earlier task of the run failed, or gave no word."
    assert report.needs_person == ("The vault needs more room.",)
    assert overall(report) is State.FAILED


def test_a_failure_after_all_were_imaged_is_told(vault: Vault) -> None:
    """The images are good, and yet somebody has to look."""
    busy = failed("remove_old", "NotYetError", "Something is being copied.")
    report = of_maq1(vault, done(), failures=[busy], removed=None)
    assert overall(report) is State.PASSED
    assert subject(report).startswith("[INPE backup] VM OK, needs a person · 1 imaged")
    assert report.needs_person == ("Something is being copied.",)


@pytest.mark.parametrize(
    ("run", "age_s", "doing", "outcome"),
    [
        (RUN, -1, MachineDoing(), Outcome.IMAGED),
        (RUN, -1, spoiled(failed("release", "NotYetError"), released=None), Outcome.IMAGED),
        (RUN, 1, MachineDoing(), Outcome.NOT_IMAGED),
        ("another run", -1, MachineDoing(), Outcome.NOT_IMAGED),
        (RUN, -1, spoiled(failed("publish_image", "VaultError")), Outcome.NOT_IMAGED),
        (RUN, -1, spoiled(NOT_BACK), Outcome.NOT_BACK),
    ],
    ids=[
        "published",
        "but not released",
        "before it was cleared",
        "by another run",
        "failed since",
        "not back",
    ],
)
def test_a_killed_task_that_had_published_is_believed_by_the_vault(
    vault: Vault, run: str, age_s: int, doing: MachineDoing, outcome: Outcome
) -> None:
    """The folder has its final name, so it was proven; but only what this round of the run did counts."""
    when = STARTED - timedelta(seconds=age_s)
    lay(vault, instant=when, run=run, proofs=[{"when": when, "how": "SHA-256 equal", "seconds": 1}])
    assert item(of_maq1(vault, doing)).outcome is outcome


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (failed("list_machines", "SourceUnreachableError", "No route to kvm2."), "No route to kvm2."),
        (
            None,
            "It wasn't asked for its machines: the task ended without a word. See its log; then clear it.",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_host_that_couldnt_be_asked_makes_the_run_red(
    vault: Vault, why: Failure | None, said: str, *, dry_run: bool
) -> None:
    """Nobody knows which of its machines weren't backed up."""
    report = reported(vault, planned(), doings={"maq1": done()}, lost_hosts={"kvm2": why}, dry_run=dry_run)
    host = item(report, "kvm2")
    assert (host.own, host.state, host.outcome, host.reason) == (True, State.FAILED, Outcome.NOT_ASKED, said)
    assert overall(report) is State.FAILED
    assert "FAILED · 1 host not asked" in subject(report)
    assert "kvm2 could not be asked for machines." in headline(report)


@pytest.mark.parametrize("vault_there", [True, False])
def test_a_run_that_found_no_machine_is_never_green(vault: Vault, *, vault_there: bool) -> None:
    """Perhaps there wasn't even a vault."""
    none = failed("ensure_space", "ConfigError", "The site file names no KVM host: machines.hosts is empty.")
    report = reported(vault if vault_there else None, failures=[none])
    assert report.items == ()
    assert overall(report) is State.NOT_CHECKED
    assert subject(report) == "[INPE backup] VM NOT CHECKED, needs a person"
    assert report.needs_person == (none.message,)
    assert bool(report.mondays) is (report.space is not None) is vault_there
    assert report.proof_command is None


@pytest.mark.parametrize(
    ("was", "method", "downtime_s", "still"),
    [("running", "cold", 4.2, True), ("running", "live", None, False), ("off", "offline", None, False)],
)
def test_a_dry_run_says_what_it_would_do(
    vault: Vault, was: str, method: str, downtime_s: float | None, *, still: bool
) -> None:
    """By the plan, and by the last downtime of the same kind; it is never green for it."""
    lay(vault, run="last week's")
    report = reported(vault, planned(was=was, method=method), dry_run=True)
    found = item(report)
    assert (found.state, found.outcome) == (State.NOT_CHECKED, Outcome.WOULD_IMAGE)
    assert (found.size_bytes, found.reason) == (8 * GB, "Planned: image.")
    assert found.standstill
    assert (found.standstill.expected, found.standstill.was, found.standstill.stops) == (True, was, still)
    assert found.standstill.downtime_s == downtime_s
    assert subject(report) == "[INPE backup] VM DRY RUN · 1 would be imaged · 8.0 GB"
    assert report.needs_person == ()


def test_a_dry_run_before_the_first_image_doesnt_know_the_downtime(vault: Vault) -> None:
    """Rather than guess it."""
    stop = item(reported(vault, planned(), dry_run=True)).standstill
    assert stop
    assert (stop.expected, stop.downtime_s, stop.budget_s) == (True, None, 60)


def test_machines_of_one_name_are_told_apart_by_their_hosts(vault: Vault) -> None:
    """One of them is excluded, or else neither would be imaged."""
    other = planned("maq1", Action.EXCLUDE, host="kvm2")
    report = reported(vault, planned(), other, doings={"maq1": done()})
    outcomes = {found.name: found.outcome for found in report.items}
    assert outcomes == {"maq1 of kvm_host": Outcome.IMAGED, "maq1 of kvm2": Outcome.EXCLUDED}


def test_what_became_of_one_machine_isnt_told_of_another_of_its_name(vault: Vault) -> None:
    """The one that can't be imaged has no tasks."""
    other = planned("maq1", Action.REFUSE, host="kvm2")
    report = reported(vault, planned(), other, doings={"maq1": done(released=None)})
    assert report.space
    assert report.space.added_bytes == made().bytes
    assert len(report.needs_person) == 1


def test_what_a_machines_tasks_left_travels_as_json() -> None:
    """From the machine's tasks to the report's."""
    doing = done(failures=(NOT_BACK,))
    assert MachineDoing.model_validate_json(doing.model_dump_json()) == doing
