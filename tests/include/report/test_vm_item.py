"""A VM's item in the report: that it is down comes first; why it has no image is its task's message."""

from pathlib import Path

import pytest

from include.report import headline, overall, subject
from include.report.weekly import VmResult
from include.results.states import Outcome, State
from include.vault.vault import Vault
from include.vms.left_out import LeftOut
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

ANOTHER = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0007"
NO_RESULT = (
    "Its tasks left no result; they were killed or never started. Check their logs, then clear "
    '"Stop, snapshot, start".'
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"method": "cold"}, "Stopped for 4.2 s, imaged while running. It runs."),
        ({"method": "live"}, "Imaged while running. It runs."),
        ({"method": "copy"}, "Stopped for 4.2 s while its disks were copied. It runs."),
        ({"method": "offline", "was": "off"}, "Imaged while off. It runs."),
        (
            {"method": "cold", "cloned": True},
            "Stopped for 4.2 s while its disks were cloned, imaged from the clones. It runs.",
        ),
        (
            {"method": "offline", "was": "off", "cloned": True},
            "Imaged from clones of its disks, made while off. It runs.",
        ),
    ],
)
def test_the_reason_says_how_a_vm_was_imaged(vault: Vault, fields: dict[str, object], reason: str) -> None:
    """And what its health check found."""
    assert item(of_maq1(vault, done(record=made(**fields)))).reason == reason


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "the guest had shut down."),
        ({"stopped": "destroyed"}, "crash-consistent, because the VM was powered off by force."),
        (
            {"stopped": "not stopped", "method": "live"},
            "crash-consistent, because the VM kept running.",
        ),
        (
            {"stopped": "saved", "method": "offline", "was": "off"},
            "crash-consistent, because the VM was off with saved memory, which the image lacks.",
        ),
        (
            {"stopped": "not stopped", "method": "offline", "was": "off"},
            "the VM was off, and nothing wrote to its disks meanwhile.",
        ),
    ],
)
def test_the_evidence_says_how_consistent_an_image_is(
    vault: Vault, fields: dict[str, object], expected: str
) -> None:
    """It depends on how the VM went down."""
    assert (
        item(of_maq1(vault, done(record=made(**fields)))).evidence
        == f"{expected} No file system was found in the image."
    )


def test_a_file_system_is_reported_once(vault: Vault) -> None:
    """Unclean ones are warnings in the record; the others are evidence."""
    kinds = {"cleanly unmounted.": True, "not checked.": None, "not cleanly unmounted.": False}
    found = [
        {"place": "disk", "kind": "x", "clean": clean, "description": text} for text, clean in kinds.items()
    ]
    [disk, *_] = made().model_dump()["disks"]
    warnings = ["vda, not cleanly unmounted."]
    image = item(of_maq1(vault, done(record=made(disks=[{**disk, "filesystems": found}], warnings=warnings))))
    assert image.evidence == "the guest had shut down. vda, cleanly unmounted. vda, not checked."
    assert image.warnings == ("vda, not cleanly unmounted.",)


def test_what_an_image_lacks_is_named(vault: Vault) -> None:
    """By the record of an image; by the plan in a dry run."""
    tpm = LeftOut(kind="tpm", where="/dev/tpm0", reason="It is the host's own.")
    cdrom = LeftOut(kind="cdrom", name="hda", where="/a.iso")
    named = ("TPM state (/dev/tpm0). It is the host's own.", "CD-ROM hda (/a.iso).")
    assert item(of_maq1(vault, done(record=made(left_out=(tpm, cdrom))))).left_out == named
    found = item(reported(vault, planned(left_out=(tpm, cdrom)), dry_run=True))
    assert (found.outcome, found.left_out) == (Outcome.WOULD_IMAGE, named)


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
    assert report.needs_action[0].startswith("maq1 did not come back. Check it now: on kvm_host, `virsh ")
    assert f"`virsh start {UUID}` starts it" in report.needs_action[0]


def test_a_vm_that_isnt_thawed_is_to_be_thawed(vault: Vault) -> None:
    """It runs: starting it helps nothing."""
    report = of_maq1(vault, spoiled(failed("begin_backup", "VmNotThawedError")))
    assert item(report).outcome is Outcome.NOT_BACK
    [needed] = report.needs_action
    assert f"`virsh domfsthaw {UUID}` thaws it" in needed


def test_a_vm_that_ran_and_is_off_after_a_lost_connection_is_not_back(vault: Vault) -> None:
    """Its host reports it when the backup ends."""
    report = of_maq1(
        vault, spoiled(failed("begin_backup", "SourceUnreachableError"), ended=ended("shut off"))
    )
    assert item(report).outcome is Outcome.NOT_BACK
    assert item(report).reason == "It was running before the backup; its host reports it shut off now."


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
    expected = 'The backup of maq1 may still be open on kvm_host: "End backup job" did not confirm its end. '
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
