"""Alerts of VMs: one of each problem, for all VMs that have it. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from include.status.alert import Alert, AlertAction, Urgency
from include.status.vm_status import VmState, VmStatus
from include.vault.clock import is_ahead

_LISTED = 6


def of_vms(vms: Sequence[VmStatus], now: datetime) -> Iterator[Alert]:
    """Return an alert of each problem, for all VMs that have it.

    Args:
        vms: the VMs, judged.
        now: the instant.
    """
    problems: Mapping[tuple[Urgency, str], list[VmStatus]] = defaultdict(list)
    for vm in vms:
        for kind in _problems(vm, now):
            problems[kind].append(vm)
    for (urgency, problem), having in problems.items():
        names = [vm.part.name for vm in having]
        fact, sentence = " ".join([problem, *map(_evidence, having)]), f"{_list(names)}: {problem}"
        if len(names) == 1:
            yield Alert(urgency, sentence, fact, AlertAction.SHOW_VM, names[0])
        elif all(vm.state is not VmState.SAFE for vm in having):  # a backup may help
            yield Alert(urgency, sentence, fact, AlertAction.BACK_UP_VMS, "vm_weekly", vms=tuple(names))
        else:
            yield Alert(urgency, sentence, fact, AlertAction.SHOW_DAG, "vm_weekly")


def _evidence(vm: VmStatus) -> str:
    """Return by what a VM's problem is another one: its newest image, and its last boot test."""
    image, test = vm.newest and vm.newest.instant, vm.part.boot_test and vm.part.boot_test.when
    return f"{vm.part.name} {image} {test}"


def _problems(vm: VmStatus, now: datetime) -> Iterator[tuple[Urgency, str]]:
    if any(is_ahead(image.instant, now) for image in vm.part.generations):
        yield Urgency.TO_DO, "an image is dated in the future: a clock was wrong. It isn't counted as recent."
    if vm.state is VmState.DAMAGED:
        yield Urgency.URGENT, "the newest image is damaged. The next weekly run makes a new one."
    if any(image.damage for image in vm.part.generations[:-1]):
        yield Urgency.TO_DO, "an older image is damaged. Restores skip it; it is removed as newer ones come."
    if vm.state is VmState.EMPTY:
        yield Urgency.URGENT, "no image in the vault."
    if vm.state is VmState.LATE:
        yield Urgency.TO_DO, "not imaged by the last weekly run."
    if vm.boot_test_failed:
        yield Urgency.URGENT, "the last boot test failed."
    if vm.over_budget:
        yield Urgency.TO_DO, "the last downtime exceeded its budget."


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
