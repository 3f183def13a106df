"""The vault in the weekly report: its generations, its space, removals, and damage."""

import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.report import Report, overall, render_text, subject
from include.report.weekly import SHOWN_IMAGES, SHOWN_VMS
from include.results.states import State, WeekState
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.plan import VmAction
from include.vms.removal import RemovedGeneration
from tests.include.report.weekly_runs import (
    GB,
    NOW,
    RUN,
    STARTED,
    done,
    failed,
    made,
    of_maq1,
    planned,
    reported,
    spoiled,
)
from tests.include.vms.sample_vms import lay, lay_ahead

WEEK = timedelta(weeks=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def weeks(report: Report) -> dict[str, tuple[WeekState, WeekState, int]]:
    """Return each VM's state of last week and of this week, and its number of generations."""
    return {row.name: (row.states[-2], row.states[-1], row.count) for row in report.generations}


def damage(generation: PublishedVm) -> Path:
    """Truncate a record, as a disk failure may."""
    generation.folder.chmod(0o700)
    generation.record_file.chmod(0o600)
    generation.record_file.write_text("{")
    return generation.record_file


def test_the_generations_include_all_planned_or_stored_vms(vault: Vault) -> None:
    """By name, each with its state."""
    for vm, back in (
        ("maq1", 0),
        ("maq1", 1),
        ("old", 1),
        ("left-out", 1),
        ("elsewhere", 1),
        ("maq2", 1),
    ):
        host = "kvm2" if vm == "elsewhere" else "kvm_host"
        lay(vault, vm, STARTED - back * WEEK, host=host)
    vms = [planned("maq1"), planned("maq2"), planned("new"), planned("odd", VmAction.REFUSE)]
    vms += [planned("left-out", VmAction.EXCLUDE), planned("never", VmAction.EXCLUDE)]
    results = {"maq1": done(), "maq2": spoiled(failed("begin_backup", "VmNotImagedError"))}
    report = reported(vault, *vms, results=results, unlisted_hosts={"kvm2": None})
    kept, failed_, nothing = WeekState.KEPT, WeekState.FAILED, WeekState.NOTHING
    assert weeks(report) == {
        "elsewhere": (kept, failed_, 1),
        "left-out": (kept, nothing, 1),
        "maq1": (kept, kept, 2),
        "maq2": (kept, failed_, 1),
        "new": (nothing, failed_, 0),
        "odd": (nothing, failed_, 0),
        "old": (kept, nothing, 1),
    }


def test_a_dry_runs_weeks_show_what_it_would_image(vault: Vault) -> None:
    """Not as kept, unless this week already has an image."""
    lay(vault, "maq1", NOW)
    report = reported(vault, planned("maq1"), planned("maq2"), dry_run=True)
    assert weeks(report) == {
        "maq1": (WeekState.NOTHING, WeekState.KEPT, 1),
        "maq2": (WeekState.NOTHING, WeekState.WOULD_IMAGE, 0),
    }


def test_a_run_of_some_vms_shows_only_their_weeks(vault: Vault) -> None:
    """No other VM was to be imaged, so none is missing."""
    for vm in ("maq1", "maq2"):
        lay(vault, vm, STARTED - WEEK)
    report = reported(vault, planned("maq1"), results={"maq1": done()}, requested=("maq1",))
    assert list(weeks(report)) == ["maq1"]


def test_a_generation_dated_in_the_future_hides_no_missing_week(vault: Vault) -> None:
    """A clock was wrong: somebody must look."""
    lay(vault, "maq1", STARTED - 2 * WEEK)
    ahead = lay_ahead(vault)
    report = reported(vault, planned("maq1"), results={"maq1": spoiled(failed("begin_backup", "X"))})
    assert weeks(report) == {"maq1": (WeekState.MISSING, WeekState.FAILED, 2)}
    assert any(f"{ahead.folder} is dated in the future" in sentence for sentence in report.needs_action)
    assert ahead.name not in str(report.verification_command)


def test_the_last_week_is_the_one_in_which_the_run_began(vault: Vault) -> None:
    """In the institute's time zone: at 01:30 UTC on Monday it's still Sunday there."""
    report = reported(vault, planned(), started=datetime(2026, 11, 23, 1, 30, tzinfo=UTC))
    assert report.mondays[-1] == date(2026, 11, 16)


def test_a_vm_whose_name_cant_be_a_folder_is_reported(vault: Vault) -> None:
    """Libvirt allows slashes in a name; the plan refuses such a VM."""
    report = reported(vault, planned("../a\nb", VmAction.REFUSE))
    assert [row.name for row in report.generations] == [r"../a\nb"]
    assert r"✗ ../a\nb   can't be backed up" in render_text(report)


def test_the_space_shows_what_this_run_added_and_removed(vault: Vault) -> None:
    """Shared data counts in each generation; a refused removal doesn't count."""
    gone = RemovedGeneration(vm="maq1", instant=NOW - 9 * WEEK, reason="Too old.", bytes=3 * GB)
    stays = gone.model_copy(update={"refused": "Check it."})
    vms = {name: done(record=made(vm=name, bytes=5 * GB)) for name in ("maq1", "maq2")}
    report = reported(vault, *map(planned, vms), results=vms, removed=[gone, stays])
    space = report.space
    assert space
    assert (space.path, space.reserve_bytes) == (str(vault.root), 20 * GB)
    assert 0 < space.free_bytes <= space.total_bytes
    assert (space.added_bytes, space.gone_bytes) == (10 * GB, 3 * GB)
    assert "This run added 10 GB and removed 3.0 GB" in render_text(report)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_that_imaged_nothing_added_nothing(vault: Vault, *, dry_run: bool) -> None:
    """Whatever the size of older generations."""
    lay(vault, bytes=5 * GB)
    space = reported(vault, planned(), dry_run=dry_run).space
    assert space
    assert (space.added_bytes, space.gone_bytes) == (0, 0)


def test_a_removed_generation_is_listed_with_its_reason(vault: Vault) -> None:
    """Under its folder's name; one that couldn't be removed needs action."""
    gone = RemovedGeneration(vm="maq1", instant=NOW - 9 * WEEK, reason="Too old.", bytes=3 * GB)
    stays = RemovedGeneration(
        vm="maq2", instant=NOW - 9 * WEEK, reason="Too old.", refused="x isn't as it was."
    )
    report = of_maq1(vault, done(), removed=[gone, stays])
    name = f"{NOW - 9 * WEEK:%Y-%m-%dT%H-%M-%SZ}"
    assert [(one.name, one.reason) for one in report.removed] == [
        (f"maq1 {name}", "Too old. Its size was 3.0 GB.")
    ]
    assert report.needs_action == (f"maq2 {name} was to be removed, but is still there. x isn't as it was.",)
    assert subject(report).startswith("[INPE backup] VM OK, action needed")


def test_without_a_result_of_retention_nothing_was_removed(vault: Vault) -> None:
    """A failed run removes nothing."""
    assert of_maq1(vault, done(), removed=None).removed == ()


def test_a_damaged_record_needs_action_and_fails_no_report(vault: Vault) -> None:
    """Even if it is the newest record of an imaged VM."""
    damaged = [damage(lay(vault, vm, NOW - 2 * WEEK)) for vm in ("maq1", "old")]
    report = of_maq1(vault, done())
    assert report.needs_action == tuple(
        f"{path} can't be read. Its generation is not counted as a backup." for path in damaged
    )
    assert overall(report) is State.PASSED


def test_a_damaged_record_doesnt_count_for_a_killed_task(vault: Vault) -> None:
    """It doesn't say which run wrote it."""
    damage(lay(vault, instant=NOW, run=RUN))
    report = of_maq1(vault, spoiled())
    assert overall(report) is State.FAILED


def test_an_unfinished_image_needs_action_after_two_weeks(vault: Vault) -> None:
    """Until then the next run may resume it."""
    folder = VmArchive(vault).staged("maq9").folder
    folder.mkdir(parents=True)
    for days, count in ((13, 0), (15, 1)):
        then = (NOW - timedelta(days=days)).timestamp()
        os.utime(folder, (then, then))
        expected = f"{folder} holds an unfinished image that no run has resumed. Back up maq9 again, "
        sentences = of_maq1(vault, done()).needs_action
        assert [sentence.startswith(expected) for sentence in sentences] == [True] * count


def test_a_vm_that_is_down_comes_first_in_what_needs_action(vault: Vault) -> None:
    """Before open backups, the run's failures and damage."""
    damage(lay(vault))
    down = spoiled(failed("begin_backup", "VmNotBackError"))
    results = {"maq1": done(ended=None), "maq2": down}
    busy = failed("apply_retention", "RescheduleError", "Busy.")
    needed = reported(vault, planned("maq1"), planned("maq2"), results=results, failures=[busy]).needs_action
    assert [sentence.split(" ")[0] for sentence in needed[:3]] == ["maq2", "The", "Busy."]
    assert needed[3].endswith("can't be read. Its generation is not counted as a backup.")


def test_without_a_vault_the_report_leaves_it_out(vault: Vault) -> None:
    """It may not be mounted."""
    lay(vault)
    report = reported(None, planned(), failures=[failed("check_free_space", "VaultUnmarkedError")])
    assert (report.generations, report.mondays, report.space, report.verification_command) == (
        (),
        (),
        None,
        None,
    )
    assert "The generations were not checked." in render_text(report)


def verifies(command: str | None) -> bool:
    """Run a command copied from the mail."""
    assert command
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


def test_the_verification_command_verifies_an_image_of_this_run(tmp_path: Path) -> None:
    """Copied from the mail into a shell; if the run made no image, it verifies the newest."""
    vault = Vault.create(tmp_path / "the institute's vault")
    newest = lay(vault, "new'er; VM", NOW)
    assert newest.name in str(of_maq1(vault, spoiled()).verification_command)
    mine = lay(vault, instant=STARTED + timedelta(seconds=9), run=RUN)
    result = done(record=mine.record)
    command = of_maq1(vault, result).verification_command
    assert mine.name in str(command)
    assert verifies(command)
    mine.image("vda").chmod(0o600)
    mine.image("vda").write_bytes(b"!")
    assert not verifies(command)


def test_a_run_of_one_vm_offers_no_image_of_another(vault: Vault) -> None:
    """Even if that is newer."""
    older, _ = lay(vault, "maq1", NOW - WEEK), lay(vault, "maq3", NOW)
    assert older.name in str(of_maq1(vault, spoiled(), requested=("maq1",)).verification_command)
    other = reported(vault, planned("maq2"), requested=("maq2",))
    assert other.verification_command is None


def test_an_image_whose_path_a_mail_cant_show_isnt_offered_for_verification(vault: Vault) -> None:
    """A line break is shown escaped, so the command would fail; nor is a damaged image offered."""
    lay(vault, "two\nlines", NOW)
    assert of_maq1(vault, spoiled()).verification_command is None
    older = lay(vault, "a VM", NOW - WEEK)
    damage(lay(vault, "a VM", NOW))
    command = of_maq1(vault, spoiled()).verification_command
    assert older.name in str(command)
    assert verifies(command)


def test_the_downtimes_are_those_of_the_last_images(vault: Vault) -> None:
    """Of the VMs that this run stopped, closest to their budgets first; without live images."""
    for back in range(SHOWN_IMAGES + 1):
        for name, spent in (("maq1", 4.0), ("maq2", 50.0)):
            lay(vault, name, STARTED - back * WEEK, downtime_s=spent + back / 10)
    lay(vault, "maq1", STARTED - WEEK / 2, method="live", downtime_s=0)
    lay(vault, "gone", STARTED - WEEK)
    results = {name: done(record=made(vm=name)) for name in ("maq1", "maq2")}
    report = reported(vault, planned("maq1"), planned("maq2"), results=results)

    assert [row.name for row in report.downtimes] == ["maq2", "maq1"]
    assert report.downtimes[1].seconds == tuple(4 + back / 10 for back in reversed(range(SHOWN_IMAGES)))
    assert report.downtimes[1].budget_s == 60


def test_the_downtimes_of_many_vms_stay_small(vault: Vault) -> None:
    """A report is stored in Airflow's database."""
    names = [f"maq{number}" for number in range(SHOWN_VMS + 1)]
    for name in names:
        lay(vault, name, STARTED)
    results = {name: done(record=made(vm=name)) for name in names}
    downtimes = reported(vault, *map(planned, names), results=results).downtimes

    assert len(downtimes) == SHOWN_VMS
    assert SHOWN_IMAGES * sum(len(row.model_dump_json()) for row in downtimes) < 16_000


def test_images_that_no_scrub_verified_in_time_need_action(vault: Vault) -> None:
    """The page has an alert of its own. A run of some VMs doesn't look at the others."""
    old = {"when": NOW - timedelta(days=31), "how": "SHA-256 equal", "seconds": 1}
    lay(vault, "maq2", NOW - timedelta(days=31), verifications=[old])
    report = of_maq1(vault, done())
    [sentence] = report.needs_action
    assert sentence.startswith("1 VM image not verified within 30 days (scrub.max_age_days)")
    assert report.known_states == report.needs_action
    assert of_maq1(vault, done(), requested=("maq1",)).needs_action == ()
