"""Weekly runs to report on: machines that were planned, and what their tasks left."""

from datetime import UTC, datetime, timedelta
from typing import Any

from include import site_file
from include.failure import Failure
from include.machines.facts import Disk, Frozen, Released
from include.machines.machine_record import MachineRecord
from include.machines.plan import Action, Planned
from include.record import Proof
from include.report import Item, Report
from include.vault import Vault
from include.weekly_report import MachineDoing, WeeklyRun
from tests.include.machines.machines import UUID, record

NOW = datetime.now(UTC)
STARTED = NOW - timedelta(minutes=9)
RUN = "this run"
GB = 10**9


def planned(name: str = "maq1", action: Action = Action.IMAGE, **facts: object) -> Planned:
    """Give what was decided about a machine that runs."""
    disk = Disk(
        name="vda",
        kind="file",
        format="qcow2",
        path="/vms/a.qcow2",
        chain=("/vms/a.qcow2",),
        bytes=20 * GB,
        allocated=8 * GB,
    )
    what = {"host": "kvm_host", "name": name, "uuid": UUID, "method": "cold", "was": "running"}
    return Planned.model_validate(
        {**what, "action": action, "reason": f"Planned: {action}.", "disks": (disk,), **facts}
    )


def frozen(name: str = "maq1", **facts: object) -> Frozen:
    """Give a freeze that went well, 4.2 s long."""
    return made(machine=name).frozen.model_copy(update=facts)


def made(**facts: object) -> MachineRecord:
    """Give the record of a generation that this run published, proven a minute ago."""
    proof = Proof(when=NOW - timedelta(minutes=1), how="SHA-256 of 3 chunks equal", seconds=2)
    instant = (NOW - timedelta(minutes=5)).replace(microsecond=0)
    return record(**{"run": RUN, "instant": instant, "proofs": (proof,), **facts})  # type: ignore[arg-type]


def released(state: str = "running", *repaired: str) -> Released:
    """Give what a release found."""
    return Released(machine="maq1", state=state, repaired=repaired, scratch_bytes=0)


def failed(task: str, error: str, message: str = "") -> Failure:
    """Give what a failed task of a machine left."""
    return Failure(task=f"secure_machine.{task}", error=error, message=message or f"{error} happened.")


NOT_BACK = failed("freeze", "MachineNotBackError", "maq1 isn't proven to run. (host kvm_host)")


def done(**facts: Any) -> MachineDoing:  # noqa: ANN401 - fields of MachineDoing
    """Give what the tasks of a machine left that was imaged, and released as it should be."""
    return MachineDoing(**{"frozen": frozen(), "record": made(), "released": released(), **facts})


def spoiled(*failures: Failure, **facts: Any) -> MachineDoing:  # noqa: ANN401 - fields of MachineDoing
    """Give what the tasks of a machine left that wasn't imaged, and was released."""
    return MachineDoing(**{"released": released(), "failures": failures, **facts})


def reported(vault: Vault | None, *machines: Planned, **facts: Any) -> Report:  # noqa: ANN401 - fields of WeeklyRun
    """Write the report of a run that was to image some machines."""
    what = {"site": site_file.load(site_file.DEFAULT_PATH), "run_id": RUN, "started": STARTED}
    came = {"lost_hosts": {}, "doings": {}, "removed": [], "failures": [], "dry_run": False}
    return WeeklyRun(**{**what, **came, "planned": list(machines), **facts}).report(vault)


def of_maq1(vault: Vault, doing: MachineDoing, **facts: object) -> Report:
    """Write the report of a run that was to image maq1."""
    return reported(vault, planned(), **{"doings": {"maq1": doing}, **facts})


def item(report: Report, name: str = "maq1") -> Item:
    """Give the item of a machine."""
    (found,) = [one for one in report.items if one.name == name]
    return found
