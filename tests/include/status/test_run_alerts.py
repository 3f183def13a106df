"""Alerts of runs: one failure is one alert, a refused request is none, and a mended cause goes."""

from datetime import timedelta

import pytest

from include.results.states import Kind, Outcome, State
from include.status.alert import Alert, Urgency
from include.status.parts import Part, RunPart, SourcePart, TroubledItem
from tests.include.status.vault_statuses import DUE, in_vault, vault_status
from tests.sample_status import NOW, day, run, vm

BEFORE = NOW - timedelta(days=7)


def alerts(*parts: Part) -> list[Alert]:
    """Return the alerts of a vault with one day, and some parts."""
    return vault_status(in_vault(0), *parts).alerts


def troubled(name: str, outcome: Outcome = Outcome.FAILED, reason: str = "So it is.") -> TroubledItem:
    """Return an item that isn't safe."""
    return TroubledItem(name=name, state=State.FAILED, outcome=outcome, reason=reason)


def failed(dag: str, about: Kind, *items: TroubledItem, **fields: object) -> RunPart:
    """Return a run that failed a day ago."""
    what = {"good": False, "troubled": items, **fields}
    return run(dag, about, f"{about.value} FAILED", NOW - timedelta(days=1), **what)


def test_only_the_last_run_of_each_dag_makes_an_alert() -> None:
    """An older failure is over."""
    old = run("vm_weekly", Kind.VMS, "VM FAILED", BEFORE, good=False)
    new = run("vm_weekly", Kind.VMS, "VM OK", NOW, needs_action=("Look at maq2's fan.",))
    [alert] = alerts(old, new)
    assert (alert.sentence, alert.run) == ("Look at maq2's fan.", new.run)


def test_a_failed_run_is_one_alert_with_what_it_needs() -> None:
    """Not one for the run, and one for each sentence."""
    sentences = tuple(f"Do {number}." for number in range(4))
    [alert] = alerts(failed("vm_weekly", Kind.VMS, troubled("kvm_host"), needs_action=sentences))
    assert alert.sentence == (
        "Last run of vm_weekly: vms FAILED. Do 0. Do 1. Do 2. 1 more sentence in its report."
    )


def test_a_refused_request_is_no_alert_and_hides_no_failure() -> None:
    """It says nothing about the archive."""
    refused = run("vm_boot_test", Kind.BOOT_TEST, "Boot test FAILED", NOW, good=False, refused=True)
    assert alerts(refused) == []
    before = failed("vm_boot_test", Kind.BOOT_TEST, needs_action=("The vault isn't mounted.",))
    assert [alert.run for alert in alerts(before, refused)] == [before.run]


def test_a_failed_day_is_one_alert_of_its_own() -> None:
    """The calendar has it; once it's in the vault, the alert is gone, though the failed run was the last."""
    failure = failed("supim_daily", Kind.DAYS, troubled(str(DUE)))
    [alert] = vault_status(in_vault(1), failure).alerts
    assert alert.first == str(DUE)
    assert alerts(failure) == []


@pytest.mark.parametrize("damage", [None, "1 of its 48 files differs."])
def test_damage_that_a_scrub_found_is_an_alert_until_it_is_mended(damage: str | None) -> None:
    """Of the day or the image itself."""
    damaged_day = in_vault(1).model_copy(update={"days": (day(DUE, NOW, damage=damage),)})
    part = vm("maq1", NOW)
    older = part.generations[0].model_copy(update={"damage": damage})
    damaged_vm = part.model_copy(update={"generations": (older, *part.generations[1:])})
    items = (troubled(str(DUE), Outcome.DAMAGED), troubled("maq1 2026-09-06T05-00-00Z", Outcome.DAMAGED))
    found = vault_status(damaged_day, damaged_vm, failed("vault_scrub", Kind.SCRUB, *items)).alerts
    assert len(found) == (2 if damage else 0)
    assert not any("vault_scrub" in alert.sentence for alert in found)


def test_a_vm_that_was_imaged_since_is_mended() -> None:
    """By another run, as of that VM alone; with an older image its failure stays."""
    failure = failed("vm_weekly", Kind.VMS, troubled("maq1"))
    image = vm("maq1", NOW, weeks=1)
    since = image.generations[0].model_copy(update={"instant": NOW - timedelta(hours=1)})
    assert alerts(failure, image.model_copy(update={"generations": (since,)})) == []
    [alert] = alerts(failure, image)
    assert alert.sentence == "Last run of vm_weekly: vms FAILED."


def test_a_failed_boot_test_is_one_alert_until_the_vm_boots() -> None:
    """That of the VM."""
    part, failure = vm("maq1", NOW), failed("vm_boot_test", Kind.BOOT_TEST, troubled("maq1"))
    assert part.boot_test
    passed = part.boot_test.model_copy(update={"when": NOW})
    not_booted = passed.model_copy(update={"result": State.FAILED})
    assert alerts(failure, part.model_copy(update={"boot_test": passed})) == []
    [alert] = alerts(failure, part.model_copy(update={"boot_test": not_booted}))
    assert alert.sentence == "maq1: the last boot test failed."


def test_a_restore_that_failed_is_an_alert() -> None:
    """Its VM's disks may be half written."""
    item = troubled("maq1 2026-11-22T05-00-03Z in place", Outcome.NOT_RESTORED)
    [alert] = alerts(vm("maq1", NOW), failed("vm_restore", Kind.RESTORE, item))
    assert alert.subject == "vm_restore"


def test_a_run_of_some_vms_hides_no_failed_run_of_all() -> None:
    """It says nothing about the others; a newer run of all hides both."""
    of_all = run("vm_weekly", Kind.VMS, "VM FAILED", NOW - timedelta(days=7), good=False)
    of_some = run("vm_weekly", Kind.VMS, "VM maq1 FAILED", NOW - timedelta(days=2), good=False, partial=True)
    again = run("vm_weekly", Kind.VMS, "VM maq1 OK", NOW - timedelta(days=1), partial=True)
    newest = run("vm_weekly", Kind.VMS, "VM OK", NOW)
    found = [
        [alert.sentence for alert in alerts(*runs)]
        for runs in ((of_all, of_some), (of_all, of_some, again), (of_all, of_some, again, newest))
    ]
    failed = [f"Last run of vm_weekly: {line}." for line in ("VM maq1 FAILED", "VM FAILED")]
    assert found == [failed, failed[1:], []]


GONE = "/backup/vault holds no vault marker (.inpe-vault.json). Is its disk mounted?"


def test_a_vault_that_is_gone_is_the_headline_and_the_first_alert() -> None:
    """Nothing is called safe that nobody can read; the run that found it has no alert of its own."""
    status = vault_status(in_vault(0, 1), vm("maq1", NOW, slow=True), gone := without_vault())
    first, *others = status.alerts
    assert status.headline == "The vault can't be opened: nothing can be confirmed"
    assert status.summary.startswith("When it was last read: 2 of 2 days verified in the vault.")
    assert (first.urgency, first.run) == (Urgency.URGENT, gone.run)
    assert first.sentence == (
        f"{GONE} Nothing is backed up until it can be opened. Then clear the failed tasks."
    )
    assert [alert.subject for alert in others] == ["maq1"]


@pytest.mark.parametrize("since", [in_vault(0), run("vm_weekly", Kind.VMS, "VM OK", NOW)])
def test_a_vault_that_was_read_since_is_there_again(since: Part) -> None:
    """By any run, and by vault_status; the run that failed is an alert as any other, until it succeeds."""
    source = SourcePart(days=())  # of a run that couldn't open the vault
    gone = without_vault()
    for parts, headline in (
        ((gone, source), "The vault can't be opened: nothing can be confirmed"),
        ((gone, source, since), "All backups are safe"),
    ):
        status = vault_status(in_vault(0), *parts)
        assert status.headline == headline
    assert [alert.run for alert in status.alerts] == [gone.run]


def without_vault() -> RunPart:
    """Return a run after which the vault couldn't be opened."""
    return failed("supim_daily", Kind.DAYS, vault_gone=GONE)
