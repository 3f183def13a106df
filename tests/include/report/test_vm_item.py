"""A VM's item in the report: that it is down comes first; why it has no image is its task's message."""

from pathlib import Path

import pytest

from include.report import headline, overall, subject
from include.report.vm_result import VmResult
from include.results.states import Outcome, State
from include.vault.vault import Vault
from tests.include.report.weekly_runs import (
    NOT_BACK,
    begun,
    done,
    ended,
    failed,
    item,
    made,
    of_maq1,
    planned,
    reported,
    spoiled,
)
from tests.include.vms.sample_vms import UUID, lay

NO_RESULT = (
    "Its tasks left no result; they were killed or never started. Check their logs, then clear "
    '"Stop, snapshot, start".'
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@pytest.mark.parametrize(
    ("result", "warnings"),
    [
        (done(record=made(warnings=("Odd.",))), ("Odd.",)),
        (done(record=made(downtime_s=75)), ("Down for 1 min 15 s, over its budget of 1 min 0 s.",)),
        (done(record=made(downtime_s=60)), ()),
        (
            done(ended=ended("running", "It was paused; it was resumed.")),
            ("Repaired when the backup ended: It was paused; it was resumed.",),
        ),
        (
            done(ended=None, failures=(failed("end_backup", "SourceUnreachableError", "No route to host."),)),
            ("Ending the backup failed: No route to host.",),
        ),
    ],
    ids=["the record's", "over budget", "within budget", "repaired", "not ended"],
)
def test_a_problem_of_an_imaged_vm_is_a_warning(
    vault: Vault, result: VmResult, warnings: tuple[str, ...]
) -> None:
    """It is imaged and verified all the same."""
    found = item(of_maq1(vault, result))
    assert (found.outcome, found.warnings) == (Outcome.IMAGED, warnings)


@pytest.mark.parametrize(
    "result",
    [
        spoiled(NOT_BACK),
        spoiled(NOT_BACK, ended=None),
        spoiled(NOT_BACK, failed("end_backup", "RescheduleError"), ended=None),
        spoiled(failed("transfer_image", "NoSpaceError"), NOT_BACK, begun=begun(), ended=None),
        done(ended=None, failures=(NOT_BACK.model_copy(update={"task": "back_up_vm.end_backup"}),)),
        done(failures=(NOT_BACK,)),
    ],
    ids=["begin", "not ended", "end failed", "end", "end after publishing", "with an image"],
)
def test_a_vm_that_isnt_back_comes_first(vault: Vault, result: VmResult) -> None:
    """Whatever else happened, and even if there is an image."""
    report = reported(vault, planned("maq0"), planned(), results={"maq0": done(), "maq1": result})
    found = item(report)
    assert (found.state, found.outcome) == (State.FAILED, Outcome.NOT_BACK)
    assert found.reason.startswith("maq1 isn't seen to run. (host kvm_host)")
    assert ("Its image was published and verified." in found.reason) is (result.record is not None)
    assert ("When the backup ended, it was running." in found.reason) is (result.ended is not None)
    assert not any("isn't seen to run" in warning for warning in found.warnings)
    assert subject(report) == "[INPE backup] VM DOWN · maq1 did not come back"
    assert headline(report).startswith("maq1 did not come back. Check this now")
    assert report.needs_action[0].startswith(
        "maq1 did not come back. Check it now: on the host of connection "
    )
    assert f"`virsh -c qemu:///system start {UUID}` starts it" in report.needs_action[0]


def test_a_vm_that_isnt_thawed_is_to_be_thawed(vault: Vault) -> None:
    """It runs: starting it helps nothing, and nobody is alarmed that it's down."""
    report = of_maq1(vault, spoiled(failed("begin_backup", "VmNotThawedError")))
    assert item(report).outcome is Outcome.FROZEN
    assert subject(report) == "[INPE backup] VM FROZEN · maq1 may still be frozen"
    assert headline(report).startswith("maq1 may still be frozen. Check this now, before anything else.")
    [needed] = report.needs_action
    assert f"`virsh -c qemu:///system domfsthaw {UUID}` thaws it" in needed


def test_a_frozen_vm_that_is_down_by_now_is_not_back(vault: Vault) -> None:
    """Whoever reads that it's frozen would look for a VM that runs."""
    report = of_maq1(vault, spoiled(failed("begin_backup", "VmNotThawedError"), ended=ended("shut off")))
    assert item(report).outcome is Outcome.NOT_BACK
    assert subject(report) == "[INPE backup] VM DOWN · maq1 did not come back"


def test_a_vm_that_is_down_comes_before_one_that_is_frozen(vault: Vault) -> None:
    """The subject has both."""
    frozen = spoiled(failed("begin_backup", "VmNotThawedError"))
    results = {"maq1": frozen, "maq2": spoiled(NOT_BACK)}
    report = reported(vault, planned(), planned("maq2"), results=results)
    assert subject(report) == ("[INPE backup] VM DOWN · maq2 did not come back; maq1 may still be frozen")


@pytest.mark.parametrize(
    ("was", "state", "reported_as_down"),
    [
        ("running", "shut off", 1),
        ("running", "paused", 1),
        ("running", "running", 0),
        ("running", "idle", 0),
        ("off", "shut off", 0),
        ("off", "running", 0),
    ],
)
def test_a_vm_that_came_back_and_went_down_later_needs_action(
    vault: Vault, was: str, state: str, reported_as_down: int
) -> None:
    """Its owner may have stopped it; the image is good."""
    method = "offline" if was == "off" else "cold"
    result = done(record=made(was=was, method=method), ended=ended(state))
    report = reported(vault, planned(was=was, method=method), results={"maq1": result})
    expected = f"maq1 came back, but is {state} now: somebody stopped it, or it failed. Check it."
    assert item(report).outcome is Outcome.IMAGED
    assert report.needs_action == (expected,) * reported_as_down


@pytest.mark.parametrize(
    ("task", "error", "outcome"),
    [
        ("begin_backup", "VmNotStoppedError", Outcome.NOT_STOPPED),
        ("begin_backup", "VmNotPossibleError", Outcome.NOT_POSSIBLE),
        ("begin_backup", "VmNotImagedError", Outcome.NOT_IMAGED),
        ("begin_backup", "NoSpaceError", Outcome.NOT_IMAGED),
        ("transfer_image", "ImageGoneError", Outcome.NOT_IMAGED),
        ("transfer_image", "SourceUnreachableError", Outcome.NOT_IMAGED),
        ("verify_image", "VmNotImagedError", Outcome.NOT_IMAGED),
        ("publish_image", "ZeroDivisionError", Outcome.NOT_IMAGED),
    ],
)
def test_a_vm_that_wasnt_imaged_has_the_failure_as_its_reason(
    vault: Vault, task: str, error: str, outcome: Outcome
) -> None:
    """With the task's message."""
    open_backup = None if task == "begin_backup" else begun()
    report = of_maq1(vault, spoiled(failed(task, error), begun=open_backup))
    found = item(report)
    assert (found.state, found.outcome, found.reason) == (State.FAILED, outcome, f"{error} happened.")
    assert (found.own, report.needs_action, overall(report)) == (True, (), State.FAILED)


def test_the_first_failure_is_the_cause(vault: Vault) -> None:
    """Later failures follow from it."""
    failures = (
        failed("transfer_image", "NoSpaceError", "The vault is full."),
        failed("publish_image", "KeyError"),
    )
    assert item(of_maq1(vault, spoiled(*failures))).reason == "The vault is full."


@pytest.mark.parametrize(
    ("result", "downtime_s"),
    [
        (spoiled(failed("transfer_image", "NoSpaceError"), begun=begun()), 4.2),
        (spoiled(failed("begin_backup", "VmNotImagedError")), None),
        (spoiled(NOT_BACK), None),
        (VmResult(), None),
    ],
    ids=["measured", "not begun", "not back", "no result"],
)
def test_a_vm_that_may_have_been_stopped_has_a_downtime(
    vault: Vault, result: VmResult, downtime_s: float | None
) -> None:
    """Measured or unknown."""
    down = item(of_maq1(vault, result)).downtime
    assert down
    assert (down.method, down.was, down.downtime_s, down.budget_s) == ("cold", "running", downtime_s, 60)


@pytest.mark.parametrize(
    "error", ["VmNotPossibleError", "VmWithheldError", "VmNotStoppedError", "NoSpaceError", "TooLateError"]
)
def test_a_vm_that_wasnt_stopped_has_no_downtime(vault: Vault, error: str) -> None:
    """The report would list it among the stopped VMs."""
    assert item(of_maq1(vault, spoiled(failed("begin_backup", error)))).downtime is None


@pytest.mark.parametrize(
    ("result", "may_be_open"),
    [
        (VmResult(), 1),
        (VmResult(begun=begun()), 1),
        (VmResult(begun=begun(), ended=ended()), 0),
        (spoiled(failed("begin_backup", "VmNotImagedError"), ended=None), 1),
        (spoiled(failed("begin_backup", "VmNotStoppedError"), failed("end_backup", "X"), ended=None), 1),
        (spoiled(failed("begin_backup", "VmNotPossibleError"), ended=None), 0),
        (spoiled(failed("begin_backup", "VmWithheldError"), ended=None), 0),
        (done(ended=None), 1),
        (done(), 0),
    ],
    ids=["none", "begun", "ended", "failed", "both failed", "not possible", "withheld", "imaged", "good"],
)
def test_a_backup_that_may_still_be_open_needs_action(
    vault: Vault, result: VmResult, may_be_open: int
) -> None:
    """The watchdog restarts the VM, but the snapshot takes up space."""
    report = of_maq1(vault, result)
    expected = (
        'The backup of maq1 may still be open on the host of connection kvm_host: "End backup job" did '
    )
    assert [sentence.startswith(expected) for sentence in report.needs_action] == [True] * may_be_open


@pytest.mark.parametrize(
    "result",
    [
        VmResult(ended=ended()),
        VmResult(begun=begun(), ended=ended()),
        VmResult(failures=(failed("end_backup", "SourceUnreachableError"),)),
    ],
    ids=["from begin_backup", "from transfer_image", "only end_backup failed"],
)
def test_tasks_without_a_result_are_no_success(vault: Vault, result: VmResult) -> None:
    """An older generation doesn't make up for it."""
    lay(vault)
    report = of_maq1(vault, result)
    assert (item(report).state, item(report).outcome) == (State.FAILED, Outcome.NOT_IMAGED)
    assert item(report).reason.startswith(NO_RESULT)
    assert overall(report) is State.FAILED
