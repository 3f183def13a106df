"""What the weekly report says of the vault: its generations, its room, what went, and what is wrong in it."""

import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.machines.generation import Generations, PublishedGeneration
from include.machines.plan import Action
from include.machines.removal import Removed
from include.report import Report, State, WeekState, overall, render_text, subject
from include.vault import Vault
from include.weekly_report import SHOWN_IMAGES, SHOWN_MACHINES
from tests.include.machines.machines import lay
from tests.include.weekly_runs import (
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

WEEK = timedelta(weeks=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def weeks(report: Report) -> dict[str, tuple[WeekState, WeekState, int]]:
    """Give how last week and this one stand of each machine, and its number of generations."""
    return {row.name: (row.states[-2], row.states[-1], row.count) for row in report.generations}


def damage(generation: PublishedGeneration) -> Path:
    """Leave half a record, as after a crash of the disk."""
    generation.folder.chmod(0o700)
    generation.record_file.chmod(0o600)
    generation.record_file.write_text("{")
    return generation.record_file


def test_the_generations_are_of_all_machines_that_are_known_or_wanted(vault: Vault) -> None:
    """By name, and each as it stands."""
    for machine, back in (
        ("maq1", 0),
        ("maq1", 1),
        ("old", 1),
        ("left-out", 1),
        ("elsewhere", 1),
        ("maq2", 1),
    ):
        host = "kvm2" if machine == "elsewhere" else "kvm_host"
        lay(vault, machine, STARTED - back * WEEK, host=host)
    machines = [planned("maq1"), planned("maq2"), planned("new"), planned("odd", Action.REFUSE)]
    machines += [planned("left-out", Action.EXCLUDE), planned("never", Action.EXCLUDE)]
    doings = {"maq1": done(), "maq2": spoiled(failed("freeze", "MachineNotImagedError"))}
    report = reported(vault, *machines, doings=doings, lost_hosts={"kvm2": None})
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
    """Not as kept; what this week has already stays so."""
    lay(vault, "maq1", NOW)
    report = reported(vault, planned("maq1"), planned("maq2"), dry_run=True)
    assert weeks(report) == {
        "maq1": (WeekState.NOTHING, WeekState.KEPT, 1),
        "maq2": (WeekState.NOTHING, WeekState.WOULD_IMAGE, 0),
    }


def test_the_weeks_end_with_that_in_which_the_run_began(vault: Vault) -> None:
    """On the institute's clock: at 01:30 in UTC on Monday it's still Sunday there."""
    report = reported(vault, planned(), started=datetime(2026, 11, 23, 1, 30, tzinfo=UTC))
    assert report.mondays[-1] == date(2026, 11, 16)


def test_a_machine_whose_name_is_no_folder_is_reported_all_the_same(vault: Vault) -> None:
    """Libvirt takes slashes in a name; the plan refuses such a machine."""
    report = reported(vault, planned("../a\nb", Action.REFUSE))
    assert [row.name for row in report.generations] == [r"../a\nb"]
    assert r"✗ ../a\nb   can't be backed up" in render_text(report)


def test_the_space_is_what_this_run_took_and_gave_back(vault: Vault) -> None:
    """By what its generations take as if they shared nothing; what wasn't removed gave nothing back."""
    gone = Removed(machine="maq1", instant=NOW - 9 * WEEK, reason="It goes: old.", bytes=3 * GB)
    stays = gone.model_copy(update={"refused": "Look at it."})
    machines = {name: done(record=made(machine=name, bytes=5 * GB)) for name in ("maq1", "maq2")}
    report = reported(vault, *map(planned, machines), doings=machines, removed=[gone, stays])
    space = report.space
    assert space
    assert (space.path, space.reserve_bytes) == (str(vault.root), 20 * GB)
    assert 0 < space.free_bytes <= space.total_bytes
    assert (space.added_bytes, space.gone_bytes) == (10 * GB, 3 * GB)
    assert "This run added 10 GB and gave back 3.0 GB by removals" in render_text(report)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_that_imaged_nothing_added_nothing(vault: Vault, *, dry_run: bool) -> None:
    """Whatever older generations take."""
    lay(vault, bytes=5 * GB)
    space = reported(vault, planned(), dry_run=dry_run).space
    assert space
    assert (space.added_bytes, space.gone_bytes) == (0, 0)


def test_what_was_removed_is_told_with_its_reason(vault: Vault) -> None:
    """As its folder was named; what is still there needs a person."""
    gone = Removed(machine="maq1", instant=NOW - 9 * WEEK, reason="It goes: old.", bytes=3 * GB)
    stays = Removed(
        machine="maq2", instant=NOW - 9 * WEEK, reason="It goes: old.", refused="x isn't as it was."
    )
    report = of_maq1(vault, done(), removed=[gone, stays])
    name = f"{NOW - 9 * WEEK:%Y-%m-%dT%H-%M-%SZ}"
    assert [(one.name, one.reason) for one in report.removed] == [
        (f"maq1 {name}", "It goes: old. It took 3.0 GB.")
    ]
    assert report.needs_person == (f"maq2 {name} should go and is still there. x isn't as it was.",)
    assert subject(report).startswith("[INPE backup] VM OK, needs a person")


def test_a_run_that_came_to_no_removal_removed_nothing(vault: Vault) -> None:
    """A run that failed removes nothing."""
    assert of_maq1(vault, done(), removed=None).removed == ()


def test_a_damaged_record_is_told_and_spoils_no_report(vault: Vault) -> None:
    """Even if it is the newest of a machine that was imaged."""
    damaged = [damage(lay(vault, machine, NOW - 2 * WEEK)) for machine in ("maq1", "old")]
    report = of_maq1(vault, done())
    assert report.needs_person == tuple(f"{path} can't be read. It counts for nothing." for path in damaged)
    assert overall(report) is State.PASSED


def test_a_damaged_record_is_no_word_of_the_vaults_for_a_silent_task(vault: Vault) -> None:
    """Nobody knows whose it is."""
    damage(lay(vault, instant=NOW, run=RUN))
    report = of_maq1(vault, spoiled())
    assert overall(report) is State.FAILED


def test_an_unfinished_image_is_told_after_two_weeks(vault: Vault) -> None:
    """Until then the next run goes on with it, or begins anew."""
    folder = Generations(vault).staged("maq9").folder
    folder.mkdir(parents=True)
    for days, told in ((13, 0), (15, 1)):
        then = (NOW - timedelta(days=days)).timestamp()
        os.utime(folder, (then, then))
        said = f"{folder} holds an unfinished image that nobody goes on with. Back maq9 up again, or "
        sentences = of_maq1(vault, done()).needs_person
        assert [sentence.startswith(said) for sentence in sentences] == [True] * told


def test_what_is_down_needs_a_person_first(vault: Vault) -> None:
    """Before the run's own failures, and what else isn't as it should be."""
    damage(lay(vault))
    down = spoiled(failed("freeze", "MachineNotBackError"))
    doings = {"maq1": done(released=None), "maq2": down}
    busy = failed("remove_old", "NotYetError", "Busy.")
    told = reported(vault, planned("maq1"), planned("maq2"), doings=doings, failures=[busy]).needs_person
    assert [sentence.split(" ")[0] for sentence in told[:3]] == ["maq2", "Nothing", "Busy."]
    assert told[3].endswith("can't be read. It counts for nothing.")


def test_without_a_vault_nothing_is_said_of_it(vault: Vault) -> None:
    """It was unmounted, perhaps."""
    lay(vault)
    report = reported(None, planned(), failures=[failed("ensure_space", "VaultUnmarkedError")])
    assert (report.generations, report.mondays, report.space, report.proof_command) == ((), (), None, None)
    assert "The generations were not checked." in render_text(report)


def proves(command: str | None) -> bool:
    """Run a command as a person does, from the mail."""
    assert command
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


def test_the_proof_command_proves_an_image_of_this_run(tmp_path: Path) -> None:
    """Copied from the mail into a shell; an image of the run's own, or else the newest there is."""
    vault = Vault.create(tmp_path / "the institute's vault")
    newest = lay(vault, "new'er; machine", NOW + WEEK)
    assert newest.name in str(of_maq1(vault, spoiled()).proof_command)
    mine = lay(vault, instant=STARTED + timedelta(seconds=9), run=RUN)
    doing = done(record=mine.record)
    command = of_maq1(vault, doing).proof_command
    assert mine.name in str(command)
    assert proves(command)
    mine.image("vda").chmod(0o600)
    mine.image("vda").write_bytes(b"!")
    assert not proves(command)


def test_a_path_that_no_mail_can_show_is_not_offered_to_a_shell(vault: Vault) -> None:
    """A line break in a name is shown as two letters, which no shell finds; nor is damage offered."""
    lay(vault, "two\nlines", NOW)
    assert of_maq1(vault, spoiled()).proof_command is None
    older = lay(vault, "a machine", NOW - WEEK)
    damage(lay(vault, "a machine", NOW))
    command = of_maq1(vault, spoiled()).proof_command
    assert older.name in str(command)
    assert proves(command)


def test_the_downtimes_of_the_last_images_are_told(vault: Vault) -> None:
    """Of the machines that this run stopped, nearest to its budget first; live images are none."""
    for back in range(SHOWN_IMAGES + 1):
        for name, spent in (("maq1", 4.0), ("maq2", 50.0)):
            lay(vault, name, STARTED - back * WEEK, downtime_s=spent + back / 10)
    lay(vault, "maq1", STARTED - WEEK / 2, method="live", downtime_s=0)
    lay(vault, "gone", STARTED - WEEK)
    doings = {name: done(record=made(machine=name)) for name in ("maq1", "maq2")}
    report = reported(vault, planned("maq1"), planned("maq2"), doings=doings)

    assert [row.name for row in report.downtimes] == ["maq2", "maq1"]
    assert report.downtimes[1].seconds == tuple(4 + back / 10 for back in reversed(range(SHOWN_IMAGES)))
    assert report.downtimes[1].budget_s == 60


def test_many_machines_downtimes_stay_small(vault: Vault) -> None:
    """A report travels through Airflow's database."""
    names = [f"maq{number}" for number in range(SHOWN_MACHINES + 1)]
    for name in names:
        lay(vault, name, STARTED)
    doings = {name: done(record=made(machine=name)) for name in names}
    told = reported(vault, *map(planned, names), doings=doings).downtimes

    assert len(told) == SHOWN_MACHINES
    assert SHOWN_IMAGES * sum(len(row.model_dump_json()) for row in told) < 16_000
