"""Which VMs of a host are backed up, how, and why others aren't: a pure function that returns reasons."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from include.agent.backup.scratch import needed_bytes
from include.agent.restart_changes import refusal
from include.config.vms import HostSection, VmsSection
from include.errors import BackupError, ConfigError, NoSpaceError, RequestError
from include.models import Model
from include.names import matches, named, shown
from include.text import size
from include.vms.archive import folder_name
from include.vms.left_out import LeftOut
from include.vms.models import HostSurvey, Method, Vm, VmDisk

_LISTED = 100  # names in a message
FILES = 16  # inodes: more than a generation uses
_MARGIN = 10  # a tenth more: whole chunks are written, and the VM still writes until its backup begins
_SAVED = (
    "It is off with saved memory (virsh managedsave), without which its disks are only crash-consistent. "
    "Start it, drop that memory (virsh managedsave-remove), or set managed_save: disks_only in the site file."
)
_NOT_LIVE = (
    "It can't be backed up while it runs: its disks can't be cloned, and its host's libvirt lacks "
    "backup-begin. Set its method to cold in the site file."
)
_OR_EXCLUDE = "shut it down, or exclude it in the site file (vms.hosts, exclude)."
_NEITHER = {
    "paused": f"It is paused, neither running nor off. Resume it (virsh resume), {_OR_EXCLUDE}",
    "other": f"It is neither running, nor paused, nor off (see virsh domstate). Have it run, {_OR_EXCLUDE}",
}
_SUSPENDED = "It runs: it is suspended while its disks are cloned, and transferred while it runs on."


_REASONS: dict[Method, str] = {
    "cold": "It runs: it is stopped for seconds and transferred while it runs again.",
    "live": "It runs, and keeps running during its backup.",
    "copy": "It runs: it is down while its disks are copied, as its host's libvirt has no live backup.",
    "offline": "It is off, and stays off.",
}


class VmAction(StrEnum):
    """What is done with a VM."""

    IMAGE = "image"
    REFUSE = "refuse"  # somebody must fix it
    EXCLUDE = "exclude"  # by the site file, or as a copy that a restore made
    SKIP = "skip"  # this run was asked for other VMs


class VmPlan(Model):
    """The decision about one VM.

    Args:
        host: the Airflow connection of its host.
        name: the VM's name.
        uuid: by which the host identifies the VM.
        action: what is done.
        reason: why, as sentences.
        method: how its backup will be begun.
        was: ``running`` or ``off``.
        disks: those that are backed up.
        left_out: what else it has, which isn't.
        scratch_bytes: the space that its host needs during the backup.
        host_warning: what somebody must do about its host, in sentences; usually empty.
    """

    host: str
    name: str
    uuid: str
    action: VmAction
    reason: str
    method: Method
    was: str
    disks: tuple[VmDisk, ...]
    left_out: tuple[LeftOut, ...] = ()
    scratch_bytes: int = 0
    host_warning: str = ""

    @property
    def image_bytes(self) -> int:
        """The space in the vault that its image uses at most.

        That is what the host has allocated plus a tenth, at most the disks' size. Less is used where the
        vault's file system shares blocks with an older generation; this isn't relied on. Compressed qcow2 can
        take more: then the transfer fails with a full vault, while the VM is running again.
        """
        return sum(min(disk.bytes, disk.allocated + disk.allocated // _MARGIN) for disk in self.disks)


def decide(
    section: VmsSection, host: HostSection, survey: HostSurvey, requested: Sequence[str] = ()
) -> list[VmPlan]:
    """Decide about each VM of a host that the site file's patterns match, in the order of their names.

    Args:
        section: the site file's section.
        host: the host in it.
        survey: what the host has.
        requested: names or patterns of the VMs that the run was asked for; empty: all.

    Raises:
        ConfigError: a pattern of the site file matches no VM.
    """
    _require_matches(host, survey.vms)
    selected = [vm for vm in survey.vms if _matches(vm.name, host.vms)]
    plans = [_planned(section, host, survey, vm) for vm in sorted(selected, key=lambda vm: vm.name)]
    return [plan if not requested or _matches(plan.name, requested) else _skipped(plan) for plan in plans]


def _skipped(plan: VmPlan) -> VmPlan:
    return plan.model_copy(update={"action": VmAction.SKIP, "reason": "This run was asked for other VMs."})


def require_requested(
    plans: Sequence[VmPlan], requested: Sequence[str], unlisted: Sequence[str] = ()
) -> None:
    """Require that each name or pattern that a run was asked for matches a VM that may be backed up.

    Args:
        plans: those of all hosts.
        requested: names or patterns; empty: all VMs.
        unlisted: the connections of hosts whose VMs couldn't be listed.

    Raises:
        RequestError: one matches none; the message lists the VMs that there are.
    """
    allowed = {plan.name for plan in plans if plan.action is not VmAction.EXCLUDE}
    excluded = {plan.name for plan in plans} - allowed
    wrong = [pattern for pattern in requested if not any(matches(name, pattern) for name in allowed)]
    if not wrong:
        return
    if out := sorted(name for name in excluded if _matches(name, wrong)):
        raise RequestError(f"The site file excludes {named(out)} (vms.hosts, exclude). No VM was stopped.")
    found = f"There are {named(sorted(allowed), _LISTED)}." if allowed else "There is none."
    hosts = f" The VMs of {', '.join(unlisted)} could not be listed." if unlisted else ""
    raise RequestError(f"{named(wrong)} matches no VM. {found}{hosts} No VM was stopped.")


def require_scratch(survey: HostSurvey, planned: Iterable[VmPlan]) -> None:
    """Require space on the host for what guests overwrite during their backups, one VM at a time.

    Raises:
        NoSpaceError: there is too little.
    """
    need = max((plan.scratch_bytes for plan in planned if plan.action is VmAction.IMAGE), default=0)
    if need > survey.scratch.free_bytes:
        raise NoSpaceError(
            f"Not enough space on {survey.host} for what guests write during their backup: "
            f"{survey.scratch.path} has {size(survey.scratch.free_bytes)} free, and needs {size(need)}. "
            "No VM was stopped. Free some space there, or set another scratch folder in the site file."
        )


def of_all_hosts(
    listed: Iterable[Iterable[object] | None], refused: Mapping[str, str] = MappingProxyType({})
) -> list[VmPlan]:
    """Return the plans of all hosts: the vault keeps VMs by name, so a name on several hosts is refused.

    Args:
        listed: each host's plans, as :func:`decide` made them or as JSON; None: its VMs couldn't be listed.
        refused: why other VMs are refused, by name.
    """
    plans = [VmPlan.model_validate(plan) for plans in listed for plan in plans or ()]
    hosts: dict[str, list[str]] = {}
    for plan in plans:
        if plan.action is VmAction.IMAGE:
            hosts.setdefault(plan.name, []).append(plan.host)
    reasons = {**refused, **{name: _duplicate(name, on) for name, on in hosts.items() if len(on) > 1}}
    return [_with_refusal(plan, reasons.get(plan.name)) for plan in plans]


def _duplicate(name: str, hosts: Sequence[str]) -> str:
    return (
        f"{shown(name)} is on {' and '.join(hosts)}, and the vault keeps VMs by name. Exclude it on all "
        "hosts but one (vms.hosts in the site file), or undefine the one that a migration left behind."
    )


def _with_refusal(plan: VmPlan, reason: str | None) -> VmPlan:
    if reason is None or plan.action is not VmAction.IMAGE:
        return plan
    return plan.model_copy(update={"action": VmAction.REFUSE, "reason": reason})


def _require_matches(host: HostSection, vms: Sequence[Vm]) -> None:
    names = [vm.name for vm in vms]
    patterns = [*host.vms, *host.exclude]  # a typo in an exclusion would stop a VM that mustn't stop
    unmatched = [pattern for pattern in patterns if not any(matches(name, pattern) for name in names)]
    if unmatched:
        found = f"It has {named(sorted(names))}." if names else "It has no VM at all."
        raise ConfigError(
            f"vms.hosts in the site file: {named(unmatched)} matches no VM of {host.ssh_conn_id}. {found}"
        )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(matches(name, pattern) for pattern in patterns)


def _planned(section: VmsSection, host: HostSection, survey: HostSurvey, vm: Vm) -> VmPlan:
    method = _method(section, survey, vm)
    action, reason = _action(host, vm)
    if action is VmAction.IMAGE and (refused := _refused(section, survey, vm, method)):
        action, reason = VmAction.REFUSE, refused
    return VmPlan(
        host=host.ssh_conn_id,
        name=vm.name,
        uuid=vm.uuid,
        action=action,
        reason=reason or _reason(vm, method),
        method=method,
        was=vm.state,
        disks=vm.disks,
        left_out=vm.left_out,
        scratch_bytes=_scratch(vm, method),
        host_warning=survey.reference_timer.warning(host.ssh_conn_id) if survey.reference_timer else "",
    )


def _reason(vm: Vm, method: Method) -> str:
    suspended = method == "live" and not vm.unclonable
    how = _SUSPENDED if suspended else _REASONS[method]
    return how + " Its saved memory isn't backed up." * vm.saved


def _refused(section: VmsSection, survey: HostSurvey, vm: Vm, method: Method) -> str:
    """Return why a VM can't be backed up by a method, as its agent would (``agent/backup/preflight.py``)."""
    if method == "live" and vm.unclonable and not survey.backup:
        return _NOT_LIVE
    if vm.saved and section.settings(vm.name).managed_save == "refuse":
        return _SAVED
    allowed = section.settings(vm.name).restart_changes == "allow"
    if method in ("cold", "copy") and vm.restart_changes and not allowed:
        return refusal(vm.restart_changes)
    return ""


def _action(host: HostSection, vm: Vm) -> tuple[VmAction, str]:
    if _matches(vm.name, host.exclude):
        return VmAction.EXCLUDE, "The site file excludes it."
    if vm.copy_of and vm.name not in host.vms:
        return VmAction.EXCLUDE, (
            f"It is a copy that a restore made of the image {vm.copy_of}. To back it up, name it in the site "
            "file (vms.hosts), without a wildcard, or rename it (virsh domrename)."
        )
    if vm.problems:
        return VmAction.REFUSE, " ".join(vm.problems)
    if vm.state not in ("running", "off"):
        return VmAction.REFUSE, _NEITHER[vm.state]
    try:
        folder_name(vm.name)
    except BackupError as unfit:
        return VmAction.REFUSE, str(unfit)
    return VmAction.IMAGE, ""


def _method(section: VmsSection, survey: HostSurvey, vm: Vm) -> Method:
    if vm.state == "off":
        return "offline"
    method = section.settings(vm.name).method
    return "copy" if method == "cold" and vm.unclonable and not survey.backup else method


def _scratch(vm: Vm, method: Method) -> int:
    """Compute the same as the agent does before it stops a VM (``include/agent/backup/preflight.py``)."""
    if method == "offline" or (method in ("cold", "live") and not vm.unclonable):
        return 0
    if method == "copy":
        return sum(disk.allocated for disk in vm.disks)
    return needed_bytes(sum(disk.bytes for disk in vm.disks))
