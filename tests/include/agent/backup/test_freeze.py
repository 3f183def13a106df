"""A guest with a real guest agent: frozen for a moment, and never left so.

``test_faults.py`` has every fault at every step.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.agent.backup.freeze import GuestFreeze, thaw
from include.agent.errors import LibvirtError
from include.agent.state_folder import StateFolder, VmFolder
from include.agent.virsh import TIMEOUT_S, Virsh
from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import (
    Agent,
    Answer,
    freeze_status,
    stalled_begin,
    wait_until,
    writes,
)
from tests.include.agent.backup.test_begin import exported
from tests.include.agent.backup.test_watchdog import AWAY, VIRSH
from tests.include.agent.test_virsh import UUID
from tests.site.kvm_host import KvmHost

LIVE = ["begin", "watchdog", "autostart", "work_folder", "fsfreeze", "backup-begin", "thaw"]
CRASH_CONSISTENT = "the backup is only crash-consistent"


host_fault = agent_on_host.host_fault


class ThawedTooEarly(Virsh):
    """A guest that an expired watchdog thaws just before the agent freezes it."""

    def __init__(self, folder: VmFolder) -> None:
        super().__init__("none")
        self._folder = folder
        self.status = "thawed"

    def run(self, command: str, *_options: str, timeout_s: float = TIMEOUT_S) -> str:
        """Freeze or thaw it."""
        del timeout_s
        if command == "domfsfreeze":
            thaw(self._folder, self)
        self.status = "frozen" if command == "domfsfreeze" else "thawed"
        return ""

    def guest_agent(self, uuid: str, command: str) -> str:
        """Return its status."""
        del uuid, command
        return self.status


def set_up(host: KvmHost) -> None:
    """One host with a VM whose guest agent answers, and one that is off."""
    host.define("maq1", {"vda": "raw"}, agent=True)
    host.define_small("maq2", {"vda": "raw"})
    host.boot("maq1")


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; after the test the guest is thawed, and nothing is left."""
    calls = Agent(host)
    wait_until(lambda: freeze_status(host, "maq1") == "thawed", "the guest agent answers")
    yield calls
    host.cancel_fault()
    wait_until(lambda: freeze_status(host, "maq1"), "the guest agent answers", 90)
    host.virsh("domfsthaw", "--domain=maq1")
    for vm in ("maq1", "maq2"):
        assert calls.end_backup(vm).status == 0
        (host.agents_folder / "vms" / calls.uuid(vm) / "not-back.json").unlink(missing_ok=True)
    wait_until(lambda: not calls.left_behind(), "nothing left")


def frozen_with_its_agent_away(host: KvmHost, agent: Agent, away_s: int, watchdog_s: int = 5) -> Answer:
    """Begin a live backup of a guest whose agent stops answering once it is frozen; return the answer.

    An interrupt tells the guest when: a frozen guest's agent starts no programs.
    """
    count = "grep NMI: /proc/interrupts"
    script = f'before=$({count}); until [ "$({count})" != "$before" ]; do sleep 0.1; done'
    script += f"; kill -STOP $(pidof qemu-ga); sleep {away_s}; kill -CONT $(pidof qemu-ga)"
    asked = json.dumps({"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}})
    host.virsh("qemu-agent-command", "--domain=maq1", f"--cmd={asked}")
    with stalled_begin(host, agent, "thaw", method="live", watchdog_s=watchdog_s) as answers:
        host.virsh("inject-nmi", "--domain=maq1")
        wait_until(lambda: not freeze_status(host, "maq1"), "the agent gives no answer")
    return answers[0]


def test_a_guest_whose_agent_gives_no_answer_isnt_frozen(short: Path) -> None:
    """It couldn't be seen to be thawed. If libvirt itself is away, the backup fails instead."""
    folder = StateFolder(str(short)).of(UUID)
    folder.make()
    steps: list[str] = []
    with GuestFreeze(folder, VIRSH, steps.append, 1) as guest:
        guest.check()
    assert CRASH_CONSISTENT in guest.warnings[0]
    assert "agent gives no answer" in guest.warnings[0]
    with pytest.raises(LibvirtError, match="failed to connect"), GuestFreeze(folder, AWAY, steps.append, 1):
        pass
    assert steps == []


def test_a_guest_is_thawed_though_its_watchdog_thawed_it_before_it_was_frozen(short: Path) -> None:
    """What the journal shows then is older than the freeze."""
    folder = StateFolder(str(short)).of(UUID)
    folder.make()
    guest = ThawedTooEarly(folder)

    def step(name: str) -> None:
        folder.journal.write(name)

    with GuestFreeze(folder, guest, step, 1):
        assert guest.status == "frozen"
    assert guest.status == "thawed"


def test_a_guest_is_frozen_while_its_backup_is_begun(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """Its file system in the backup needs no recovery; it goes on writing."""
    begun = agent.begin_backup("maq1", method="live")
    assert (begun.status, begun.steps, begun.output["warnings"]) == (
        0,
        [*LIVE, "verify", "back", "ready"],
        [],
    )
    wait_until(writes(host, "maq1"), "the guest writes")
    exported(host, "vda", tmp_path / "vda")
    header = ["dumpe2fs", "-h", str(tmp_path / "vda")]
    features = subprocess.run(header, capture_output=True, text=True, check=True).stdout
    assert "has_journal" in features
    assert "needs_recovery" not in features
    assert agent.end_backup("maq1").output["repaired"] == []


def test_a_guest_is_thawed_though_libvirtd_was_killed_while_it_was_frozen(
    host: KvmHost, agent: Agent
) -> None:
    """The first thaw fails, as libvirtd is away."""
    host.plan_fault("backup-begin", "libvirtd")
    refused = agent.begin_backup("maq1", method="live")
    assert host.fault_happened()
    assert freeze_status(host, "maq1") == "thawed", refused
    wait_until(writes(host, "maq1"), "the guest writes")
    assert (refused.status, refused.output["error"]) == (6, "BackupNotBegunError")


@pytest.mark.slow
def test_a_guest_is_thawed_once_its_agent_answers_again(host: KvmHost, agent: Agent) -> None:
    """The agent is away for some seconds; the backup is good."""
    answer = frozen_with_its_agent_away(host, agent, away_s=20, watchdog_s=60)
    assert (answer.status, answer.output["warnings"]) == (0, [])
    assert agent.journal("maq1")[-5:] == ["thaw", "thawed", "verify", "back", "ready"]
    wait_until(writes(host, "maq1"), "the guest writes")


def test_after_all_processes_were_killed_end_backup_thaws_the_guest(host: KvmHost, agent: Agent) -> None:
    """It finds the journal that the agent and its watchdog left."""
    host.plan_fault("thaw", "everybody")
    agent.begin_backup("maq1", method="live")
    assert host.fault_happened()
    assert freeze_status(host, "maq1") == "frozen"
    ended = agent.end_backup("maq1")
    assert ended.output["repaired"] == ["It had been left frozen; it was thawed."], ended
    assert freeze_status(host, "maq1") == "thawed"


@pytest.mark.slow
def test_a_guest_that_stays_frozen_is_not_back(host: KvmHost, agent: Agent) -> None:
    """Its watchdog thaws it once that is possible. Until then, the run stops no other VM."""
    answer = frozen_with_its_agent_away(host, agent, away_s=40)
    assert (answer.status, answer.output["error"]) == (13, "NotThawedError")
    assert "domfsthaw" in answer.output["message"]
    withheld = agent.begin_backup("maq2")
    assert (withheld.status, withheld.output["error"]) == (11, "WithheldError"), withheld
    assert "thawed file systems" in withheld.output["message"]
    assert "thawed" not in agent.journal("maq1")
    wait_until(lambda: not agent.journal("maq1"), "its watchdog has thawed it and cleaned up", 60)
    assert freeze_status(host, "maq1") == "thawed"
    assert agent.begin_backup("maq2").status == 0


@pytest.mark.slow
def test_a_guest_that_cant_be_thawed_can_be_left_as_it_is(host: KvmHost, agent: Agent) -> None:
    """Somebody decided that; nothing is left, and the answer says that it may be frozen."""
    frozen_with_its_agent_away(host, agent, away_s=60)
    left = agent.end_backup("maq1", "--as-it-is")
    assert left.status == 0, left
    assert "may still be frozen" in left.output["repaired"][1]
    wait_until(lambda: not agent.left_behind(), "its watchdog ends, too")
    assert agent.begin_backup("maq2").status == 0


@pytest.mark.slow
def test_a_guest_that_something_else_froze_isnt_touched(host: KvmHost, agent: Agent) -> None:
    """Perhaps another backup; the error says how it's thawed."""
    host.virsh("domfsfreeze", "--domain=maq1")
    refused = agent.begin_backup("maq1", method="live")
    assert (refused.status, refused.output["error"]) == (4, "NotPossibleError")
    assert "domfsthaw" in refused.output["message"]
    assert agent.end_backup("maq1").status == 0
    assert freeze_status(host, "maq1") == "frozen"


@pytest.mark.slow
def test_a_guest_that_was_thawed_too_early_is_reported(host: KvmHost, agent: Agent) -> None:
    """Its backup is good, but only crash-consistent. Windows thaws itself after ten seconds."""
    with stalled_begin(host, agent, "backup-begin", method="live") as answers:
        host.virsh("domfsthaw", "--domain=maq1")
    assert answers[0].status == 0
    assert CRASH_CONSISTENT in answers[0].output["warnings"][0]
