"""Pulling when something breaks: what came is kept, what can't be is said, and nothing is taken for whole."""

import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import ImageGoneError, MachineNotImagedError, SourceUnreachableError
from include.machines.facts import Frozen
from include.machines.generation import Generations
from include.machines.pull import Pulled, pull, pull_again
from include.vault import Vault
from tests.include.days import tree
from tests.include.machines import pulling
from tests.include.machines.folder_host import REQUEST, take
from tests.include.machines.held_disks import MIB, HeldDisks, backup, image, noise
from tests.include.machines.machines import INSTANT, proven
from tests.include.wire import Wire

WEEK = timedelta(weeks=1)
LARGE = 24 * MIB
SPARE = 300_000  # bytes that SSH's own handshakes take


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk that takes a while: a hole, then noise."""
    return image(tmp_path / "disk", LARGE + MIB, at_1=noise(24))


def pulled(held: HeldDisks, vault: Vault, frozen: Frozen, wire: Wire | None = None) -> Pulled:
    """Pull into staging."""
    with (
        Generations(vault).hold("maq1") as staged,
        held.way(frozen, wire.connection if wire else None) as way,
    ):
        return pull(way, staged, None, print)


def write(path: Path, at: int, data: bytes) -> None:
    """Write into a file, read-only as it may be."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def noted(vault: Vault) -> int:
    """Give how many of the disk's chunks staging has noted."""
    return Generations(vault).staged("maq1").have("vda").stat().st_size // 32


def staged_image(vault: Vault) -> bytes:
    """Give the image in staging."""
    return Generations(vault).staged("maq1").image("vda").read_bytes()


def test_a_pull_that_is_cut_goes_on_where_it_was(held: HeldDisks, vault: Vault, disk: Path) -> None:
    """Only the rest is sent."""
    frozen = held.hold({"vda": disk})
    with (
        Wire(held.server, when=lambda wire: wire.carried > LARGE // 2, then=Wire.cut) as wire,
        pytest.raises(SourceUnreachableError, match="What was copied is kept"),
    ):
        pulled(held, vault, frozen, wire)
    had = noted(vault)
    assert LARGE // 2 - 3 * MIB < had * MIB < LARGE
    with Wire(held.server) as wire:
        done = pulled(held, vault, frozen, wire)
        assert wire.carried < LARGE + MIB - had * MIB + SPARE
    assert done.disks[0].sent_bytes == LARGE + MIB - had * MIB
    assert staged_image(vault) == disk.read_bytes()


def test_a_wire_that_breaks_every_few_chunks_brings_all_of_it(
    held: HeldDisks, vault: Vault, disk: Path
) -> None:
    """Each try gets on."""
    frozen, before = held.hold({"vda": disk}), 0
    for _ in range(12):
        with Wire(held.server, when=lambda wire: wire.carried > 4 * MIB, then=Wire.cut) as wire:
            try:
                pulled(held, vault, frozen, wire)
                break
            except SourceUnreachableError:
                assert noted(vault) > before
                before = noted(vault)
    assert before > 1
    assert staged_image(vault) == disk.read_bytes()


def test_a_worker_that_is_killed_is_gone_on_for(held: HeldDisks, vault: Vault, disk: Path) -> None:
    """By SIGKILL, with bytes on the wire and in its threads."""
    frozen, pids = held.hold({"vda": disk}), list[int]()
    with Wire(
        held.server,
        when=lambda wire: wire.carried > LARGE // 2,
        then=lambda _: os.kill(pids[0], signal.SIGKILL),
    ) as wire:
        worker = pulling.begin(vault, frozen, wire.connection, held.command)
        pids.append(worker.pid)
        assert worker.wait() == -signal.SIGKILL
    had = noted(vault)
    assert had > 1
    assert pulled(held, vault, frozen).disks[0].sent_bytes == LARGE + MIB - had * MIB
    assert staged_image(vault) == disk.read_bytes()


def test_notes_that_a_loss_of_power_left_empty_arent_believed(
    held: HeldDisks, vault: Vault, disk: Path
) -> None:
    """A file's length may be on the disk before what is in it; what was half noted isn't counted either."""
    frozen = held.hold({"vda": disk})
    whole = pulled(held, vault, frozen)
    assert whole.disks[0].sent_bytes == LARGE
    have = Generations(vault).staged("maq1").have("vda")
    have.write_bytes(have.read_bytes()[: 5 * 32] + bytes(3 * 32) + b"torn")
    assert pulled(held, vault, frozen).disks[0].sent_bytes == LARGE - 4 * MIB
    assert staged_image(vault) == disk.read_bytes()


def test_a_decayed_base_and_decayed_staging_are_healed_over_the_wire(
    held: HeldDisks, vault: Vault, tmp_path: Path
) -> None:
    """They're found when they are read back; only the chunks that differ come again."""
    disk = image(tmp_path / "disk", 6 * MIB, at_0=noise(2.5), at_4=noise())
    take(backup(vault, held, {"vda": disk}))
    base = Generations(vault).of("maq1")[0].image("vda")
    write(base, MIB, b"decayed")
    one = backup(vault, held, {"vda": disk}, "next run", INSTANT + WEEK)
    frozen = one.freeze(REQUEST.model_copy(update={"run": "next run"}))
    one.pull(frozen)
    write(Generations(vault).staged("maq1").image("vda"), 3 * MIB, b"where only zeros are")
    one.prove(frozen)
    one.publish(frozen)
    second = Generations(vault).of("maq1")[1]
    assert proven(second)
    assert second.image("vda").read_bytes() == disk.read_bytes()
    assert second.record.proofs[0].how.endswith("; 2 chunks pulled again before")


def test_a_frozen_disk_that_changed_is_never_published(held: HeldDisks, vault: Vault, disk: Path) -> None:
    """Healing takes no other bytes than those that the host hashed first."""
    frozen = held.hold({"vda": disk})
    pulled(held, vault, frozen)
    write(disk, 2 * MIB, b"somebody wrote below qemu-nbd")
    with Generations(vault).hold("maq1") as staged, held.way(frozen) as way:
        pull_again(way, staged, {"vda": [0, 1]})
        with pytest.raises(MachineNotImagedError, match="Chunk 2 isn't what the host hashed before"):
            pull_again(way, staged, {"vda": [2]})


def test_exports_that_are_killed_are_gone(held: HeldDisks, vault: Vault, tmp_path: Path) -> None:
    """Another try can't help, only another freeze."""
    frozen = held.hold({"vda": image(tmp_path / "disk", 48 * MIB, at_0=noise(48))})
    with (
        Wire(
            held.server, when=lambda wire: wire.carried > 4 * MIB, then=lambda _: held.kill_exports()
        ) as wire,
        pytest.raises(ImageGoneError, match="maq1 isn't frozen any more"),
    ):
        pulled(held, vault, frozen, wire)
    with pytest.raises(ImageGoneError, match="doesn't answer"):
        pulled(held, vault, frozen)
    held.let_go()
    with pytest.raises(ImageGoneError, match="Nothing of this machine is frozen"):
        pulled(held, vault, frozen)


def test_a_disk_that_the_host_cant_read_is_told(held: HeldDisks, vault: Vault, disk: Path) -> None:
    """With the disk's own error; what came before it isn't taken for whole."""
    sector = 9 * MIB // 512
    bad = f"file.inject-error.0.event=none,file.inject-error.0.errno=5,file.inject-error.0.sector={sector}"
    source = f"driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename={disk},{bad}"
    socket = held.socket("vda")
    server = ["qemu-nbd", "--read-only", "--persistent", "--shared=0", "--fork", f"--socket={socket}"]
    subprocess.run([*server, "--export-name=vda", "--image-opts", source], check=True)
    frozen = held.lay([{"disk": "vda", "socket": str(socket), "export": "vda"}])
    with pytest.raises(MachineNotImagedError, match=r"maq1 can't be sent.*Input/output error"):
        pulled(held, vault, frozen)
    assert not Generations(vault).staged("maq1").chunks("vda").exists()


def test_another_runs_freeze_is_left_alone(held: HeldDisks, vault: Vault, tmp_path: Path) -> None:
    """And so is what is staged of it, whatever the clocks say."""
    frozen = held.hold({"vda": image(tmp_path / "disk", MIB, at_0=noise())}, "next run")
    pulled(held, vault, frozen)
    before = tree(Generations(vault).staged("maq1").folder)
    mine = frozen.model_copy(update={"run": "a run", "instant": INSTANT + WEEK})
    with pytest.raises(ImageGoneError, match="What is frozen now is of next run, not of a run"):
        pulled(held, vault, mine)
    assert tree(Generations(vault).staged("maq1").folder) == before
