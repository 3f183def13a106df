"""A running VM whose disks are cloned while it is suspended: all of one instant, and it runs on.

``test_faults.py`` has every fault at every step.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault.vault import Vault
from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import (
    Agent,
    Answer,
    freeze_status,
    host_clones,
    wait_until,
    writes,
)
from tests.include.agent.backup import test_cloned_disks
from tests.include.agent.backup.test_begin import exported
from tests.include.agent.backup.test_cloned_disks import take_with
from tests.include.vms.sample_vms import verified
from tests.session.needs import program
from tests.site.kvm_host import KvmHost

systemd = test_cloned_disks.systemd
CLONED_LIVE = [
    *("begin", "watchdog", "autostart", "work_folder", "clone_folders", "fsfreeze", "suspend"),
    *("clone", "resume", "resumed", "thaw", "verify", "back", "sync", "ready"),
]
CRASH_CONSISTENT = "the backup is only crash-consistent"
# The same number on one disk after the other; no file system is on them, so a freeze doesn't hold the guest.
COUNTING = """
n=0
while :; do
    n=$((n + 1))
    for disk in vdb vdc; do printf %-512s $n | dd of=/dev/$disk bs=512 conv=notrunc,fsync 2>/dev/null; done
done
"""


def set_up(host: KvmHost) -> None:
    """One host with a VM whose guest agent answers, and one without; both have raw disks on an XFS."""
    program("mkfs.xfs")
    host.mount_disks("xfs")
    host.define("maq1", {"vda": "raw", "vdb": "raw", "vdc": "raw"}, agent=True)
    host.define_small("maq2", {"vda": "raw", "vdb": "raw"})
    host.boot("maq1")


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host."""
    return agent_on_host.host_fault(host)


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; after the test the guest runs, thawed, and no clone is left."""
    calls = Agent(host)
    wait_until(lambda: freeze_status(host, "maq1") == "thawed", "the guest agent answers")
    yield calls
    host.cancel_fault()
    assert calls.end_backup("maq1").status == 0
    assert (host.state("maq1"), freeze_status(host, "maq1")) == ("running", "thawed")
    wait_until(lambda: not calls.left_behind(), "nothing left")


def executed(host: KvmHost, script: str) -> None:
    """Start a script in maq1."""
    asked = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}}
    host.virsh("qemu-agent-command", "--domain=maq1", f"--cmd={json.dumps(asked)}")


def counted(host: KvmHost, disk: str) -> int:
    """Return the number on a disk of maq1 at this moment; 0 if there is none yet."""
    with host.seen(host.disk("maq1", disk)).open("rb") as file:
        found = file.read(512).strip()
        return int(found) if found.isdigit() else 0


def both_counted(host: KvmHost) -> list[int]:
    """Return the numbers on both disks at this moment."""
    return [counted(host, disk) for disk in ("vdb", "vdc")]


def stalled(host: KvmHost, agent: Agent, step: str = "clone", **changed: object) -> "subprocess.Popen[str]":
    """Begin a live backup of maq1, and return it once it is about to take a step: to clone the disks."""
    host.plan_fault(step, "stall")
    process = agent.start_begin_backup("maq1", method="live", **changed)
    wait_until(host.fault_happened, "the step")
    return process


def gone_on(host: KvmHost, process: "subprocess.Popen[str]") -> Answer:
    """Let a stalled backup go on, and return its answer."""
    host.go_on()
    output, errors = process.communicate(timeout=120)
    return Answer(process.returncode, json.loads(output or "{}"), errors)


def require_refused(host: KvmHost, agent: Agent, answer: Answer) -> None:
    """Require that no clone was used, and that the guest runs and writes."""
    assert (answer.status, answer.output["error"]) == (6, "BackupNotBegunError")
    assert (
        "maq1 was resumed, or a disk written to or replaced, while its disks were cloned"
        in answer.output["message"]
    )
    assert (host.state("maq1"), freeze_status(host, "maq1")) == ("running", "thawed")
    wait_until(writes(host, "maq1"), "the guest writes")
    wait_until(lambda: not agent.left_behind(), "nothing left")


def test_a_running_vms_disks_are_cloned_while_it_is_suspended(
    host: KvmHost, agent: Agent, tmp_path: Path
) -> None:
    """All are of one instant, and its file system needs no recovery; it goes on writing."""
    executed(host, COUNTING)
    wait_until(lambda: counted(host, "vdc") > 1, "the guest counts")
    process = stalled(host, agent)
    assert host.state("maq1") == "paused"
    first, second = at_that_instant = both_counted(host)
    assert first - second in (0, 1)
    begun = gone_on(host, process)
    assert (begun.status, begun.steps, begun.output["warnings"]) == (0, CLONED_LIVE, [])
    assert (begun.output["method"], begun.output["cloned"]) == ("live", True)
    assert (begun.output["stopped"], begun.output["downtime_s"] > 0) == ("suspended", True)
    wait_until(writes(host, "maq1"), "the guest writes")
    wait_until(lambda: counted(host, "vdc") > second + 1, "the guest counts on")
    cloned = [exported(host, disk, tmp_path / disk)[:512] for disk in ("vdb", "vdc")]
    assert [int(sector) for sector in cloned] == at_that_instant
    exported(host, "vda", tmp_path / "vda")
    header = ["dumpe2fs", "-h", str(tmp_path / "vda")]
    features = subprocess.run(header, capture_output=True, text=True, check=True).stdout
    assert "has_journal" in features
    assert "needs_recovery" not in features
    assert agent.end_backup("maq1").output["repaired"] == []


@pytest.mark.slow
def test_a_guest_without_agent_is_cloned_crash_consistently(host: KvmHost, agent: Agent) -> None:
    """A warning says so."""
    host.boot("maq2")
    begun = agent.begin_backup("maq2", method="live")
    assert (begun.status, begun.output["cloned"], host.state("maq2")) == (0, True, "running")
    assert begun.steps == [step for step in CLONED_LIVE if step not in ("fsfreeze", "thaw")]
    assert CRASH_CONSISTENT in begun.output["warnings"][0]
    assert agent.end_backup("maq2").status == 0
    assert host_clones(host) == []
    host.virsh("destroy", "--domain=maq2")


@pytest.mark.slow
def test_clones_of_a_vm_that_somebody_resumed_arent_used(host: KvmHost, agent: Agent) -> None:
    """They may be of several instants."""
    process = stalled(host, agent)
    host.virsh("resume", "--domain=maq1")
    require_refused(host, agent, gone_on(host, process))


@pytest.mark.slow
def test_clones_of_a_vm_that_its_watchdog_resumed_arent_used(host: KvmHost, agent: Agent) -> None:
    """The agent hung; the watchdog doesn't wait for it."""
    process = stalled(host, agent, watchdog_s=3)
    wait_until(lambda: host.state("maq1") == "running", "maq1, resumed")
    wait_until(lambda: freeze_status(host, "maq1") == "thawed", "the guest, thawed")
    require_refused(host, agent, gone_on(host, process))


@pytest.mark.slow
def test_after_all_processes_were_killed_end_backup_resumes_and_thaws_the_guest(
    host: KvmHost, agent: Agent
) -> None:
    """It finds the journal that the agent and its watchdog left."""
    host.plan_fault("clone", "everybody")
    agent.begin_backup("maq1", method="live")
    assert host.fault_happened()
    assert host.state("maq1") == "paused"
    ended = agent.end_backup("maq1")
    assert ended.output["repaired"] == ["It had been left down; it was resumed."], ended
    assert freeze_status(host, "maq1") == "thawed"


@pytest.mark.slow
def test_a_vm_that_somebody_paused_stays_paused(host: KvmHost, agent: Agent) -> None:
    """Its backup is refused, whether it was paused before it began or just before the freeze."""
    process = stalled(host, agent, "clone_folders")
    host.virsh("suspend", "--domain=maq1")
    for refused in (gone_on(host, process), agent.begin_backup("maq1", method="live", run="next week")):
        assert (refused.status, refused.output["error"]) == (4, "NotPossibleError")
        assert "maq1 is paused, neither running nor off" in refused.output["message"]
        wait_until(lambda: not agent.left_behind(), "nothing left")
        assert host.state("maq1") == "paused"
    host.virsh("resume", "--domain=maq1")


@pytest.mark.slow
@pytest.mark.usefixtures("systemd")
def test_a_week_later_only_what_changed_is_read(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """The guest ran all the time, and wrote to its disk meanwhile."""
    vault = Vault.create(tmp_path / "vault")
    first = take_with(host, agent, vault, "first", "live")
    wait_until(writes(host, "maq1"), "the guest writes")
    second = take_with(host, agent, vault, "second", "live")
    assert (verified(first), verified(second)) == (True, True)
    assert (second.record.method, second.record.cloned, second.record.base) == ("live", True, first.name)
    assert [disk.doubt for disk in second.record.disks] == ["", "", ""]
    assert second.record.disks[0].carried_bytes > 0
    assert first.image("vda").read_bytes() != second.image("vda").read_bytes()
