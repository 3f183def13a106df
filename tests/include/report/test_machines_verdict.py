"""The subject of a weekly mail, and its first sentences: who is down comes before everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.report import Item, KeptWeeks, Outcome, Report, State, headline, label, overall, subject
from include.report.verdict import by_urgency, moved, weeks_sentence
from tests.include.report.facts import OF_MACHINES, imaged, machine, row, weekly, would_image

ANY_TEXT = st.text(st.characters(exclude_categories=()))
DOWN = "longest downtime 14 s"
LOOK = "maq2 did not come back. Look now: nothing else is as urgent."
DRY = "This was a dry run: no machine was stopped and nothing was changed."


def became(*outcomes: str) -> list[Item]:
    """Give maq1, maq2, ..., of which that became."""
    return [machine(f"maq{number}", outcome) for number, outcome in enumerate(outcomes, start=1)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (weekly(), f"OK · 2 imaged · 16 GB · {DOWN}"),
        (weekly(imaged(), machine("old", "excluded")), f"OK · 1 imaged · 1 excluded · 8.0 GB · {DOWN}"),
        (weekly(imaged(warnings=("Odd.",))), f"OK, 1 warning · 1 imaged · 8.0 GB · {DOWN}"),
        (weekly(imaged(), needs_person=("Look.",)), f"OK, needs a person · 1 imaged · 8.0 GB · {DOWN}"),
        (weekly(imaged(standstill=None)), "OK · 1 imaged · 8.0 GB"),
        (weekly(*became("imaged", "NOT BACK")), "DOWN · maq2 did not come back"),
        (
            weekly(*became("NOT BACK", "not imaged", "NOT BACK", "NOT BACK")),
            "DOWN · maq1, maq3 and maq4 did not come back",
        ),
        (weekly(*became("not stopped", "not imaged")), "FAILED · 1 not stopped · 1 not imaged"),
        (
            weekly(*became("not attempted", "can't be backed up")),
            "FAILED · 1 can't be backed up · 1 not attempted",
        ),
        (weekly(*became("not asked")), "FAILED · 1 host not asked"),
        (weekly(*became("not asked", "not asked")), "FAILED · 2 hosts not asked"),
        (weekly(would_image(), dry_run=True), "DRY RUN · 1 would be imaged · 8.0 GB"),
        (
            weekly(would_image(), machine("kvm2", "not asked"), dry_run=True),
            "DRY RUN FAILED · 1 host not asked · 1 would be imaged · 8.0 GB",
        ),
        (weekly(items=()), "NOT CHECKED"),
        (weekly(items=(), dry_run=True), "DRY RUN NOT CHECKED"),
        (weekly(*became("excluded")), "NOT CHECKED · 1 excluded"),
        (weekly(*became("excluded"), dry_run=True), "DRY RUN NOT CHECKED · 1 excluded"),
    ],
)
def test_the_subject_tells_how_the_machines_are(given: Report, said: str) -> None:
    """A machine that is down is named in it; nothing else needs to be read then."""
    assert subject(given) == f"[INPE backup] VM {said}"


@pytest.mark.parametrize("outcome", OF_MACHINES)
def test_only_imaged_machines_make_a_green_run(outcome: Outcome) -> None:
    """Beside a good one, every other outcome but an exclusion spoils it."""
    state = overall(weekly(imaged(), machine("maq2", outcome)))
    good = outcome in (Outcome.IMAGED, Outcome.EXCLUDED)
    planned = outcome is Outcome.WOULD_IMAGE
    assert state is (State.PASSED if good else State.NOT_CHECKED if planned else State.FAILED)


@pytest.mark.parametrize("items", [(), (machine("old", "excluded"),)])
def test_a_run_without_a_machine_is_never_green(items: tuple[Item, ...]) -> None:
    """A site file that excludes everything backs nothing up."""
    given = weekly(items=items)
    assert overall(given) is State.NOT_CHECKED
    assert headline(given) == "No machine was looked at: nothing is known about them."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (weekly(), "All 2 machines were imaged and proven."),
        (weekly(imaged()), "maq1 was imaged and proven."),
        (weekly(imaged(), machine("old", "excluded")), "maq1 was imaged and proven."),
        (weekly(imaged(), machine("maq2", "not imaged")), "Of 2 machines: 1 not imaged, 1 imaged."),
        (
            weekly(imaged(), machine("maq2", "NOT BACK"), machine("maq3", "not attempted")),
            f"{LOOK} Of 3 machines: 1 not back, 1 not attempted, 1 imaged.",
        ),
        (weekly(would_image(), dry_run=True), f"{DRY} Of 1 machine: 1 would be imaged."),
        (weekly(machine("kvm2", "not asked")), "kvm2 could not be asked for machines."),
        (
            weekly(machine("kvm2", "not asked"), imaged(), imaged("maq2")),
            "kvm2 could not be asked for machines. Other hosts: 2 imaged.",
        ),
    ],
)
def test_the_headline_tells_what_became_of_the_machines(given: Report, said: str) -> None:
    """The worst first; a host isn't counted as a machine."""
    assert headline(given) == said


@pytest.mark.parametrize("outcome", OF_MACHINES)
def test_the_headline_has_words_for_every_outcome(outcome: Outcome) -> None:
    """And only an image that was proven sounds like one."""
    said = headline(weekly(machine("maq1", outcome)))
    assert said.endswith(".")
    assert ("proven" in said) is outcome.proven


@given(ANY_TEXT, st.sampled_from(OF_MACHINES))
def test_no_machines_name_can_break_the_subject(name: str, outcome: Outcome) -> None:
    """Libvirt takes line breaks, control characters and bidi overrides in a name."""
    given = weekly(machine(name, outcome))
    for said in (subject(given), headline(given), label(given)):
        assert said.isprintable()
        assert said.encode()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (weekly(), "16 GB imaged in 31 s, 800 MB sent; longest downtime 14 s."),
        (
            weekly(imaged(standstill={"method": "live", "was": "running"})),
            "8.0 GB imaged in 31 s, 400 MB sent.",
        ),
        (weekly(machine("maq1", "NOT BACK")), "The run took 31 s."),
        (weekly(would_image(), dry_run=True), "8.0 GB would be imaged; longest expected downtime 14 s."),
    ],
)
def test_what_was_moved_is_told_with_the_longest_downtime(given: Report, said: str) -> None:
    """Of those machines that were stopped at all."""
    assert moved(given) == said


def test_the_longest_downtime_is_that_of_the_slowest_machine() -> None:
    """One whose downtime isn't known doesn't hide it."""
    stops = [{"method": "cold", "was": "running", "downtime_s": seconds} for seconds in (3, None, 75)]
    assert subject(weekly(*(imaged(standstill=stop) for stop in stops))).endswith(
        "longest downtime 1 min 15 s"
    )


def test_what_is_down_comes_first_and_what_is_excluded_last() -> None:
    """The rest keeps its order, failures before images."""
    outcomes = ("excluded", "imaged", "not imaged", "would image", "NOT BACK", "not asked")
    items = by_urgency([machine(outcome, outcome) for outcome in outcomes])
    assert [item.name for item in items] == [
        *("NOT BACK", "not imaged", "not asked", "would image", "imaged", "excluded")
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(), row("maq2")], "Of 2 machines, 2 have a proven image of this week."),
        ([row("maq1", "failed"), row("maq2")], "Of 2 machines, 1 has a proven image of this week."),
        ([row("old", "nothing kept"), row()], "Of 1 machine, 1 has a proven image of this week."),
        ([row("maq1", "would image")], "Of 1 machine, none has a proven image of this week."),
        ([row("old", "nothing kept")], "No machine was to be imaged this week."),
        ([], "The vault holds none."),
    ],
)
def test_the_week_is_told_in_a_sentence(rows: list[KeptWeeks], said: str) -> None:
    """Of the machines that were to be imaged."""
    assert weeks_sentence(weekly(generations=rows)) == said


def test_a_vault_that_nobody_looked_at_is_not_told_to_be_empty() -> None:
    """Nothing is known of its room either."""
    assert weeks_sentence(weekly(generations=(), space=None)) == "The generations were not checked."
