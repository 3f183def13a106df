"""Scrubbing a backup: it is locked, read and recorded, whatever happens meanwhile."""

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

from include.config.vms import KeepRules
from include.errors import RescheduleError, VaultUnmarkedError
from include.scrub.backups import Backup, in_vault, statuses
from include.scrub.plan import decide
from include.scrub.scrubber import Scrubber
from include.vault.locks import locked_existing
from include.vault.vault import MARKER, Vault
from include.vms.removal import apply_retention
from tests.include.days.sample_days import DAY, tree
from tests.include.project_process import environment, python
from tests.include.scrub.sample_backups import day, flip, no_pace, remove
from tests.include.vms.sample_vms import INSTANT, lay, record
from tests.session.needs import own_mounts

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with a day and an image."""
    vault = Vault.create(tmp_path / "vault")
    day(vault)
    lay(vault)
    return vault


def names(vault: Vault) -> list[str]:
    """Return the names of all backups."""
    return [backup.name for backup in in_vault(vault)]


def test_the_result_is_recorded_and_the_backup_unchanged(vault: Vault) -> None:
    """With the run, and the time when the reading began."""
    backups = in_vault(vault)
    flip(backups[1].folder / "vda.img")
    before = [tree(backup.folder) for backup in backups]
    began = datetime.now(UTC)
    readings = list(Scrubber(vault, "a run", no_pace).read_all(names(vault), LONG_AGO))
    assert [(one.name, one.day, one.result) for one in readings] == [
        ("2026-268", DAY, "passed"),
        ("maq1 2026-11-22T05-00-03Z", None, "failed"),
    ]
    assert [tree(backup.folder) for backup in backups] == before
    for backup, reading in zip(backups, readings, strict=True):
        [found] = backup.verification_log.read()
        assert (found.what, found.result, found.how, found.run) == (
            "scrub",
            reading.result,
            reading.how,
            "a run",
        )
        assert began <= found.when <= datetime.now(UTC)
    assert [one.damage is None for one in statuses(backups)] == [True, False]


def test_nothing_is_recorded_if_not_requested(vault: Vault) -> None:
    """Damage neither."""
    before = tree(vault.root)
    flip(in_vault(vault)[1].folder / "vda.img")
    readings = list(Scrubber(vault, "by hand", no_pace, record=False).read_all(names(vault), LONG_AGO))
    assert [one.result for one in readings] == ["passed", "failed"]
    assert tree(vault.root).keys() == before.keys()


def test_a_run_doesnt_read_a_backup_twice(vault: Vault) -> None:
    """Unless the run was cleared since, or another run has read it."""
    scrubber, counted = Scrubber(vault, "a run", no_pace), list[int]()
    first = list(scrubber.read_all(names(vault), LONG_AGO))
    again = Scrubber(vault, "a run", counted.append)
    assert [one.how for one in again.read_all(names(vault), LONG_AGO)] == [one.how for one in first]
    assert counted == []
    assert len(list(again.read_all(names(vault), datetime.now(UTC)))) == 2
    assert counted


def test_a_removed_backup_is_skipped(vault: Vault) -> None:
    """Retention removed it after the plan was made."""
    vm = in_vault(vault)[1]
    lay(vault, instant=INSTANT + timedelta(days=1))
    keep = KeepRules(last=0, weekly=1, monthly=0, yearly=0)
    assert apply_retention(vault, [record(instant=INSTANT + timedelta(days=1))], keep)[0].refused is None
    scrubber = Scrubber(vault, "a run", no_pace)
    assert scrubber.read(vm) is None
    assert list(scrubber.read_all([vm.name], LONG_AGO)) == []
    assert not vm.verification_log.path.exists()


def test_a_vault_that_is_unmounted_meanwhile_isnt_damage(vault: Vault) -> None:
    """Or all days would be fetched again."""
    [backup, _] = in_vault(vault)

    def unmounted(_: int) -> None:
        if (vault.root / MARKER).exists():
            (vault.root / MARKER).rename(vault.root / "moved")
            (vault.root / "supim").rename(vault.root / "moved too")

    with pytest.raises(VaultUnmarkedError):
        Scrubber(vault, "a run", unmounted).read(backup)


def test_a_folder_that_vanishes_during_the_scrub_is_damage(vault: Vault) -> None:
    """The scrub doesn't crash."""
    [backup, _] = in_vault(vault)

    def moved(_: int) -> None:
        if backup.folder.exists():
            backup.folder.chmod(0o755)
            backup.folder.rename(vault.root / "moved")

    reading = Scrubber(vault, "a run", moved).read(backup)
    assert reading
    assert reading.result == "failed"
    assert "can't be read: No such file or directory." in reading.how


def test_an_unreadable_file_whose_name_isnt_utf_8_is_recorded(vault: Vault) -> None:
    """Its name is escaped."""
    more_than_are_read_at_once = 4 * (os.cpu_count() or 1)
    odd = day(vault, {f"{number}\n\udcff": b"odd" for number in range(more_than_are_read_at_once)})
    [backup] = [one for one in in_vault(vault) if one.folder == odd.folder]
    one_at_a_time = threading.Lock()

    def moved(_: int) -> None:
        with one_at_a_time:
            if odd.folder.exists():
                odd.folder.chmod(0o755)
                odd.folder.rename(vault.root / "moved")

    reading = Scrubber(vault, "a run", moved).read(backup)
    assert reading
    assert r"\n\xff' can't be read: No such file or directory." in reading.how
    [found] = backup.verification_log.read()
    assert found.how == reading.how


NEWEST_ONLY = KeepRules(last=0, weekly=1, monthly=0, yearly=0)
WEEK = timedelta(weeks=1)


def test_a_backup_that_is_being_read_isnt_removed(vault: Vault) -> None:
    """Retention skips it and reports that, because it can't wait for hours. Other backups are removed."""
    lay(vault, instant=INSTANT - WEEK)
    lay(vault, instant=INSTANT + timedelta(days=1))
    refused, one_at_a_time = dict[str, str | None](), threading.Lock()

    def pace(_: int) -> None:
        with one_at_a_time:
            if not refused:
                removed = apply_retention(vault, [record(instant=INSTANT + timedelta(days=1))], NEWEST_ONLY)
                refused.update({f"{one.instant:%m-%d}": one.refused for one in removed})

    reading = Scrubber(vault, "a run", pace).read(in_vault(vault)[2])
    assert reading
    assert (reading.name, reading.result) == ("maq1 2026-11-22T05-00-03Z", "passed")
    reason = "It is being read, by a scrub or a person. The next good run removes it."
    assert refused == {"11-15": None, "11-22": reason}
    again = apply_retention(vault, [record(instant=INSTANT + timedelta(days=1))], NEWEST_ONLY)
    assert [one.refused for one in again] == [None]


def test_a_backup_that_is_being_removed_isnt_read(vault: Vault) -> None:
    """The task is rescheduled, and finds it gone."""
    backup = in_vault(vault)[1]
    with locked_existing(backup.folder, fcntl.LOCK_EX, "a removal"), pytest.raises(RescheduleError):
        Scrubber(vault, "a run", no_pace).read(backup)


def test_a_missing_folder_is_reported_until_a_newer_backup_is_intact(vault: Vault) -> None:
    """A person who removed it on purpose removes its log as well."""
    vm = in_vault(vault)[1]
    assert Scrubber(vault, "a run", no_pace).read(vm)
    remove(vm.folder)
    assert names_due(vault) == [vm.name]
    reading = Scrubber(vault, "another run", no_pace).read(vm)
    assert reading
    assert reading.result == "failed"
    assert reading.how.startswith(f"The folder {vm.folder} is missing. If you removed it on purpose, remove ")
    assert names_due(vault) == [vm.name]
    lay(vault, instant=INSTANT + timedelta(days=1))
    assert names_due(vault) == []
    vm.verification_log.path.unlink()
    assert vm.name not in names(vault)


def names_due(vault: Vault) -> list[str]:
    """Return the names of the VM backups that a scrub of that week reads."""
    decided = decide(statuses(in_vault(vault)), INSTANT + WEEK, timedelta(days=30))
    return [one.status.backup.name for one in decided if one.due and "maq" in one.status.backup.name]


READ_ONLY = """
import subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from include.scrub.backups import in_vault
from include.scrub.scrubber import Scrubber
from include.vault.vault import Vault
vault = Vault.open(Path(sys.argv[1]))
if len(sys.argv) > 2:
    (vault.root / ".lock").unlink()
subprocess.run(["mount", "--bind", vault.root, vault.root], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", vault.root], check=True)
for backup in in_vault(vault):
    reading = Scrubber(vault, "a run", lambda count: None).read(backup)
    print(reading.result, reading.warnings)
"""


@pytest.mark.parametrize("unlocked", [[], ["without a lock"]])
def test_a_read_only_vault_is_read_with_a_warning_that_nothing_is_recorded(
    vault: Vault, unlocked: list[str]
) -> None:
    """The kernel remounts a disk with errors read-only."""
    output = python(READ_ONLY, str(vault.root), *unlocked, prefix=own_mounts()).splitlines()
    assert [line.split()[0] for line in output] == ["passed", "passed"]
    assert all("The result can't be recorded" in line and "Read-only file system" in line for line in output)


KILLED = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from include.scrub.scrubber import Scrubber
from include.scrub.backups import in_vault
from include.vault.vault import Vault
vault = Vault.open(Path(sys.argv[1]))
names = [backup.name for backup in in_vault(vault)]
def pace(count):
    if sys.argv[2] == "stop halfway" and in_vault(vault)[0].verification_log.read():
        os.write(1, b"half\\n")
        time.sleep(60)
for reading in Scrubber(vault, "a run", pace).read_all(names, datetime(2000, 1, 1, tzinfo=UTC)):
    pass
"""


def test_a_killed_run_resumes(vault: Vault) -> None:
    """By SIGKILL during the second backup: the first one is recorded, and not read again."""
    command = [sys.executable, "-c", KILLED, str(vault.root), "stop halfway"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)
    first, second = in_vault(vault)
    assert [found.result for found in first.verification_log.read()] == ["passed"]
    assert second.verification_log.read() == []

    python(KILLED, str(vault.root), "resume")
    assert [len(backup.verification_log.read()) for backup in (first, second)] == [1, 1]


def test_the_result_has_the_duration_and_size(vault: Vault) -> None:
    """In seconds and bytes."""
    [backup, _] = in_vault(vault)
    reading = Scrubber(vault, "a run", lambda _: time.sleep(0.02)).read(Backup(backup.published))
    assert reading
    assert 0.02 <= reading.seconds < 20
    assert (reading.files, reading.bytes) == (4, 2_500_009)
