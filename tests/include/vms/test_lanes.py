"""VMs are backed up in lanes: one of each host at a time, and the one with the oldest image first."""

from collections.abc import Mapping
from types import MappingProxyType

from include.vms.lanes import in_lanes
from include.vms.models import VmDisk
from include.vms.plan import VmPlan
from tests.include.report.weekly_runs import planned


def plan(name: str, host: str, gigabytes: int = 1) -> VmPlan:
    """Return the plan of a VM with one disk of this size."""
    size = gigabytes * 10**9
    disk = VmDisk(name="vda", kind="file", format="raw", path="/a", chain=("/a",), bytes=size, allocated=size)
    return planned(name, host=host, disks=(disk,))


def lanes(
    *plans: VmPlan, max_parallel: int = 4, newest: Mapping[str, str] = MappingProxyType({})
) -> list[list[str]]:
    """Return the names in each lane."""
    images = {plan.name: [newest[plan.name]] if plan.name in newest else [] for plan in plans}
    found = in_lanes(plans, max_parallel, images)
    return [[plan.name for plan in lane] for lane in found]


def test_the_vms_of_a_host_share_a_lane() -> None:
    """Hosts work side by side, each with one VM at a time."""
    found = lanes(plan("a1", "a", 3), plan("b1", "b", 2), plan("a2", "a"), plan("b2", "b"))
    assert found == [["a1", "a2"], ["b1", "b2"]]


def test_more_hosts_than_lanes_share_the_work() -> None:
    """A lane gets another host's VMs when it has the least work so far."""
    hosts = [plan(f"{host}1", host, size) for host, size in (("a", 9), ("b", 4), ("c", 3), ("d", 1))]
    assert lanes(*hosts, max_parallel=2) == [["a1"], ["b1", "c1", "d1"]]


def test_vms_without_data_are_shared_by_their_number() -> None:
    """Empty disks cost time, too."""
    assert lanes(plan("a1", "a", 0), plan("b1", "b", 0), max_parallel=2) == [["a1"], ["b1"]]


def test_the_vm_with_the_oldest_image_comes_first() -> None:
    """One without an image before all others; the rest stay in the order of their names."""
    newest = {"a1": "2026-11-22T05-00-03Z", "a2": "2026-11-15T05-00-03Z"}
    assert lanes(*(plan(f"a{vm}", "a") for vm in (1, 2, 3, 4)), newest=newest) == [["a3", "a4", "a2", "a1"]]


def test_no_vm_needs_no_lane() -> None:
    """As in a dry run."""
    assert lanes() == []
