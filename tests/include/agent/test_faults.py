"""Whatever dies at whatever step: the machine runs again by itself, and the next run succeeds.

``make test`` has every step of ``cold`` with each fault; ``make faults`` has all methods.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from tests.include.agent.on_host import Agent, Answer, wait_until
from tests.include.agent.test_freeze import COLD, definition
from tests.site.kvm_host import KvmHost

pytestmark = pytest.mark.xdist_group("kvm")

ARMED = COLD[: COLD.index("room") + 1]
LIVE = [*ARMED, "fsfreeze", "backup-begin", "thaw", "prove", "back", "ready"]
COPY = [*ARMED, "shutdown", "off", "copy", "start", "prove", "back", "ready"]
OFFLINE = ["begin", "lease", "room", "serve", "ready"]
UNTOUCHED = ("begin", "lease", "autostart")  # a reboot then does what it always does, until somebody asks
FAULTS = ("agent", "ssh", "libvirtd", "reboot")
LEASE_S = 20
_OTHERS = [("live", LIVE), ("copy", COPY), ("offline", OFFLINE)]
_MATRIX = [
    *(pytest.param("cold", step, fault) for step, fault in product(COLD, FAULTS)),
    *(
        pytest.param(method, step, fault, marks=pytest.mark.whole_matrix)
        for method, steps in _OTHERS
        for step, fault in product(steps, FAULTS)
    ),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that runs, and one that is off."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
        running.define_small("maq2", {"vda": "qcow2"})
        running.boot("maq1")
        yield running


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent there, and the machine that runs as far up as to hear its power button."""
    calls = Agent(host)
    if calls.left_behind():  # by a test that failed
        assert {calls.release(machine).status for machine in ("maq1", "maq2")} == {0}
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    yield calls
    host.forget_fault()


@pytest.mark.parametrize(("method", "step", "fault"), _MATRIX)
def test_a_machine_comes_back(host: KvmHost, agent: Agent, method: str, step: str, fault: str) -> None:
    """It runs again within the lease's time, or is off if it was; nothing is left; the next run succeeds."""
    machine = "maq2" if method == "offline" else "maq1"
    was, before = host.state(machine), definition(host, machine)
    host.plan_fault(step, fault)
    answer = _struck(host, agent, machine, method, fault)
    assert host.fault_sprung(), answer
    if fault == "reboot" and step in UNTOUCHED:
        assert agent.release(machine).status == 0
    wait_until(lambda: _state(host, machine) == was, f"{machine}, {was} ({answer})", LEASE_S)
    if fault == "agent" and step not in (*UNTOUCHED, "ready"):  # nobody need ask for it to be put right
        wait_until(lambda: not agent.left_behind(), "nothing left", LEASE_S + 10)
    if fault == "ssh":  # nobody heard it, but it's done; who asks again is told
        assert agent.freeze(machine, method=method, lease_s=LEASE_S).status == 0
    wait_until(lambda: method == "offline" or "guest: ready" in host.console(machine), f"{machine}, ready")
    again = agent.freeze(machine, method=method, run="next week")
    assert again.status == 0, again
    released = agent.release(machine)
    assert released.status == 0, released
    assert (host.state(machine), definition(host, machine)) == (was, before)
    wait_until(lambda: not agent.left_behind(), "nothing left")


def _struck(host: KvmHost, agent: Agent, machine: str, method: str, fault: str) -> Answer | None:
    if fault != "reboot":
        return agent.freeze(machine, method=method, lease_s=LEASE_S)
    asking = agent.begin_freeze(machine, method=method, lease_s=LEASE_S)
    wait_until(host.fault_sprung, "the step")
    host.reboot()
    asking.wait()
    return None


def _state(host: KvmHost, machine: str) -> str:
    """Give a machine's state; libvirtd may be away."""
    return host.run("virsh", "--connect=qemu:///system", "domstate", f"--domain={machine}", check=False)
