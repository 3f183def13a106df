"""A fault at any step of a backup: the VM runs again by itself, and the next run succeeds.

``make test`` runs each step once, with the faults in turn; ``make test-all`` runs every fault at every step.
"""

from collections.abc import Iterator
from itertools import cycle

import pytest
from _pytest.mark import ParameterSet

from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent, Answer, freeze_status, wait_until, writes
from tests.include.agent.backup.test_begin import COLD, definition
from tests.session.needs import program
from tests.site.kvm_host import KvmHost

ARMED = COLD[: COLD.index("work_folder") + 1]
LIVE = [*ARMED, "fsfreeze", "backup-begin", "thaw", "thawed", "verify", "back", "ready"]
COPY = [*ARMED, "shutdown", "off", "copy", "start", "verify", "back", "ready"]
CLONE = ["clone_folders", "shutdown", "off", "clone", "start", "verify", "back", "sync", "ready"]
"""The steps of a cold backup from the first one on that it has only where the disks are cloned."""
SUSPEND = ["clone_folders", "fsfreeze", "suspend", "clone", "resume", "resumed", "thaw", "thawed", "sync"]
SUSPEND += ["ready"]
"""Those of a live one, but for ``verify`` and ``back``, which are as in ``LIVE``."""
CLONE_OFF = ["clone_folders", "clone", "sync", "ready"]
OFFLINE = ["begin", "watchdog", "work_folder", "export", "ready"]
UNTOUCHED = ("begin", "watchdog", "autostart")
"""A reboot here leaves the watchdog without its process, until the next call."""
CRITICAL = ("shutdown", "off", "start-paused", "resume", "thaw", "clone", "suspend", "copy", "export")
"""The VM is down, frozen or suspended, or its disks are read."""
FAULTS = ("agent", "ssh", "libvirtd", "reboot")
MANY_FAULTS = {"suspend": (*FAULTS, "everybody")}
WATCHDOG_S = 20
METHODS = {"cold": COLD, "live": LIVE, "clone": CLONE, "suspend": SUSPEND, "copy": COPY, "offline": OFFLINE}
METHODS["offline clone"] = CLONE_OFF
REQUESTED = {"clone": "cold", "suspend": "live", "offline clone": "offline"}
VMS = {"cold": "maq1", "live": "maq3", "clone": "maq4", "suspend": "maq5", "copy": "maq1", "offline": "maq2"}
VMS["offline clone"] = "maq6"


def matrix() -> Iterator[ParameterSet]:
    """Return all combinations. ``make test`` runs each critical step with one fault, the faults taking turns.

    All others are ``slow``.
    """
    turns, left = cycle(FAULTS), set(CRITICAL)
    for method, steps in METHODS.items():
        for step in steps:
            chosen = next(turns) if step in left else None
            left.discard(step)
            for fault in MANY_FAULTS.get(method, FAULTS):
                marks = () if fault == chosen else (pytest.mark.slow,)
                yield pytest.param(method, step, fault, marks=marks)


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host."""
    return agent_on_host.host_fault(host, ("maq1", "maq3", "maq4", "maq5"))


def set_up(host: KvmHost) -> None:
    """One host with a VM that runs, one that is off, one that has a guest agent, and two for clones."""
    program("mkfs.xfs")
    host.mount_disks("xfs")
    host.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
    host.define_small("maq2", {"vda": "qcow2"})
    host.define("maq3", {"vda": "raw", "vdb": "qcow2"}, agent=True)
    host.define_small("maq4", {"vda": "raw", "vdb": "raw"})
    host.define("maq5", {"vda": "raw", "vdb": "raw"}, agent=True)
    host.define_small("maq6", {"vda": "raw", "vdb": "raw"})
    for vm in ("maq1", "maq3", "maq4", "maq5"):
        host.boot(vm)


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host, once the running VM reacts to its power button."""
    calls = Agent(host)
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    yield calls
    host.cancel_fault()


def test_make_test_runs_each_critical_step_and_each_fault() -> None:
    """Only their other combinations are left to ``make test-all``."""
    chosen = [combination.values for combination in matrix() if not combination.marks]
    assert [step for _, step, _ in chosen] == list(CRITICAL)
    assert {fault for _, _, fault in chosen} == set(FAULTS)


@pytest.mark.parametrize(("method", "step", "fault"), list(matrix()))
def test_a_vm_comes_back_after_a_fault(
    host: KvmHost, agent: Agent, method: str, step: str, fault: str
) -> None:
    """Before the watchdog expires it is as it was, nothing is left behind, and the next run succeeds."""
    vm = VMS[method]
    was, before = host.state(vm), definition(host, vm)
    host.plan_fault(step, fault)
    answer = _struck(host, agent, vm, method, fault)
    assert host.fault_happened(), answer
    if fault == "everybody" or (fault == "reboot" and step in UNTOUCHED):
        assert agent.end_backup(vm).status == 0
    wait_until(lambda: _state(host, vm) == was, f"{vm}, {was} ({answer})", WATCHDOG_S)
    if fault == "agent" and step not in (*UNTOUCHED, "ready"):  # the watchdog cleans up by itself
        wait_until(lambda: not agent.left_behind(), "nothing left", WATCHDOG_S + 10)
    if fault == "ssh":  # the answer was lost; the next call gets it
        assert agent.begin_backup(vm, method=REQUESTED.get(method, method), watchdog_s=WATCHDOG_S).status == 0
    wait_until(lambda: was != "running" or "guest: ready" in host.console(vm), f"{vm}, ready")
    if method in ("live", "suspend"):
        wait_until(lambda: freeze_status(host, vm) == "thawed", "the guest, thawed", WATCHDOG_S)
        wait_until(writes(host, vm), "the guest writes")
    again = agent.begin_backup(vm, method=REQUESTED.get(method, method), run="next week")
    assert (again.status, again.output["warnings"]) == (0, []), again
    assert again.output["cloned"] is (method in ("clone", "suspend", "offline clone"))
    ended = agent.end_backup(vm)
    assert ended.status == 0, ended
    assert (host.state(vm), definition(host, vm)) == (was, before)
    wait_until(lambda: not agent.left_behind(), "nothing left")


def _struck(host: KvmHost, agent: Agent, vm: str, method: str, fault: str) -> Answer | None:
    request = {"method": REQUESTED.get(method, method), "watchdog_s": WATCHDOG_S}
    if fault != "reboot":
        return agent.begin_backup(vm, **request)
    process = agent.start_begin_backup(vm, **request)
    wait_until(host.fault_happened, "the step")
    host.reboot()
    process.wait()
    return None


def _state(host: KvmHost, vm: str) -> str:
    """Return a VM's state; an empty text while libvirtd is away."""
    return host.run("virsh", "--connect=qemu:///system", "domstate", f"--domain={vm}", check=False)
