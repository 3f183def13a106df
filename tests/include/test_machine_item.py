"""What is said of one machine: what is down leads, and why there is no image stands in its task's words."""

from pathlib import Path

import pytest

from include.agent import job
from include.agent.errors import NotPossibleError
from include.agent.folder import State as HostState
from include.agent.virsh import Virsh
from include.report import Outcome, State, headline, overall, subject
from include.vault import Vault
from include.weekly_report import MachineDoing
from tests.include.machines.machines import UUID, lay
from tests.include.weekly_runs import (
    NOT_BACK,
    RUN,
    done,
    failed,
    frozen,
    item,
    made,
    of_maq1,
    planned,
    released,
    reported,
    spoiled,
)

SILENT = (
    "Its tasks ended without a word: killed, or the worker went down. See their logs; then clear its task"
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"method": "cold"}, "It was stopped, and imaged while it ran again. It runs."),
        ({"method": "live"}, "It was imaged while it ran. It runs."),
        ({"method": "copy"}, "It was stopped, and down while its disks were copied. It runs."),
        ({"method": "offline", "was": "off"}, "It was imaged without being started. It runs."),
    ],
)
def test_it_is_told_how_a_machine_was_imaged(vault: Vault, facts: dict[str, object], reason: str) -> None:
    """And how it's known that it is back."""
    assert item(of_maq1(vault, done(record=made(**facts)))).reason == reason


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "the guest shut down by itself."),
        ({"stopped": "destroyed"}, "it was switched off, so the disks are as after a power cut."),
        (
            {"stopped": "not stopped", "method": "live"},
            "it went on running, so the disks are as after a power cut.",
        ),
        ({"stopped": "not stopped", "method": "offline", "was": "off"}, "it was off."),
    ],
)
def test_it_is_told_how_consistent_an_image_is(vault: Vault, facts: dict[str, object], said: str) -> None:
    """By how the machine went down."""
    assert (
        item(of_maq1(vault, done(record=made(**facts)))).evidence == f"{said} No file system was found in it."
    )


def test_the_file_systems_are_told_once(vault: Vault) -> None:
    """Those that aren't clean are warnings, by the record; the others are evidence."""
    kinds = {"clean, by its superblock.": True, "not looked at.": None, "not cleanly unmounted.": False}
    found = [{"place": "disk", "kind": "x", "clean": clean, "told": told} for told, clean in kinds.items()]
    [disk, *_] = made().model_dump()["disks"]
    warnings = ["vda, not cleanly unmounted."]
    image = item(of_maq1(vault, done(record=made(disks=[{**disk, "filesystems": found}], warnings=warnings))))
    assert (
        image.evidence == "the guest shut down by itself. vda, clean, by its superblock. vda, not looked at."
    )
    assert image.warnings == ("vda, not cleanly unmounted.",)


@pytest.mark.parametrize(
    ("doing", "warnings"),
    [
        (done(record=made(warnings=("Odd.",))), ("Odd.",)),
        (done(record=made(downtime_s=75)), ("It was down for 1 min 15 s; its budget is 1 min 0 s.",)),
        (done(record=made(downtime_s=60)), ()),
        (
            done(released=released("running", "It had halted; it goes on.")),
            ("Found at its release: It had halted; it goes on.",),
        ),
        (
            done(released=None, failures=(failed("release", "SourceUnreachableError", "No route to host."),)),
            ("Its release failed: No route to host.",),
        ),
    ],
    ids=["the record's", "too long down", "just in time", "put right", "not released"],
)
def test_what_is_odd_about_an_imaged_machine_is_a_warning(
    vault: Vault, doing: MachineDoing, warnings: tuple[str, ...]
) -> None:
    """It's imaged and proven for all that."""
    found = item(of_maq1(vault, doing))
    assert (found.outcome, found.warnings) == (Outcome.IMAGED, warnings)


@pytest.mark.parametrize(
    "doing",
    [
        spoiled(NOT_BACK),
        spoiled(NOT_BACK, released=None),
        spoiled(NOT_BACK, failed("release", "NotYetError"), released=None),
        spoiled(failed("pull_image", "NoSpaceError"), NOT_BACK, frozen=frozen(), released=None),
        done(released=None, failures=(NOT_BACK.model_copy(update={"task": "secure_machine.release"}),)),
        done(failures=(NOT_BACK,)),
    ],
    ids=[
        "freeze",
        "and no release",
        "and a failed release",
        "release",
        "release of an image",
        "with an image",
    ],
)
def test_a_machine_that_isnt_proven_to_be_back_leads(vault: Vault, doing: MachineDoing) -> None:
    """Whatever else happened, and though there may be an image."""
    report = reported(vault, planned("maq0"), planned(), doings={"maq0": done(), "maq1": doing})
    found = item(report)
    assert (found.state, found.outcome) == (State.FAILED, Outcome.NOT_BACK)
    assert found.reason.startswith("maq1 isn't proven to run. (host kvm_host)")
    assert ("An image of it was published, and proven." in found.reason) is (doing.record is not None)
    assert ("Its release found it running." in found.reason) is (doing.released is not None)
    assert not any("isn't proven" in warning for warning in found.warnings)
    assert subject(report) == "[INPE backup] VM DOWN · maq1 did not come back"
    assert headline(report).startswith("maq1 did not come back. Look now")
    assert report.needs_person[0].startswith("maq1 did not come back. Look at it now: at kvm_host, `virsh ")
    assert f"`virsh start {UUID}` starts it" in report.needs_person[0]


def test_a_machine_that_ran_and_is_off_after_a_lost_freeze_is_not_back(vault: Vault) -> None:
    """Nobody said so, but its host did at the release."""
    report = of_maq1(
        vault, spoiled(failed("freeze", "SourceUnreachableError"), released=released("shut off"))
    )
    assert item(report).outcome is Outcome.NOT_BACK
    assert item(report).reason == "It ran before, and its host says that it is shut off now."


@pytest.mark.parametrize(
    ("was", "state", "told"),
    [
        ("running", "shut off", 1),
        ("running", "paused", 1),
        ("running", "running", 0),
        ("running", "idle", 0),
        ("off", "shut off", 0),
        ("off", "running", 0),
    ],
)
def test_a_machine_that_came_back_and_went_down_later_needs_a_person(
    vault: Vault, was: str, state: str, told: int
) -> None:
    """It may be its owner's wish; the image is good."""
    method = "offline" if was == "off" else "cold"
    doing = done(record=made(was=was, method=method), released=released(state))
    report = reported(vault, planned(was=was, method=method), doings={"maq1": doing})
    said = (
        f"maq1 was proven to run again, and is {state} by now: somebody stopped it, or it failed. Look at it."
    )
    assert item(report).outcome is Outcome.IMAGED
    assert report.needs_person == (said,) * told


@pytest.mark.parametrize(
    ("task", "error", "outcome"),
    [
        ("freeze", "MachineNotStoppedError", Outcome.NOT_STOPPED),
        ("freeze", "MachineNotPossibleError", Outcome.NOT_POSSIBLE),
        ("freeze", "MachineNotImagedError", Outcome.NOT_IMAGED),
        ("freeze", "NoSpaceError", Outcome.NOT_IMAGED),
        ("pull_image", "ImageGoneError", Outcome.NOT_IMAGED),
        ("pull_image", "SourceUnreachableError", Outcome.NOT_IMAGED),
        ("verify_image", "MachineNotImagedError", Outcome.NOT_IMAGED),
        ("publish_image", "ZeroDivisionError", Outcome.NOT_IMAGED),
    ],
)
def test_a_machine_that_isnt_imaged_says_why(vault: Vault, task: str, error: str, outcome: Outcome) -> None:
    """In its task's own words."""
    held = None if task == "freeze" else frozen()
    report = of_maq1(vault, spoiled(failed(task, error), frozen=held))
    found = item(report)
    assert (found.state, found.outcome, found.reason) == (State.FAILED, outcome, f"{error} happened.")
    assert (found.own, report.needs_person, overall(report)) == (True, (), State.FAILED)


def test_the_first_failure_is_the_cause(vault: Vault) -> None:
    """What failed after it is its consequence."""
    failures = (
        failed("pull_image", "NoSpaceError", "The vault is full."),
        failed("publish_image", "KeyError"),
    )
    assert item(of_maq1(vault, spoiled(*failures))).reason == "The vault is full."


@pytest.mark.parametrize(
    ("doing", "downtime_s"),
    [
        (spoiled(failed("pull_image", "NoSpaceError"), frozen=frozen()), 4.2),
        (spoiled(failed("freeze", "MachineNotImagedError")), None),
        (spoiled(NOT_BACK), None),
        (MachineDoing(), None),
    ],
    ids=["measured", "couldn't be frozen", "not back", "silent"],
)
def test_a_machine_that_may_have_been_stopped_has_a_downtime(
    vault: Vault, doing: MachineDoing, downtime_s: float | None
) -> None:
    """Not known is said to be so."""
    stop = item(of_maq1(vault, doing)).standstill
    assert stop
    assert (stop.method, stop.was, stop.downtime_s, stop.budget_s) == ("cold", "running", downtime_s, 60)


@pytest.mark.parametrize("error", ["MachineNotPossibleError", "MachineNotStoppedError", "NoSpaceError"])
def test_a_machine_that_wasnt_stopped_has_none(vault: Vault, error: str) -> None:
    """It would stand among those that were."""
    assert item(of_maq1(vault, spoiled(failed("freeze", error)))).standstill is None


def test_a_machine_is_held_back_when_another_of_its_host_isnt_back(vault: Vault, tmp_path: Path) -> None:
    """By the agent's own words: it could be backed up, and wasn't tried."""
    state = HostState(str(tmp_path / "host"))
    state.make()
    state.say_not_back(RUN, "maq1")
    keys = ("method", "on_timeout", "shutdown_timeout_s", "lease_s", "scratch", "proof")
    with pytest.raises(NotPossibleError) as refused:
        job.ask(state, Virsh("test:///default"), UUID, {**dict.fromkeys(keys), "run": RUN})
    withheld = spoiled(failed("freeze", "MachineNotPossibleError", f"{refused.value} (host kvm_host)"))
    found = item(of_maq1(vault, withheld))
    assert (found.state, found.outcome) == (State.FAILED, Outcome.NOT_ATTEMPTED)
    assert found.reason.startswith("maq1 didn't come back in this run: no further machine")


@pytest.mark.parametrize(
    ("doing", "told"),
    [
        (MachineDoing(), 1),
        (MachineDoing(frozen=frozen()), 1),
        (MachineDoing(frozen=frozen(), released=released()), 0),
        (spoiled(failed("freeze", "MachineNotImagedError"), released=None), 1),
        (spoiled(failed("freeze", "MachineNotStoppedError"), failed("release", "X"), released=None), 1),
        (spoiled(failed("freeze", "MachineNotPossibleError"), released=None), 0),
        (done(released=None), 1),
        (done(), 0),
    ],
    ids=["silent", "silent pull", "released", "failed", "both failed", "untouched", "imaged", "good"],
)
def test_a_host_that_may_still_hold_a_machines_disks_is_told(
    vault: Vault, doing: MachineDoing, told: int
) -> None:
    """Its restart is guarded there; the room that it takes isn't without end."""
    report = of_maq1(vault, doing)
    said = "Nothing says that maq1 was released: kvm_host keeps watch over its restart, but may still hold "
    assert [sentence.startswith(said) for sentence in report.needs_person] == [True] * told


@pytest.mark.parametrize(
    "doing",
    [
        MachineDoing(released=released()),
        MachineDoing(frozen=frozen(), released=released()),
        MachineDoing(failures=(failed("release", "SourceUnreachableError"),)),
    ],
    ids=["freeze", "pull", "but for a failed release"],
)
def test_tasks_that_ended_without_a_word_are_no_success(vault: Vault, doing: MachineDoing) -> None:
    """An older generation doesn't make up for it."""
    lay(vault)
    report = of_maq1(vault, doing)
    assert (item(report).state, item(report).outcome) == (State.FAILED, Outcome.NOT_IMAGED)
    assert item(report).reason.startswith(SILENT)
    assert overall(report) is State.FAILED
