"""Targets that fill up, are too small, or can't be written: real disks, mounted for the test."""

import os
from typing import Any

import pytest

from tests.include.machine import own_mounts, plain_user
from tests.include.restore.steps import take
from tests.include.restore.work import Work, damage, publish

MB = 1 << 20
DAY = ["2026/268/a", "2026/268/b", "2026/268/link"]


@pytest.fixture
def work(here: Work) -> Work:
    """A day of 2 MB."""
    publish(here.vault, {"a": os.urandom(MB), "b": os.urandom(MB)})
    return here


def on_disk(work: Work, options: str, *steps: list[Any]) -> list[dict[str, Any]]:
    """Take steps with the target on a disk of its own."""
    mount = ["run", "mount", "-t", "tmpfs", "-o", options, "tmpfs", work.folder]
    return take(work, [mount, *steps], own_mounts())


def remount(work: Work, options: str) -> list[Any]:
    """Change its size, or whether it can be written."""
    return ["run", "mount", "-o", f"remount,{options}", work.folder]


RESTORE: list[Any] = ["restore", {}]


def test_a_target_without_room_isnt_begun(work: Work) -> None:
    """It's known before anything is written, with how much is missing."""
    [small, dry, enough] = on_disk(
        work, "size=1500k", RESTORE, ["restore", {"dry_run": True}], remount(work, "size=8m"), RESTORE
    )
    assert small["error"] == dry["error"] == "TargetError"
    assert f"{work.folder} needs 2.1 MB for the day, and has 1.5 MB free: " in small["message"]
    assert " are missing. Nothing was written. Make room there." in small["message"]
    assert small["there"] == []
    assert (enough["error"], enough["there"]) == ("", DAY)


def test_a_target_that_has_room_for_the_bytes_and_not_for_the_names(work: Work) -> None:
    """Its number of files is fixed."""
    [few] = on_disk(work, "size=8m,nr_inodes=4", RESTORE)
    assert few["error"] == "TargetError"
    assert "needs room for 5 more files" in few["message"]
    assert few["there"] == []


def test_a_target_that_fills_up_under_the_copy_goes_on_with_more_room(work: Work) -> None:
    """Somebody else wrote to it; nothing of the day has its name until all of it is there and proven."""
    others = [f"{work.folder}/others", MB + MB // 2]
    [full, done] = on_disk(work, "size=3m", ["restore", {"fill": others}], remount(work, "size=8m"), RESTORE)
    assert full["error"] == "TargetError"
    assert full["message"].startswith(f"{work.folder} is full. Make room there and clear the task: ")
    assert not [name for name in full["there"] if name.startswith("2026/268/")]
    assert "2026/.268.restoring/a" in full["there"]
    assert (done["error"], done["there"]) == ("", [*DAY, "others"])


def test_a_target_that_is_mounted_read_only_is_told(work: Work) -> None:
    """And takes the day when it can be written."""
    [refused, done] = on_disk(work, "size=8m", remount(work, "ro"), RESTORE, remount(work, "rw"), RESTORE)
    assert refused["error"] == "TargetError"
    assert refused["message"].startswith(f"{work.folder} is mounted read-only: ")
    assert (refused["there"], done["there"]) == ([], DAY)


def test_a_vault_that_is_mounted_read_only_gives_its_days_back(work: Work) -> None:
    """As a broken disk is, when days are needed most; nothing is written there."""
    root = str(work.vault.root)
    bind = [["run", "mount", "--bind", root, root], ["run", "mount", "-o", "remount,bind,ro", root]]
    [done] = take(work, [*bind, RESTORE], own_mounts())
    assert (done["error"], done["there"]) == ("", DAY)


def test_damage_in_a_vault_that_is_mounted_read_only_is_told_all_the_same(work: Work) -> None:
    """And that nobody else will know of it."""
    damage(work.vault.published()[0])
    root = str(work.vault.root)
    bind = [["run", "mount", "--bind", root, root], ["run", "mount", "-o", "remount,bind,ro", root]]
    [refused] = take(work, [*bind, RESTORE], own_mounts())
    assert refused["error"] == "DayNotProvenError"
    assert any("The damage can't be recorded in " in line for line in refused["said"])


def test_a_folder_that_this_user_cant_write_is_told(work: Work) -> None:
    """Before anything is sent."""
    [refused, done] = take(
        work, [["run", "chmod", "555", work.folder], RESTORE, ["run", "chmod", "755", work.folder], RESTORE],
        plain_user(),
    )  # fmt: skip
    assert refused["error"] == "TargetError"
    assert refused["message"].startswith(f"{work.folder} can't be written by this user: ")
    assert (refused["there"], done["there"]) == ([], DAY)


def test_a_restore_to_the_vaults_own_disk_leaves_its_reserve(work: Work) -> None:
    """Backups need that room; another disk has no reserve."""
    greedy = work.but(reserve_bytes=1 << 60)
    [refused] = take(greedy, [RESTORE], [])
    assert refused["error"] == "TargetError"
    assert " for the day and 1,153 PB in reserve, and has " in refused["message"]
    [done] = on_disk(greedy, "size=8m", RESTORE)
    assert done["error"] == ""
