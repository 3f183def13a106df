"""One backup, read again: held meanwhile, recorded afterwards, whatever happens in between."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.audit.backups import Backup, in_vault, standings
from include.audit.due import decide
from include.audit.reading import Reader
from include.errors import NotYetError, VaultUnmarkedError
from include.locks import kept
from include.machines.removal import remove_old
from include.machines.retention import Keep
from include.vault import MARKER, Vault
from tests.include.audit.kept import day, flip, no_pace, remove
from tests.include.days import DAY, tree
from tests.include.machine import environment, own_mounts, python
from tests.include.machines.machines import INSTANT, lay, record

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day and an image."""
    vault = Vault.create(tmp_path / "vault")
    day(vault)
    lay(vault)
    return vault


def names(vault: Vault) -> list[str]:
    """Give the names of all backups."""
    return [backup.name for backup in in_vault(vault)]


def test_what_was_found_is_recorded_and_the_backup_stays_as_it_is(vault: Vault) -> None:
    """With the run, and the time at which the reading began."""
    backups = in_vault(vault)
    flip(backups[1].folder / "vda.img")
    before = [tree(backup.folder) for backup in backups]
    began = datetime.now(UTC)
    readings = list(Reader(vault, "a run", no_pace).read_all(names(vault), LONG_AGO))
    assert [(one.name, one.day, one.result) for one in readings] == [
        ("2026-268", DAY, "passed"),
        ("maq1 2026-11-22T05-00-03Z", None, "failed"),
    ]
    assert [tree(backup.folder) for backup in backups] == before
    for backup, reading in zip(backups, readings, strict=True):
        [found] = backup.proofs.read()
        assert (found.what, found.result, found.how, found.run) == (
            "audit",
            reading.result,
            reading.how,
            "a run",
        )
        assert began <= found.when <= datetime.now(UTC)
    assert [one.damage is None for one in standings(backups)] == [True, False]


def test_nothing_is_recorded_unless_asked_for(vault: Vault) -> None:
    """For who only wants to know."""
    before = tree(vault.root)
    flip(in_vault(vault)[1].folder / "vda.img")
    readings = list(Reader(vault, "by hand", no_pace, record=False).read_all(names(vault), LONG_AGO))
    assert [one.result for one in readings] == ["passed", "failed"]
    assert tree(vault.root).keys() == before.keys()


def test_what_the_run_has_read_isnt_read_twice(vault: Vault) -> None:
    """But what it read before it was cleared is, and so is what another run has read."""
    reader, paid = Reader(vault, "a run", no_pace), list[int]()
    first = list(reader.read_all(names(vault), LONG_AGO))
    again = Reader(vault, "a run", paid.append)
    assert [one.how for one in again.read_all(names(vault), LONG_AGO)] == [one.how for one in first]
    assert paid == []
    assert len(list(again.read_all(names(vault), datetime.now(UTC)))) == 2
    assert paid


def test_what_is_gone_is_passed_over(vault: Vault) -> None:
    """Retention removed it since it was planned."""
    machine = in_vault(vault)[1]
    lay(vault, instant=INSTANT + timedelta(weeks=1))
    keep = Keep(weekly=1, monthly=0, yearly=0)
    assert remove_old(vault, [record(instant=INSTANT + timedelta(weeks=1))], keep)[0].refused is None
    reader = Reader(vault, "a run", no_pace)
    assert reader.read(machine) is None
    assert list(reader.read_all([machine.name], LONG_AGO)) == []
    assert not machine.proofs.path.exists()


def test_a_vault_that_is_unmounted_meanwhile_isnt_damaged(vault: Vault) -> None:
    """Or each backup would be fetched again."""
    [backup, _] = in_vault(vault)

    def unmounted(_: int) -> None:
        if (vault.root / MARKER).exists():
            (vault.root / MARKER).rename(vault.root / "moved")
            (vault.root / "supim").rename(vault.root / "moved too")

    with pytest.raises(VaultUnmarkedError):
        Reader(vault, "a run", unmounted).read(backup)


def test_a_file_that_goes_away_while_it_is_read_is_damage(vault: Vault) -> None:
    """And no crash; a folder, too."""
    [backup, _] = in_vault(vault)

    def moved(_: int) -> None:
        if backup.folder.exists():
            backup.folder.chmod(0o755)
            backup.folder.rename(vault.root / "moved")

    reading = Reader(vault, "a run", moved).read(backup)
    assert reading
    assert reading.result == "failed"
    assert "can't be read: No such file or directory." in reading.how


def test_a_file_with_an_odd_name_that_cant_be_read_is_recorded(vault: Vault) -> None:
    """Its name is no text: it's shown, and nothing fails for it."""
    more_than_are_read_at_once = 4 * (os.cpu_count() or 1)
    odd = day(vault, {f"{number}\n\udcff": b"odd" for number in range(more_than_are_read_at_once)})
    [backup] = [one for one in in_vault(vault) if one.folder == odd.folder]
    one_at_a_time = threading.Lock()

    def moved(_: int) -> None:
        with one_at_a_time:
            if odd.folder.exists():
                odd.folder.chmod(0o755)
                odd.folder.rename(vault.root / "moved")

    reading = Reader(vault, "a run", moved).read(backup)
    assert reading
    assert r"\n\xff' can't be read: No such file or directory." in reading.how
    [found] = backup.proofs.read()
    assert found.how == reading.how


NEWEST_ONLY = Keep(weekly=1, monthly=0, yearly=0)
WEEK = timedelta(weeks=1)


def test_what_is_read_isnt_removed_and_all_else_goes_on(vault: Vault) -> None:
    """Removal says so and is done with it: it can't wait for hours, and its run's mail with it."""
    lay(vault, instant=INSTANT - WEEK)
    lay(vault, instant=INSTANT + WEEK)
    told, one_at_a_time = dict[str, str | None](), threading.Lock()

    def pace(_: int) -> None:
        with one_at_a_time:
            if not told:
                removed = remove_old(vault, [record(instant=INSTANT + WEEK)], NEWEST_ONLY)
                told.update({f"{one.instant:%m-%d}": one.refused for one in removed})

    reading = Reader(vault, "a run", pace).read(in_vault(vault)[2])
    assert reading
    assert (reading.name, reading.result) == ("maq1 2026-11-22T05-00-03Z", "passed")
    refused = "It is being read just now, by an audit or a person. The next good run removes it."
    assert told == {"11-15": None, "11-22": refused}
    again = remove_old(vault, [record(instant=INSTANT + WEEK)], NEWEST_ONLY)
    assert [one.refused for one in again] == [None]


def test_what_is_being_removed_isnt_read(vault: Vault) -> None:
    """It's looked at again a moment later, and is gone by then."""
    backup = in_vault(vault)[1]
    with kept(backup.folder, fcntl.LOCK_EX, "a removal"), pytest.raises(NotYetError):
        Reader(vault, "a run", no_pace).read(backup)


def test_a_folder_that_vanished_is_told_until_a_newer_one_is_whole(vault: Vault) -> None:
    """And also then once; a person who removed it removes the rest of it."""
    machine = in_vault(vault)[1]
    assert Reader(vault, "a run", no_pace).read(machine)
    remove(machine.folder)
    assert names_due(vault) == [machine.name]
    reading = Reader(vault, "another run", no_pace).read(machine)
    assert reading
    assert reading.result == "failed"
    assert reading.how.startswith(f"The folder {machine.folder} is missing. Retention would have removed ")
    assert names_due(vault) == [machine.name]
    lay(vault, instant=INSTANT + WEEK)
    assert names_due(vault) == []
    machine.proofs.path.unlink()
    assert machine.name not in names(vault)


def names_due(vault: Vault) -> list[str]:
    """Give the names of what an audit of that week would read of machines."""
    decided = decide(standings(in_vault(vault)), INSTANT + WEEK, timedelta(days=30))
    return [one.standing.backup.name for one in decided if one.due and "maq" in one.standing.backup.name]


READ_ONLY = """
import subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from include.audit.backups import in_vault
from include.audit.reading import Reader
from include.vault import Vault
vault = Vault.open(Path(sys.argv[1]))
if len(sys.argv) > 2:
    (vault.root / ".lock").unlink()
subprocess.run(["mount", "--bind", vault.root, vault.root], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", vault.root], check=True)
for backup in in_vault(vault):
    reading = Reader(vault, "a run", lambda count: None).read(backup)
    print(reading.result, reading.warnings)
"""


@pytest.mark.parametrize("unlocked", [[], ["without a lock"]])
def test_a_vault_that_is_read_only_is_read_and_it_is_said_that_nothing_is_recorded(
    vault: Vault, unlocked: list[str]
) -> None:
    """A disk with errors is mounted again like that by the kernel."""
    said = python(READ_ONLY, str(vault.root), *unlocked, prefix=own_mounts()).splitlines()
    assert [line.split()[0] for line in said] == ["passed", "passed"]
    assert all("the result can't be recorded" in line and "Read-only file system" in line for line in said)


KILLED = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from include.audit.reading import Reader
from include.audit.backups import in_vault
from include.vault import Vault
vault = Vault.open(Path(sys.argv[1]))
names = [backup.name for backup in in_vault(vault)]
def pace(count):
    if sys.argv[2] == "stand still" and in_vault(vault)[0].proofs.read():
        os.write(1, b"half\\n")
        time.sleep(60)
for reading in Reader(vault, "a run", pace).read_all(names, datetime(2000, 1, 1, tzinfo=UTC)):
    pass
"""


def test_a_run_that_is_killed_goes_on_with_what_is_left(vault: Vault) -> None:
    """By -9, in the middle of the second backup: the first one's proof is there, and not made twice."""
    command = [sys.executable, "-c", KILLED, str(vault.root), "stand still"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as reading:
        assert reading.stdout
        assert reading.stdout.readline() == b"half\n"
        os.kill(reading.pid, signal.SIGKILL)
    first, second = in_vault(vault)
    assert [found.result for found in first.proofs.read()] == ["passed"]
    assert second.proofs.read() == []

    python(KILLED, str(vault.root), "go on")
    assert [len(backup.proofs.read()) for backup in (first, second)] == [1, 1]


def test_the_time_it_takes_is_told(vault: Vault) -> None:
    """In seconds."""
    [backup, _] = in_vault(vault)
    reading = Reader(vault, "a run", lambda _: time.sleep(0.02)).read(Backup(backup.published))
    assert reading
    assert 0.02 <= reading.seconds < 20
    assert (reading.files, reading.bytes) == (4, 2_500_009)
