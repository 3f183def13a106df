"""Weekly runs to report on: plans of VMs, and what their tasks left."""

from datetime import UTC, datetime, timedelta
from typing import Any

from include.config import site_file
from include.report import Report
from include.report.vm_result import VmResult
from include.report.weekly import WeeklyRun
from include.results.failure import Failure
from include.results.item import Item
from include.vault.vault import Vault
from include.vault.verification_log import Verification
from include.vms.models import BegunBackup, EndedBackup, VmDisk
from include.vms.plan import VmAction, VmPlan
from include.vms.record import VmRecord
from tests.include.vms.sample_vms import UUID, record

NOW = datetime.now(UTC)
STARTED = NOW - timedelta(minutes=9)
RUN = "this run"
GB = 10**9


def planned(name: str = "maq1", action: VmAction = VmAction.IMAGE, **fields: object) -> VmPlan:
    """Return the plan of a running VM."""
    disk = VmDisk(
        name="vda",
        kind="file",
        format="qcow2",
        path="/vms/a.qcow2",
        chain=("/vms/a.qcow2",),
        bytes=20 * GB,
        allocated=8 * GB,
    )
    what = {"host": "kvm_host", "name": name, "uuid": UUID, "method": "cold", "was": "running"}
    return VmPlan.model_validate(
        {**what, "action": action, "reason": f"Planned: {action}.", "disks": (disk,), **fields}
    )


def begun(name: str = "maq1", **fields: object) -> BegunBackup:
    """Return a begun backup, with a downtime of 4.2 s."""
    return made(vm=name).begun.model_copy(update=fields)


def made(**fields: object) -> VmRecord:
    """Return the record of a generation that this run published, verified a minute ago."""
    verification = Verification(when=NOW - timedelta(minutes=1), how="SHA-256 of 3 chunks equal", seconds=2)
    instant = (NOW - timedelta(minutes=5)).replace(microsecond=0)
    return record(**{"run": RUN, "instant": instant, "verifications": (verification,), **fields})  # type: ignore[arg-type]


def ended(state: str = "running", *repaired: str) -> EndedBackup:
    """Return an ended backup."""
    return EndedBackup(vm="maq1", state=state, repaired=repaired, scratch_bytes=0)


def failed(task: str, error: str, message: str = "") -> Failure:
    """Return the failure of a VM's task."""
    return Failure(task=f"back_up_vm.{task}", error=error, message=message or f"{error} happened.")


NOT_BACK = failed("begin_backup", "VmNotBackError", "maq1 isn't seen to run. (host kvm_host)")


def done(**fields: Any) -> VmResult:  # noqa: ANN401 - fields of VmResult
    """Return what the tasks of a VM left that was imaged."""
    return VmResult(**{"begun": begun(), "record": made(), "ended": ended(), **fields})


def spoiled(*failures: Failure, **fields: Any) -> VmResult:  # noqa: ANN401 - fields of VmResult
    """Return what the tasks of a VM left that wasn't imaged; its backup was ended."""
    return VmResult(**{"ended": ended(), "failures": failures, **fields})


def reported(vault: Vault | None, *vms: VmPlan, **fields: Any) -> Report:  # noqa: ANN401 - fields of WeeklyRun
    """Return the report of a run that was to image some VMs."""
    what = {"site": site_file.load(site_file.DEFAULT_PATH), "run_id": RUN, "started": STARTED}
    rest = {"unlisted_hosts": {}, "results": {}, "removed": [], "failures": [], "dry_run": False}
    return WeeklyRun(**{**what, **rest, "planned": list(vms), **fields}).report(vault)


def of_maq1(vault: Vault, result: VmResult, **fields: object) -> Report:
    """Return the report of a run that was to image maq1."""
    return reported(vault, planned(), **{"results": {"maq1": result}, **fields})


def item(report: Report, name: str = "maq1") -> Item:
    """Return the item of a VM."""
    (found,) = [item for item in report.items if item.name == name]
    return found
