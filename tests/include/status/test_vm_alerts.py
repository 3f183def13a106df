"""Alerts of VMs: one of each problem."""

from datetime import timedelta

import pytest

from include.results.states import State
from include.status.alert import AlertAction, Urgency
from include.status.parts import VmPart
from include.status.vm_status import VmState
from tests.include.status.vault_statuses import in_vault, vault_status, with_newest
from tests.sample_status import NOW, vm


@pytest.mark.parametrize(
    ("part", "state", "problem"),
    [
        (
            with_newest(vm("maq1", NOW), damage="A chunk differs."),
            VmState.DAMAGED,
            "the newest image is damaged",
        ),
        (vm("maq1", NOW - timedelta(days=8)), VmState.LATE, "not imaged by the last weekly run"),
        (
            vm("maq1", NOW, weeks=1).model_copy(update={"generations": ()}),
            VmState.EMPTY,
            "no image",
        ),
        (vm("maq1", NOW, slow=True), VmState.SAFE, "the last downtime exceeded its budget"),
    ],
)
def test_a_problem_of_a_vm_is_an_alert(part: VmPart, state: VmState, problem: str) -> None:
    """Of its newest image, or of its last downtime."""
    status = vault_status(in_vault(0), part)
    assert status.vms[0].state is state
    assert problem in status.alerts[0].sentence


def test_a_failed_boot_test_is_urgent() -> None:
    """Its image may be useless."""
    part = vm("maq1", NOW)
    assert part.boot_test
    boot_test = part.boot_test.model_copy(update={"result": State.FAILED})
    [alert] = vault_status(in_vault(0), part.model_copy(update={"boot_test": boot_test})).alerts
    assert (alert.urgency, alert.action, alert.subject) == (Urgency.URGENT, AlertAction.SHOW_VM, "maq1")


def test_vms_with_the_same_problem_are_one_alert() -> None:
    """Which names six of them."""
    status = vault_status(in_vault(0), *(vm(f"maq{number}", NOW, slow=True) for number in range(9)))
    [alert] = status.alerts
    assert "and 3 more: the last downtime exceeded" in alert.sentence
    assert (alert.action, alert.vms) == (AlertAction.SHOW_DAG, ())


def test_vms_that_lack_a_recent_image_can_be_backed_up_at_once() -> None:
    """The form opens with their names; one VM's own record has that button, too."""
    late = [vm(name, NOW - timedelta(days=8)) for name in ("maq1", "maq2")]
    both, [one] = vault_status(in_vault(0), *late).alerts, vault_status(in_vault(0), late[0]).alerts
    [alert] = both
    assert alert.sentence == "maq1, maq2: not imaged by the last weekly run."
    assert (alert.action, alert.vms) == (AlertAction.BACK_UP_VMS, ("maq1", "maq2"))
    assert (one.action, one.vms) == (AlertAction.SHOW_VM, ())
