"""The subject of a weekly mail, and its headline: VMs that are down come first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.report import GenerationWeeks, Report, headline, label, overall, subject
from include.report.subject import amount_sentence, by_urgency, weeks_sentence
from include.results.item import Item
from include.results.states import Outcome, State
from tests.include.report.sample_items import OF_VMS, imaged, row, vm, weekly, would_image

ANY_TEXT = st.text(st.characters(exclude_categories=()))
DOWN = "longest downtime 14 s"
ALARM = "maq2 did not come back. Check this now, before anything else."
DRY = "This was a dry run: no VM was stopped and nothing was changed."


def with_outcomes(*outcomes: str) -> list[Item]:
    """Return the items of maq1, maq2, ... with these outcomes."""
    return [vm(f"maq{number}", outcome) for number, outcome in enumerate(outcomes, start=1)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (weekly(), f"OK · 2 imaged · 16 GB · {DOWN}"),
        (weekly(imaged(), vm("old", "excluded")), f"OK · 1 imaged · 1 excluded · 8.0 GB · {DOWN}"),
        (weekly(imaged(warnings=("Odd.",))), f"OK, 1 warning · 1 imaged · 8.0 GB · {DOWN}"),
        (weekly(imaged(left_out=("A CD.", "A USB stick."))), f"OK · 1 imaged · 8.0 GB · {DOWN}"),
        (weekly(imaged(), needs_action=("Look.",)), f"OK, action needed · 1 imaged · 8.0 GB · {DOWN}"),
        (weekly(imaged(downtime=None)), "OK · 1 imaged · 8.0 GB"),
        (weekly(*with_outcomes("imaged", "NOT BACK")), "DOWN · maq2 did not come back"),
        (
            weekly(*with_outcomes("NOT BACK", "not imaged", "NOT BACK", "NOT BACK")),
            "DOWN · maq1, maq3 and maq4 did not come back",
        ),
        (weekly(*with_outcomes("not stopped", "not imaged")), "FAILED · 1 not stopped · 1 not imaged"),
        (
            weekly(*with_outcomes("not attempted", "can't be backed up")),
            "FAILED · 1 can't be backed up · 1 not attempted",
        ),
        (weekly(*with_outcomes("not listed")), "FAILED · 1 host not listed"),
        (weekly(*with_outcomes("not listed", "not listed")), "FAILED · 2 hosts not listed"),
        (weekly(would_image(), dry_run=True), "DRY RUN · 1 would be imaged · 8.0 GB"),
        (
            weekly(would_image(), vm("kvm2", "not listed"), dry_run=True),
            "DRY RUN FAILED · 1 host not listed · 1 would be imaged · 8.0 GB",
        ),
        (weekly(items=()), "NOT CHECKED"),
        (weekly(items=(), dry_run=True), "DRY RUN NOT CHECKED"),
        (weekly(*with_outcomes("excluded")), "NOT CHECKED · 1 excluded"),
        (weekly(*with_outcomes("excluded"), dry_run=True), "DRY RUN NOT CHECKED · 1 excluded"),
    ],
)
def test_the_subject_sums_up_the_vms(given: Report, expected: str) -> None:
    """If a VM is down, it only names that VM."""
    assert subject(given) == f"[INPE backup] VM {expected}"


@pytest.mark.parametrize("outcome", OF_VMS)
def test_a_run_passes_only_if_all_vms_were_imaged(outcome: Outcome) -> None:
    """Every other outcome but excluded prevents it."""
    state = overall(weekly(imaged(), vm("maq2", outcome)))
    good = outcome in (Outcome.IMAGED, Outcome.EXCLUDED)
    planned = outcome is Outcome.WOULD_IMAGE
    assert state is (State.PASSED if good else State.NOT_CHECKED if planned else State.FAILED)


@pytest.mark.parametrize("items", [(), (vm("old", "excluded"),)])
def test_a_run_without_a_vm_never_passes(items: tuple[Item, ...]) -> None:
    """A site file that excludes everything backs nothing up."""
    given = weekly(items=items)
    assert overall(given) is State.NOT_CHECKED
    assert headline(given) == "No VM was imaged."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (weekly(), "All 2 VMs were imaged and verified."),
        (weekly(imaged()), "maq1 was imaged and verified."),
        (weekly(imaged(), vm("old", "excluded")), "maq1 was imaged and verified."),
        (weekly(imaged(), vm("maq2", "not imaged")), "Of 2 VMs: 1 not imaged, 1 imaged."),
        (
            weekly(imaged(), vm("maq2", "NOT BACK"), vm("maq3", "not attempted")),
            f"{ALARM} Of 3 VMs: 1 not back, 1 not attempted, 1 imaged.",
        ),
        (weekly(would_image(), dry_run=True), f"{DRY} Of 1 VM: 1 would be imaged."),
        (weekly(vm("kvm2", "not listed")), "The VMs of kvm2 could not be listed."),
        (
            weekly(vm("kvm2", "not listed"), imaged(), imaged("maq2")),
            "The VMs of kvm2 could not be listed. On the other hosts: 2 imaged.",
        ),
    ],
)
def test_the_headline_says_what_became_of_the_vms(given: Report, expected: str) -> None:
    """The worst first; a host isn't counted as a VM."""
    assert headline(given) == expected


@pytest.mark.parametrize("outcome", OF_VMS)
def test_the_headline_has_a_sentence_for_every_outcome(outcome: Outcome) -> None:
    """Only the sentence of a verified image says verified."""
    sentence = headline(weekly(vm("maq1", outcome)))
    assert sentence.endswith(".")
    assert ("verified" in sentence) is outcome.verified


@given(ANY_TEXT, st.sampled_from(OF_VMS))
def test_no_vms_name_can_break_the_subject(name: str, outcome: Outcome) -> None:
    """Libvirt allows line breaks, control characters and bidi overrides in a name."""
    given = weekly(vm(name, outcome))
    for line in (subject(given), headline(given), label(given)):
        assert line.isprintable()
        assert line.encode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (weekly(), "16 GB imaged in 31 s, 800 MB sent; longest downtime 14 s."),
        (
            weekly(imaged(downtime={"method": "live", "was": "running"})),
            "8.0 GB imaged in 31 s, 400 MB sent.",
        ),
        (weekly(vm("maq1", "NOT BACK")), "The run took 31 s."),
        (weekly(would_image(), dry_run=True), "8.0 GB would be imaged; longest expected downtime 14 s."),
    ],
)
def test_the_amount_imaged_comes_with_the_longest_downtime(given: Report, expected: str) -> None:
    """If any VM was stopped."""
    assert amount_sentence(given) == expected


def test_the_longest_downtime_is_that_of_the_slowest_vm() -> None:
    """A VM whose downtime is unknown doesn't hide it."""
    downtimes = [{"method": "cold", "was": "running", "downtime_s": seconds} for seconds in (3, None, 75)]
    assert subject(weekly(*(imaged(downtime=down) for down in downtimes))).endswith(
        "longest downtime 1 min 15 s"
    )


def test_vms_that_are_down_come_first_and_excluded_vms_last() -> None:
    """The rest keeps its order, failures before images."""
    outcomes = ("excluded", "imaged", "not imaged", "would image", "NOT BACK", "not listed")
    items = by_urgency([vm(outcome, outcome) for outcome in outcomes])
    assert [item.name for item in items] == [
        *("NOT BACK", "not imaged", "not listed", "would image", "imaged", "excluded")
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(), row("maq2")], "2 of 2 VMs have a verified image from this week."),
        ([row("maq1", "failed"), row("maq2")], "1 of 2 VMs has a verified image from this week."),
        ([row("old", "none"), row()], "1 of 1 VM has a verified image from this week."),
        ([row("maq1", "would image")], "None of 1 VM has a verified image from this week."),
        ([row("old", "none")], "No VM was to be imaged this week."),
        ([], "The vault holds no generation."),
    ],
)
def test_the_week_is_summed_up_in_a_sentence(rows: list[GenerationWeeks], expected: str) -> None:
    """Of the VMs that were to be imaged."""
    assert weeks_sentence(weekly(generations=rows)) == expected


def test_an_unchecked_vault_isnt_reported_as_empty() -> None:
    """Its space was not measured either."""
    assert weeks_sentence(weekly(generations=(), space=None)) == "The generations were not checked."
