"""Securing a machine while others are at it, by wrong clocks, after a loss of power, and killed anywhere."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import ImageGoneError, MachineNotImagedError, NotYetError
from include.machines.generation import Generations
from include.vault import Vault
from tests.include.machine import plain_user, program, python
from tests.include.machines.folder_host import REQUEST, backup, take, without_a_wire
from tests.include.machines.machines import INSTANT, lay, proven
from tests.include.test_proofs import found

MIB = 1 << 20
WEEK = timedelta(weeks=1)
NEXT = REQUEST.model_copy(update={"run": "next run"})


@pytest.fixture(autouse=True)
def _no_wire() -> Iterator[None]:
    """The disks come from a folder."""
    patch = without_a_wire()
    yield
    patch.undo()


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """A disk of noise with a hole in it, and an ext4."""
    folder = tmp_path / "disks"
    folder.mkdir()
    (folder / "vda.raw").write_bytes(os.urandom(2 * MIB + 5) + bytes(MIB))
    (folder / "vdb.raw").write_bytes(bytes(2 * MIB))
    subprocess.run([program("mkfs.ext4"), "-q", folder / "vdb.raw"], check=True)
    return folder


def runs(vault: Vault) -> list[str]:
    """Give whose the machine's generations are; all of them can be proven."""
    found = Generations(vault).of("maq1")
    assert all(proven(generation) for generation in found)
    return [generation.record.run for generation in found]


def test_what_is_proven_late_isnt_lost_to_the_next_run(vault: Vault, disks: Path) -> None:
    """An earlier run proves what it had pulled when the next one has frozen the machine already."""
    early, late = backup(vault, disks), backup(vault, disks, "next run", INSTANT + WEEK)
    first = early.freeze(REQUEST)
    early.pull(first)
    second = late.freeze(NEXT)
    early.prove(first)
    late.pull(second)
    assert runs(vault) == ["a run"]
    late.prove(second)
    late.release()
    late.publish(second)
    assert early.publish(first).run == "a run"
    assert runs(vault) == ["a run", "next run"]


def test_a_damaged_generation_is_no_base_of_the_next_one(vault: Vault, disks: Path) -> None:
    """What they share on the disk would be decayed in both; the one before it is whole, and will do."""
    for week, run in enumerate(("a run", "next run", "third run")):
        take(backup(vault, disks, run, INSTANT + week * WEEK))
        if run == "next run":
            Generations(vault).of("maq1")[-1].proofs.append(found(result="failed"))
    first, _, third = Generations(vault).of("maq1")
    assert third.record.base == first.name


def test_two_runs_at_one_machine_dont_meet(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second is told to wait, at each step; only the release goes on."""
    monkeypatch.setattr("include.machines.machine_backup.PULL_ENDS_S", 0.0)
    one, other = backup(vault, disks), backup(vault, disks, "next run")
    frozen = one.freeze(REQUEST)
    with Generations(vault).hold("maq1"):
        for step in (other.pull, other.prove, other.publish):
            with pytest.raises(NotYetError):
                step(frozen)
        with pytest.raises(NotYetError):
            other.freeze(NEXT)
        assert other.release().state == "running"


def test_releasing_waits_for_a_pull_that_is_being_ended(vault: Vault, disks: Path) -> None:
    """A person ended the run: half an image doesn't stay."""
    one = backup(vault, disks)
    one.pull(one.freeze(REQUEST))
    with ThreadPoolExecutor() as threads:
        with Generations(vault).hold("maq1"):
            releasing = threads.submit(one.release)
            with pytest.raises(TimeoutError):
                releasing.result(timeout=0.5)
        assert releasing.result().state == "running"
    assert not Generations(vault).staged("maq1").folder.exists()


@pytest.mark.parametrize("name", ["frozen.json", "pulled.json", "draft.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"run": 7}', b"\xff"])
def test_staging_that_a_loss_of_power_damaged_stops_nobody(
    vault: Vault, disks: Path, name: str, content: bytes
) -> None:
    """The same run takes its steps again; so does the next one."""
    one, damaged = backup(vault, disks), Generations(vault).staged("maq1").folder / name
    frozen = one.freeze(REQUEST)
    for step in (one.pull, one.prove):
        step(frozen)
        damaged.write_bytes(content)
        one.prove(frozen)
    one.publish(frozen)
    assert runs(vault) == ["a run"]
    again = backup(vault, disks, "next run", INSTANT + WEEK)
    again.prove(again.freeze(NEXT))
    damaged.write_bytes(content)
    take(backup(vault, disks, "last run", INSTANT + 2 * WEEK))
    assert {"a run", "last run"} <= set(runs(vault))


def test_a_host_whose_clock_was_ahead_is_backed_up_when_it_was_put_right(vault: Vault, disks: Path) -> None:
    """What it left in staging is of the future; so is a generation of it, which stays."""
    take(backup(vault, disks, "a run", INSTANT + 520 * WEEK))
    half = backup(vault, disks, "half a run", INSTANT + 521 * WEEK)
    half.pull(half.freeze(REQUEST.model_copy(update={"run": "half a run"})))
    take(backup(vault, disks, "next run", INSTANT))
    assert runs(vault) == ["next run", "a run"]


def test_a_run_whose_images_were_given_up_isnt_taken_for_safe(vault: Vault, disks: Path) -> None:
    """Its publish task is cleared after the next run had dropped what was half done."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.pull(frozen)
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    with pytest.raises(MachineNotImagedError):
        one.publish(frozen)
    with pytest.raises(ImageGoneError):
        one.prove(frozen)
    assert runs(vault) == ["next run"]


def test_nobody_else_can_read_a_machine(vault: Vault, disks: Path) -> None:
    """Its disks hold keys and passwords: neither in staging nor when it's published."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.pull(frozen)
    assert Generations(vault).staged("maq1").data.stat().st_mode & 0o77 == 0
    one.prove(frozen)
    one.publish(frozen)
    assert (vault.root / "vm").stat().st_mode & 0o77 == 0
    assert (vault.root / "vm" / "maq1").stat().st_mode & 0o77 == 0
    (vault.root / "vm").chmod(0o755)
    lay(vault, "maq2")
    assert (vault.root / "vm" / "maq2").stat().st_mode & 0o77 == 0


KILLED = """
import os, subprocess, sys
from itertools import count
from include.machines.generation import Generations
from include.vault import Path, Vault
from tests.include.machines.folder_host import backup, take, without_a_wire
from tests.include.machines.machines import INSTANT, proven
from tests.include.worker import Fate
from datetime import timedelta

vault_root, disks = Path(sys.argv[1]), Path(sys.argv[2])
seen = set()
without_a_wire()
for change in count(1):
    copy = Path(f"{vault_root}.{change}")
    subprocess.run(["cp", "--archive", "--sparse=always", vault_root, copy], check=True)
    one = backup(Vault(copy), disks, "next run", INSTANT + timedelta(weeks=1))
    child = os.fork()
    if child == 0:
        sys.addaudithook(Fate(str(copy), die_before=change))
        take(one)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    found = Generations(one.vault).of("maq1")
    seen.add(len(found))
    assert all(proven(generation) for generation in found)
    take(one)
    found = Generations(one.vault).of("maq1")
    assert [generation.record.run for generation in found] == ["a run", "next run"]
    assert all(proven(generation) for generation in found)
    assert not Generations(one.vault).staged("maq1").folder.exists()
    assert found[1].folder.stat().st_mode & 0o222 == 0
    if not killed:
        break
assert seen == {1, 2}
print(change, file=sys.stderr)
"""


def test_a_worker_can_be_killed_before_each_change_it_makes(vault: Vault, disks: Path) -> None:
    """The steps that it died in are taken again; the vault holds proven generations only, at any time."""
    take(backup(vault, disks))
    (disks / "vda.raw").write_bytes(b"a week later" * 99)
    os.truncate(disks / "vdb.raw", MIB)
    python(KILLED, str(vault.root), str(disks), prefix=plain_user())
