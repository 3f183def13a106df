"""Targets that fill up, are too small, or can't be written, on real file systems."""

import os
from typing import Any

import pytest

from include.days.archive import DayArchive
from tests.include.restore.day_restores import Work, damage, publish
from tests.include.restore.sample_steps import take
from tests.session import needs
from tests.session.needs import own_mounts, plain_user

MB = 1 << 20
DAY = ["2026/268/a", "2026/268/b", "2026/268/link"]


@pytest.fixture
def work(here: Work) -> Work:
    """A day of 2 MB."""
    publish(here.vault, {"a": os.urandom(MB), "b": os.urandom(MB)})
    return here


def on_disk(work: Work, options: str, *steps: list[Any]) -> list[dict[str, Any]]:
    """Run steps with the target on a disk of its own, which only root may remount."""
    needs.root()
    mount = ["run", "mount", "-t", "tmpfs", "-o", options, "tmpfs", work.folder]
    return take(work, [mount, *steps], own_mounts())


def remount(work: Work, options: str) -> list[Any]:
    """Return a step that changes the disk's size, or whether it is writable."""
    return ["run", "mount", "-o", f"remount,{options}", work.folder]


RESTORE: list[Any] = ["restore", {}]


def test_a_target_without_enough_space_isnt_written_to(work: Work) -> None:
    """The message has how much is missing."""
    [small, dry, enough] = on_disk(
        work, "size=1500k", RESTORE, ["restore", {"dry_run": True}], remount(work, "size=8m"), RESTORE
    )
    assert small["error"] == dry["error"] == "TargetError"
    assert f"{work.folder} needs 2.1 MB for the day, and has 1.5 MB free: " in small["message"]
    assert " short. Nothing was written. Free space there." in small["message"]
    assert small["there"] == []
    assert (enough["error"], enough["there"]) == ("", DAY)


def test_a_target_without_enough_inodes_isnt_written_to(work: Work) -> None:
    """The message has how many it needs."""
    [few] = on_disk(work, "size=8m,nr_inodes=4", RESTORE)
    assert few["error"] == "TargetError"
    assert "needs 5 more files, and has inodes for " in few["message"]
    assert few["there"] == []


def test_a_target_that_fills_up_during_the_transfer_resumes_with_more_space(work: Work) -> None:
    """Another program writes to it. No file of the day gets its name before all are verified."""
    others = [f"{work.folder}/others", MB + MB // 2]
    [full, done] = on_disk(work, "size=3m", ["restore", {"fill": others}], remount(work, "size=8m"), RESTORE)
    assert full["error"] == "TargetError"
    assert full["message"].startswith(f"{work.folder} is full. Free space there and clear the task")
    assert not [name for name in full["there"] if name.startswith("2026/268/")]
    assert "2026/.268.restoring/a" in full["there"]
    assert (done["error"], done["there"]) == ("", [*DAY, "others"])


def test_a_read_only_target_is_an_error(work: Work) -> None:
    """Once it is writable, the day is restored."""
    [refused, done] = on_disk(work, "size=8m", remount(work, "ro"), RESTORE, remount(work, "rw"), RESTORE)
    assert refused["error"] == "TargetError"
    assert refused["message"].startswith(f"{work.folder} is mounted read-only: ")
    assert (refused["there"], done["there"]) == ([], DAY)


def test_days_are_restored_from_a_read_only_vault(work: Work) -> None:
    """The kernel remounts a failing disk read-only."""
    root = str(work.vault.root)
    bind = [["run", "mount", "--bind", root, root], ["run", "mount", "-o", "remount,bind,ro", root]]
    [done] = take(work, [*bind, RESTORE], own_mounts())
    assert (done["error"], done["there"]) == ("", DAY)


def test_damage_in_a_read_only_vault_is_reported(work: Work) -> None:
    """With a warning that it can't be recorded."""
    damage(DayArchive(work.vault).published()[0])
    root = str(work.vault.root)
    bind = [["run", "mount", "--bind", root, root], ["run", "mount", "-o", "remount,bind,ro", root]]
    [refused] = take(work, [*bind, RESTORE], own_mounts())
    assert refused["error"] == "DayNotVerifiedError"
    assert any("The damage can't be recorded in " in line for line in refused["log_lines"])


def test_a_folder_that_this_user_may_not_write_is_an_error(work: Work) -> None:
    """Before anything is sent."""
    [refused, done] = take(
        work, [["run", "chmod", "555", work.folder], RESTORE, ["run", "chmod", "755", work.folder], RESTORE],
        plain_user(),
    )  # fmt: skip
    assert refused["error"] == "TargetError"
    assert refused["message"].startswith(f"{work.folder} can't be written by this user: ")
    assert (refused["there"], done["there"]) == ([], DAY)


def test_a_restore_to_the_vaults_own_disk_leaves_its_reserve_free(work: Work) -> None:
    """Backups need that space; other disks have no reserve."""
    greedy = work.but(reserve_bytes=1 << 60)
    [refused] = take(greedy, [RESTORE], [])
    assert refused["error"] == "TargetError"
    assert " for the day and 1,153 PB in reserve, and has " in refused["message"]
    [done] = on_disk(greedy, "size=8m", RESTORE)
    assert done["error"] == ""
