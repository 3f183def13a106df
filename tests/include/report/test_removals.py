"""A weekly report says that nothing was removed, and because of what, where something was to be removed."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.config import site_file
from include.config.vms import KeepRules
from include.report import Report
from include.report.next_step import with_next_step
from include.report.vm_result import VmResult
from include.vault.vault import Vault
from include.vms.plan import VmAction, VmPlan
from include.vms.removal import RemovedGeneration
from tests.include.report.weekly_runs import NOW, RUN, done, failed, made, planned, reported, spoiled
from tests.include.vms.sample_vms import lay

WEEK = timedelta(weeks=1)
FAILED = spoiled(failed("begin_backup", "VmNotStoppedError"))
ODD = planned("odd", VmAction.REFUSE)
REST = (
    "1 image that retention no longer keeps stays until a run backs up all VMs. Fix the cause, or exclude a "
    "VM that can't be backed up in the site file (vms.hosts, exclude)."
)


def weekly(
    folder: Path, *vms: VmPlan, weeks: int = 1, more: dict[str, VmResult] | None = None, **fields: object
) -> Report:
    """Return the report of a run that backed up maq1, of which the vault has the images of some weeks."""
    vault, site = Vault.create(folder / "vault"), site_file.load(site_file.DEFAULT_PATH)
    for back in range(weeks):
        lay(vault, instant=NOW - (1 + back) * WEEK)
    new = lay(vault, instant=NOW - timedelta(minutes=5), run=RUN).record
    rules = site.vms.model_copy(update={"keep": KeepRules(last=1, weekly=0, monthly=0, yearly=0)})
    results = {
        "maq1": done(record=new),
        **{vm.name: FAILED for vm in vms if vm.action is VmAction.IMAGE},
        **(more or {}),
    }
    what = {"site": site.model_copy(update={"vms": rules}), "results": results, "removed": None}
    return with_next_step(reported(vault, planned(), *vms, **{**what, **fields}))


@pytest.mark.parametrize(
    ("vms", "hosts", "why"),
    [
        ((ODD,), {}, "odd"),
        ((planned("maq2"), ODD), {}, "maq2 and odd"),
        ((), {"kvm_2": None}, "kvm_2"),
        ((ODD, planned("left out", VmAction.EXCLUDE)), {}, "odd"),
    ],
)
def test_what_holds_retention_up_needs_action(
    tmp_path: Path, vms: tuple[VmPlan, ...], hosts: dict[str, None], why: str
) -> None:
    """One VM that is refused each week would end retention for all, without a word."""
    report = weekly(tmp_path, *vms, unlisted_hosts=hosts)
    assert f"No old image was removed, because {why} failed: {REST}" in report.needs_action


def test_it_takes_no_other_actions_place(tmp_path: Path) -> None:
    """What failed is still to be cleared."""
    held, *_, step = weekly(tmp_path, planned("maq2")).needs_action
    assert held.startswith("No old image")
    assert step.startswith("maq2 failed, for the reason below. Fix the cause, then clear")


def test_a_backup_that_couldnt_be_ended_holds_retention_up(tmp_path: Path) -> None:
    """Although its image is published: retention waits for all tasks."""
    failure = failed("end_backup", "HostError")
    maq2 = done(record=made(vm="maq2"), failures=(failure,))
    report = weekly(tmp_path, planned("maq2"), more={"maq2": maq2})
    assert f"No old image was removed, because maq2 failed: {REST}" in report.needs_action


@pytest.mark.parametrize(
    "fields",
    [
        {"weeks": 0},
        {"dry_run": True},
        {"failures": [failed("apply_retention", "RescheduleError")]},
        {"removed": [RemovedGeneration(vm="maq1", instant=NOW, reason="Not kept.")]},
    ],
    ids=["nothing due", "dry run", "retention failed", "removed"],
)
def test_where_nothing_is_held_up_nothing_is_said(tmp_path: Path, fields: dict[str, object]) -> None:
    """As in nearly all runs."""
    report = weekly(tmp_path, ODD, **fields)  # type: ignore[arg-type]
    assert not any(one.startswith("No old image") for one in report.needs_action)
