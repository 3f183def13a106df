"""A restore whose network is cut off: the host hears nothing of that, and lets go of the VM all the same."""

import time
from contextlib import suppress

import pytest

from include.errors import RescheduleError, SourceUnreachableError
from include.remote.ssh import connected
from include.restore.vm_sender import sending
from include.vms.chunks import Chunks
from include.vms.progress import Progress
from tests.include.quick_signs import EVERY_S, SILENCE_S, quick_agent
from tests.include.restore.vm_restores import Rehearsal
from tests.include.tcp_proxy import Wire
from tests.include.vms.exported_disks import endpoint


@pytest.mark.slow
def test_a_restore_that_is_cut_off_blocks_the_next_one_only_for_moments(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's agent had compared the disks, and waited for chunks. The connection is never closed."""
    monkeypatch.setattr("include.agent.heartbeat.EVERY_S", EVERY_S)
    rehearsal.damage("maq1", "vda", "raw", "0")
    restore = rehearsal.restore("maq1", how="in place")
    chunks = Chunks.read(restore.generation.chunks("vda"))
    progress = Progress("vda", chunks.bytes, print)
    command = quick_agent(restore.host.install_agent().command("receive"))
    with (
        Wire(rehearsal.kvm.ssh) as wire,
        connected(endpoint(wire.connection)) as config,
        suppress(SourceUnreachableError),
        sending(config, command, restore.order()) as sender,
    ):
        sender.compare("vda", chunks, progress)
        time.sleep(1.5 * SILENCE_S)
        with pytest.raises(RescheduleError, match="Another restore of maq1 is running"):
            rehearsal.in_place("maq1")
        wire.hold()
        time.sleep(1.5 * SILENCE_S)
        rehearsal.in_place("maq1", "after it")
        raise SourceUnreachableError("cut off")  # else this end would wait for the other
    assert rehearsal.left_behind() == []
