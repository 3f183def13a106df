"""Lanes: how many VMs are backed up at once, and in which order. A pure function."""

from collections.abc import Mapping, Sequence

from include.vms.plan import VmPlan


def in_lanes(
    plans: Sequence[VmPlan], max_parallel: int, newest: Mapping[str, list[str]]
) -> list[list[VmPlan]]:
    """Divide VMs into lanes that work side by side; a lane backs up one VM at a time, in this order.

    The VMs of a host share a lane, and lanes get about the same amount of work. In a lane the VM with the
    oldest image comes first, so that a run that reaches its deadline doesn't leave out the same VMs again.

    Args:
        plans: the VMs to back up.
        max_parallel: the largest number of lanes.
        newest: the name of each VM's newest generation, by the VM's name; empty if it has none.
    """
    hosts: dict[str, list[VmPlan]] = {}
    for plan in plans:
        hosts.setdefault(plan.host, []).append(plan)
    lanes: list[list[VmPlan]] = [[] for _ in range(min(max_parallel, len(hosts)))]
    for vms in sorted(hosts.values(), key=_work, reverse=True):
        min(lanes, key=_work).extend(vms)
    return [sorted(lane, key=lambda plan: newest[plan.name]) for lane in lanes]


def _work(plans: Sequence[VmPlan]) -> tuple[int, int]:
    return sum(plan.image_bytes for plan in plans), len(plans)
