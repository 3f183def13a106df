"""A transfer whose network is cut off: neither side hears of that, and each gives the other up.

The relay takes what either kernel sends, as a network doesn't: so this shows the signs of life alone, and not
what the kernels or SSH notice by themselves.
"""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from include.errors import SourceUnreachableError
from include.vault.vault import Vault
from include.vms import incoming_disk, received_notes
from include.vms import transfer as transfer_module
from include.vms.archive import VmArchive
from include.vms.transfer import Transferred, transfer
from tests.include.agent.agent_on_host import wait_until
from tests.include.quick_signs import EVERY_S, SILENCE_S, quick_agent
from tests.include.tcp_proxy import Wire
from tests.include.vms.exported_disks import MIB, ExportedDisks, image, noise

SIZE = 32 * MIB


class Transfer:
    """A transfer with quick signs of life.

    Args:
        exported: the host.
        vault: the vault.
        disk: the disk.
    """

    def __init__(self, exported: ExportedDisks, vault: Vault, disk: Path) -> None:
        self._exported, self._vault = exported, vault
        self._begun = exported.export({"vda": disk})

    def run(self, wire: Wire) -> Transferred:
        """Transfer the disk through a wire."""
        command = quick_agent(self._exported.command)
        with (
            VmArchive(self._vault).lock("maq1") as staged,
            self._exported.source(self._begun, wire.connection, command) as source,
        ):
            return transfer(source, staged, None, print)


@pytest.fixture
def slow_or_gone(
    exported: ExportedDisks, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Transfer:
    """The transfer of a disk of noise."""
    write_files = transfer_module._write_files  # noqa: SLF001 - the first step once the stream is open

    def opened(*arguments: Any) -> tuple[str, ...]:  # noqa: ANN401 - they are passed on
        monkeypatch.setattr("include.remote.stream.SILENCE_S", SILENCE_S)
        return write_files(*arguments)

    monkeypatch.setattr(transfer_module, "_write_files", opened)
    monkeypatch.setattr("include.agent.heartbeat.EVERY_S", EVERY_S)
    return Transfer(exported, vault, image(tmp_path / "disk", SIZE, at_0=noise(SIZE / MIB)))


def test_each_side_gives_up_when_the_network_is_cut_off(
    exported: ExportedDisks, slow_or_gone: Transfer
) -> None:
    """Both in the midst of sending or waiting for data."""
    with Wire(exported.server, when=lambda wire: wire.carried > SIZE // 2, then=Wire.hold) as wire:
        with pytest.raises(SourceUnreachableError, match=f"sent nothing for {SILENCE_S} s"):
            slow_or_gone.run(wire)
        assert wire.carried > SIZE // 2
        wait_until(lambda: not exported.is_sending(), "the agent's end", 3 * SILENCE_S)


def test_a_host_whose_storage_hangs_isnt_given_up(exported: ExportedDisks, slow_or_gone: Transfer) -> None:
    """It sends signs of life, and goes on later."""
    (server,) = exported.servers()
    goes_on = threading.Timer(2 * SILENCE_S, os.kill, (server, signal.SIGCONT))

    def hang(_: object) -> None:
        os.kill(server, signal.SIGSTOP)
        goes_on.start()

    # Early: the agent reads ahead, and what it has read needs no storage.
    with Wire(exported.server, when=lambda wire: wire.carried > SIZE // 8, then=hang) as wire:
        assert slow_or_gone.run(wire).disks[0].sent_bytes == SIZE
        assert goes_on.finished.is_set()


def test_a_worker_whose_vault_hangs_isnt_given_up(
    exported: ExportedDisks, slow_or_gone: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads nothing meanwhile, so that the host can't send either."""
    write, hangs = received_notes.write, iter([True])

    def hang(file: int, data: memoryview, at: int) -> None:
        if at == SIZE // 4 and next(hangs, False):
            time.sleep(2 * SILENCE_S)
        write(file, data, at)

    monkeypatch.setattr(incoming_disk, "write", hang)
    with Wire(exported.server) as wire:
        assert slow_or_gone.run(wire).disks[0].sent_bytes == SIZE
