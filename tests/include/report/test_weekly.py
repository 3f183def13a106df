"""The weekly report: what was planned, what was done, and no VM looks backed up unless it is."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.report import headline, overall, subject
from include.report.vm_result import VmResult
from include.results.failure import Failure
from include.results.states import Outcome, State
from include.vault.vault import Vault
from include.vms.plan import VmAction
from tests.include.report.weekly_runs import (
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
from tests.include.vms.sample_vms import lay


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_a_published_vm_is_imaged(vault: Vault) -> None:
    """With what it took, how it was verified, and what the downtime was."""
    report = of_maq1(vault, done())
    found, there = item(report), (NOW - timedelta(minutes=1)).astimezone(ZoneInfo("America/Sao_Paulo"))
    assert (found.own, found.state, found.outcome) == (True, State.PASSED, Outcome.IMAGED)
    assert found.reason == "Stopped for 4.2 s, imaged while running, over NBD. It runs."
    assert (found.size_bytes, found.sent_bytes, found.seconds) == (9, 18, 5.2)
    assert found.verification == f"SHA-256 of 3 chunks equal, {there:%Y-%m-%d %H:%M} UTC-3"
    assert found.downtime
    assert found.downtime.model_dump(exclude_defaults=True) == {
        "method": "cold",
        "was": "running",
        "downtime_s": 4.2,
        "budget_s": 60,
    }
    assert (found.warnings, report.needs_action, overall(report)) == ((), (), State.PASSED)
    assert subject(report) == "[INPE backup] VM OK · 1 imaged · 9 B · longest downtime 4.2 s"


@pytest.mark.parametrize(
    ("action", "outcome", "state", "own"),
    [
        (VmAction.REFUSE, Outcome.NOT_POSSIBLE, State.FAILED, True),
        (VmAction.EXCLUDE, Outcome.EXCLUDED, State.NOT_CHECKED, False),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_vm_that_isnt_to_be_imaged_has_the_plans_reason(  # noqa: PLR0913 - two tables
    vault: Vault, action: VmAction, outcome: Outcome, state: State, *, own: bool, dry_run: bool
) -> None:
    """A refused VM fails the run; an excluded VM doesn't."""
    report = reported(vault, planned(), planned("odd", action), results={"maq1": done()}, dry_run=dry_run)
    found = item(report, "odd")
    assert (found.outcome, found.state, found.own) == (outcome, state, own)
    assert found.reason == f"Planned: {action}."
    assert (overall(report) is State.FAILED) is own


@pytest.mark.parametrize("dry_run", [True, False])
def test_without_enough_space_nothing_is_attempted(vault: Vault, *, dry_run: bool) -> None:
    """The reason comes first, once; also in a dry run."""
    no_space = failed("check_free_space", "NoSpaceError", "The vault needs more space.")
    report = reported(vault, planned(), failures=[no_space], dry_run=dry_run)
    assert (item(report).outcome, item(report).state) == (Outcome.NOT_ATTEMPTED, State.FAILED)
    assert item(report).reason == "Not started: an earlier task of the run failed or left no result."
    assert report.needs_action == ("The vault needs more space.",)
    assert overall(report) is State.FAILED


def test_a_run_that_was_refused_isnt_one_of_which_a_task_failed(vault: Vault) -> None:
    """As if one of the VMs that were asked for doesn't exist; the message is listed once."""
    refused = failed("check_free_space", "RequestError", "'nope' matches no VM.")
    report = reported(vault, planned(), failures=[refused], dry_run=True, requested=("maq1", "nope"))
    assert item(report).outcome is Outcome.NOT_ATTEMPTED
    assert item(report).reason == "Not started: what this run was asked for was refused."
    assert report.needs_action == ("'nope' matches no VM.",)


def test_what_is_wrong_with_a_host_needs_action_once(vault: Vault) -> None:
    """However many VMs it has."""
    vms = [planned(name, host_warning="Its timer doesn't run.") for name in ("maq1", "maq2")]
    results = {name: done(record=made(vm=name)) for name in ("maq1", "maq2")}
    report = reported(vault, *vms, results=results)
    assert (report.needs_action, overall(report)) == (("Its timer doesn't run.",), State.PASSED)


def test_a_failure_after_imaging_needs_action(vault: Vault) -> None:
    """Although the images are good."""
    busy = failed("apply_retention", "RescheduleError", "Something is being copied.")
    report = of_maq1(vault, done(), failures=[busy], removed=None)
    assert overall(report) is State.PASSED
    assert subject(report).startswith("[INPE backup] VM OK, action needed · 1 imaged")
    assert report.needs_action == ("Something is being copied.",)


@pytest.mark.parametrize(
    ("run", "age_s", "result", "outcome"),
    [
        (RUN, -1, VmResult(), Outcome.IMAGED),
        (RUN, -1, spoiled(failed("end_backup", "RescheduleError"), ended=None), Outcome.IMAGED),
        (RUN, 1, VmResult(), Outcome.NOT_IMAGED),
        ("another run", -1, VmResult(), Outcome.NOT_IMAGED),
        (RUN, -1, spoiled(failed("publish_image", "VaultError")), Outcome.NOT_IMAGED),
        (RUN, -1, spoiled(NOT_BACK), Outcome.NOT_BACK),
    ],
    ids=[
        "published",
        "but not ended",
        "before it was cleared",
        "by another run",
        "failed since",
        "not back",
    ],
)
def test_an_image_counts_if_its_task_was_killed_after_publishing(
    vault: Vault, run: str, age_s: int, result: VmResult, outcome: Outcome
) -> None:
    """Only what this run published counts, and since it was last cleared."""
    when = STARTED - timedelta(seconds=age_s)
    lay(vault, instant=when, run=run, verifications=[{"when": when, "how": "SHA-256 equal", "seconds": 1}])
    assert item(of_maq1(vault, result)).outcome is outcome


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        (failed("list_vms", "SourceUnreachableError", "No route to kvm2."), "No route to kvm2."),
        (
            None,
            (
                "Its VMs were not listed: the task left no result; it was killed or never started. Check the "
                'log of "List VMs", then clear it.'
            ),
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_host_whose_vms_couldnt_be_listed_fails_the_run(
    vault: Vault, why: Failure | None, expected: str, *, dry_run: bool
) -> None:
    """It is unknown which of its VMs weren't backed up."""
    report = reported(
        vault, planned(), results={"maq1": done()}, unlisted_hosts={"kvm2": why}, dry_run=dry_run
    )
    host = item(report, "kvm2")
    assert (host.own, host.state, host.outcome, host.reason) == (
        True,
        State.FAILED,
        Outcome.NOT_LISTED,
        expected,
    )
    assert overall(report) is State.FAILED
    cause = "host not listed: host unreachable" if why else "1 host not listed"
    assert f"FAILED · {cause}" in subject(report)
    assert "The VMs of kvm2 could not be listed." in headline(report)


@pytest.mark.parametrize("vault_there", [True, False])
def test_a_run_that_found_no_vm_never_passes(vault: Vault, *, vault_there: bool) -> None:
    """With or without a vault."""
    none = failed("check_free_space", "ConfigError", "The site file names no KVM host: vms.hosts is empty.")
    report = reported(vault if vault_there else None, failures=[none])
    assert report.items == ()
    assert overall(report) is State.NOT_CHECKED
    assert subject(report) == "[INPE backup] VM NOT CHECKED, action needed"
    assert report.needs_action == (none.message,)
    assert bool(report.mondays) is (report.space is not None) is vault_there
    assert report.verification_command is None


@pytest.mark.parametrize(
    ("was", "method", "downtime_s", "stops"),
    [("running", "cold", 4.2, True), ("running", "live", None, False), ("off", "offline", None, False)],
)
def test_a_dry_run_reports_what_it_would_do(
    vault: Vault, was: str, method: str, downtime_s: float | None, *, stops: bool
) -> None:
    """The plan, and the last downtime by the same method; it never passes."""
    lay(vault, run="last week's")
    report = reported(vault, planned(was=was, method=method), dry_run=True)
    found = item(report)
    assert (found.state, found.outcome) == (State.NOT_CHECKED, Outcome.WOULD_IMAGE)
    assert (found.size_bytes, found.reason) == (8 * GB, "Planned: image.")
    assert found.downtime
    assert (found.downtime.expected, found.downtime.was, found.downtime.stops) == (True, was, stops)
    assert found.downtime.downtime_s == downtime_s
    assert subject(report) == "[INPE backup] VM DRY RUN · 1 would be imaged · 8.0 GB"
    assert report.needs_action == ()


def test_a_dry_run_before_the_first_image_expects_no_downtime(vault: Vault) -> None:
    """It doesn't guess."""
    down = item(reported(vault, planned(), dry_run=True)).downtime
    assert down
    assert (down.expected, down.downtime_s, down.budget_s) == (True, None, 60)


def test_vms_of_the_same_name_are_distinguished_by_their_hosts(vault: Vault) -> None:
    """One of them is excluded; otherwise neither would be imaged."""
    other = planned("maq1", VmAction.EXCLUDE, host="kvm2")
    report = reported(vault, planned(), other, results={"maq1": done()})
    outcomes = {found.name: found.outcome for found in report.items}
    assert outcomes == {"maq1 of kvm_host": Outcome.IMAGED, "maq1 of kvm2": Outcome.EXCLUDED}


def test_a_vms_result_isnt_taken_for_another_vm_of_the_same_name(vault: Vault) -> None:
    """A refused VM has no tasks."""
    other = planned("maq1", VmAction.REFUSE, host="kvm2")
    report = reported(vault, planned(), other, results={"maq1": done(ended=None)})
    assert report.space
    assert report.space.added_bytes == made().bytes
    assert len(report.needs_action) == 1


def test_a_vms_result_survives_json() -> None:
    """As in XCom."""
    result = done(failures=(NOT_BACK,))
    assert VmResult.model_validate_json(result.model_dump_json()) == result
