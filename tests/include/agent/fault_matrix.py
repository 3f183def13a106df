"""Every fault at each step of a backup: the VM runs again by itself, and the next run succeeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import pytest
from _pytest.mark import ParameterSet

from tests.include.agent.agent_on_host import Agent, Answer, freeze_status, wait_until, writes
from tests.include.agent.backup.test_begin import definition
from tests.site.kvm_host import KvmHost

UNTOUCHED = ("begin", "watchdog", "autostart")
"""A reboot here leaves the watchdog without its process, until the next call."""
FAULTS = ("agent", "ssh", "libvirtd", "reboot")
WATCHDOG_S = 20


@dataclass(frozen=True)
class Way:
    """A way to back a VM up.

    Args:
        method: as it is requested.
        vm: one that is backed up this way.
        steps: those at which faults happen.
        cloned: whether its disks are cloned.
        faults: what happens.
    """

    method: str
    vm: str
    steps: Sequence[str]
    cloned: bool = False
    faults: Sequence[str] = FAULTS


def matrix(ways: Mapping[str, Way], critical: Sequence[str]) -> Iterator[ParameterSet]:
    """Return all combinations.

    ``make test`` runs each critical step with one fault, the faults taking turns; ``make test-all`` also runs
    each critical step of each way with all others, and each other step with one; ``make endurance`` the rest.
    """
    turns, others, left = cycle(FAULTS), cycle(FAULTS), set(critical)
    for name, way in ways.items():
        for step in way.steps:
            chosen = next(turns) if step in left else None
            left.discard(step)
            slow = way.faults if step in critical else (next(others),)
            for fault in way.faults:
                mark = pytest.mark.slow if fault in slow else pytest.mark.exhaustive
                yield pytest.param(name, step, fault, marks=() if fault == chosen else (mark,))


def comes_back(host: KvmHost, agent: Agent, way: Way, step: str, fault: str) -> None:
    """Require that a VM is soon as it was, nothing is left, and the next run is good."""
    vm = way.vm
    if way.method != "offline" and host.state(vm) == "shut off":  # a test before has rebooted the host
        host.boot(vm)
    wait_until(lambda: way.method == "offline" or "guest: ready" in host.console(vm), f"{vm}, ready")
    was, before = host.state(vm), definition(host, vm)
    host.plan_fault(step, fault)
    answer = _struck(host, agent, way, fault)
    assert host.fault_happened(), answer
    if fault == "everybody" or (fault == "reboot" and step in UNTOUCHED):
        assert agent.end_backup(vm).status == 0
    wait_until(lambda: _state(host, vm) == was, f"{vm}, {was} ({answer})", WATCHDOG_S)
    if fault == "agent" and step not in (*UNTOUCHED, "ready"):  # the watchdog cleans up by itself
        wait_until(lambda: not agent.left_behind(), "nothing left", WATCHDOG_S + 10)
    if fault == "ssh":  # the answer was lost; the next call gets it
        assert agent.begin_backup(vm, method=way.method, watchdog_s=WATCHDOG_S).status == 0
    wait_until(lambda: was != "running" or "guest: ready" in host.console(vm), f"{vm}, ready", 90)
    if way.method == "live":
        wait_until(lambda: freeze_status(host, vm) == "thawed", "the guest, thawed", WATCHDOG_S)
        wait_until(writes(host, vm), "the guest writes")
    again = agent.begin_backup(vm, method=way.method, run="next week")
    assert (again.status, again.output["warnings"], again.output["cloned"]) == (0, [], way.cloned), again
    ended = agent.end_backup(vm)
    assert ended.status == 0, ended
    assert (host.state(vm), definition(host, vm)) == (was, before)
    wait_until(lambda: not agent.left_behind(), "nothing left")


def _struck(host: KvmHost, agent: Agent, way: Way, fault: str) -> Answer | None:
    request = {"method": way.method, "watchdog_s": WATCHDOG_S}
    if fault != "reboot":
        return agent.begin_backup(way.vm, **request)
    process = agent.start_begin_backup(way.vm, **request)
    wait_until(host.fault_happened, "the step")
    host.reboot()
    process.wait()
    return None


def _state(host: KvmHost, vm: str) -> str:
    """Return a VM's state; an empty text while libvirtd is away."""
    return host.run("virsh", "--connect=qemu:///system", "domstate", f"--domain={vm}", check=False)
