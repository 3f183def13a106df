"""A VM by what its tasks left: left alone, as too late or because another isn't back; or it went down."""

from pathlib import Path

import pytest

from include.agent.backup import job
from include.agent.errors import WithheldError
from include.agent.state_folder import StateFolder as HostState
from include.agent.virsh import Virsh
from include.report import subject
from include.results.states import Outcome, State
from include.vault.vault import Vault
from include.vms.host import refusal
from tests.include.agent.agent_on_host import REQUEST
from tests.include.report.weekly_runs import (
    RUN,
    begun,
    ended,
    failed,
    item,
    of_maq1,
    spoiled,
)
from tests.include.vms.sample_vms import UUID

ANOTHER = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0007"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_a_vm_that_was_too_late_to_be_stopped_is_reported_as_such(vault: Vault) -> None:
    """The subject counts it. Should it be off by now, that wasn't this run: its host wasn't asked."""
    for end in (None, ended(), ended("shut off")):
        report = of_maq1(vault, spoiled(failed("begin_backup", "TooLateError"), ended=end))
        assert (item(report).outcome, report.needs_action) == (Outcome.TOO_LATE, ())
        assert subject(report) == "[INPE backup] VM FAILED · 1 too late"


@pytest.mark.parametrize("error", ["VmWithheldError", "VmNotPossibleError", "NoSpaceError"])
@pytest.mark.parametrize("state", ["shut off", "gone"])
def test_a_vm_that_was_never_touched_isnt_said_to_be_down(vault: Vault, error: str, state: str) -> None:
    """It waited for hours, and somebody shut it down, or moved it to another host."""
    report = of_maq1(vault, spoiled(failed("begin_backup", error), ended=ended(state)))
    assert item(report).outcome is not Outcome.NOT_BACK
    assert report.needs_action == ()
    assert "VM DOWN" not in subject(report)


def test_a_vm_that_ran_and_is_off_after_a_lost_connection_is_not_back(vault: Vault) -> None:
    """Its host reports it when the backup ends."""
    report = of_maq1(
        vault, spoiled(failed("begin_backup", "SourceUnreachableError"), ended=ended("shut off"))
    )
    assert item(report).outcome is Outcome.NOT_BACK
    assert item(report).reason == "It was running before the backup; its host reports it shut off now."


def test_a_vm_that_went_down_after_its_backup_had_begun_is_reported(vault: Vault) -> None:
    """Whatever its transfer failed with."""
    failure = failed("transfer_image", "NoSpaceError")
    report = of_maq1(vault, spoiled(failure, begun=begun(), ended=ended("shut off")))
    assert report.needs_action == (
        "maq1 came back, but is shut off now: somebody stopped it, or it failed. Check it.",
    )


def test_a_vm_withheld_because_another_isnt_back_is_not_attempted(vault: Vault, tmp_path: Path) -> None:
    """The agent's error has a class and an exit status of its own."""
    state = HostState(str(tmp_path / "host"))
    folder = state.of(ANOTHER)
    folder.make()
    folder.journal.write("begin", run=RUN, vm="maq1")
    folder.record_not_back()
    with pytest.raises(WithheldError) as refused:
        job.begin_or_join(state, Virsh("qemu+unix:///system?socket=/nowhere"), UUID, {**REQUEST, "run": RUN})
    error = refusal({"message": str(refused.value), "status": refused.value.status})
    withheld = spoiled(failed("begin_backup", type(error).__name__, str(error)), ended=None)
    report = of_maq1(vault, withheld)
    found = item(report)
    assert (found.state, found.outcome, found.downtime) == (State.FAILED, Outcome.NOT_ATTEMPTED, None)
    assert report.needs_action == ()
    assert found.reason.startswith("maq1 didn't come back in this run: no further VM")
