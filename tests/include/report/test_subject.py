"""The subject of a daily mail, and its headline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.report import Report, headline, label, overall, subject
from include.report.subject import amount_sentence, by_urgency, coverage_sentence
from include.results.states import Outcome, State
from tests.include.report.sample_items import OF_DAYS, OWN, bad, copied, covered, planned, report, safe

ANY_TEXT = st.text(st.characters(exclude_categories=()))
REVISED = copied(outcome="new revision", revision=2, size_bytes=36_000_000)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (report(), "OK · 1 copied · 2 already safe · 412 MB"),
        (report(bad("missing"), safe("2026-267"), safe("2026-266")), "FAILED · 1 missing · 2 already safe"),
        (report(planned(), dry_run=True), "DRY RUN · 1 would be copied · 412 MB"),
        (report(safe("2026-268", own=True)), "OK · 1 already safe"),
        (report(REVISED), "OK · 1 new revision · 36 MB"),
        (report(copied(warnings=("Odd.",))), "OK, 1 warning · 1 copied · 412 MB"),
        (
            report(copied(warnings=("Odd.",)), safe("2026-267", warnings=("Odd.",)), needs_action=("Look.",)),
            "OK, action needed, 2 warnings · 1 copied · 1 already safe · 412 MB",
        ),
        (report(items=()), "NOT CHECKED"),
        (report(items=(), needs_action=("No route to host.",)), "NOT CHECKED, action needed"),
        (report(bad("not checked", state="not checked")), "NOT CHECKED · 1 not checked"),
        (
            report(bad("failed"), copied("2026-267"), bad("incomplete", "2026-266", "not checked")),
            "FAILED · 1 not copied · 1 incomplete · 1 copied · 412 MB",
        ),
        (report(bad("failed", cause="cluster unreachable")), "FAILED · not copied: cluster unreachable"),
        (
            report(*(bad("failed", day, cause="verification failed") for day in (OWN, "2026-267"))),
            "FAILED · 2 not copied: verification failed",
        ),
        (
            report(bad("failed", cause="verification failed"), bad("failed", "2026-267")),
            "FAILED · 2 not copied",
        ),
        (
            report(bad("failed"), cause="cluster unreachable, 4 tries"),
            "FAILED · cluster unreachable, 4 tries",
        ),
        (
            report(bad("missing"), planned("2026-267"), dry_run=True),
            "DRY RUN FAILED · 1 missing · 1 would be copied · 412 MB",
        ),
        (report(safe("2026-268", own=True), dry_run=True), "DRY RUN · 1 already safe"),
        (report(items=(), dry_run=True), "DRY RUN NOT CHECKED"),
        (
            report(bad("incomplete", state="not checked"), dry_run=True),
            "DRY RUN NOT CHECKED · 1 incomplete",
        ),
    ],
)
def test_the_subject_sums_up_the_run(given: Report, expected: str) -> None:
    """The result first, then what is wrong, then what was done, then how much."""
    assert subject(given) == f"[INPE backup] SUPIM 2026-268 {expected}"


def test_the_subject_takes_another_prefix() -> None:
    """So that a test installation can be distinguished."""
    assert subject(report(), prefix="Test").startswith("[Test] SUPIM 2026-268 OK")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_nothing_from_outside_can_break_the_subject(prefix: str, title: str, name: str) -> None:
    """No line break, control character or bidi override: a mail header is one line."""
    line = subject(report(copied(name), title=title), prefix=prefix)
    assert line.isprintable()
    assert line.encode()


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (report(), State.PASSED),
        (report(items=()), State.NOT_CHECKED),
        (report(safe("2026-267")), State.NOT_CHECKED),
        (report(copied(), bad("incomplete", "2026-267", "not checked")), State.NOT_CHECKED),
        (report(copied(), bad("missing", "2026-267")), State.FAILED),
        (report(bad("missing"), bad("not checked", "2026-267", "not checked")), State.FAILED),
        (report(planned(), dry_run=True), State.NOT_CHECKED),
    ],
)
def test_a_run_is_as_bad_as_its_worst_day(given: Report, state: State) -> None:
    """Without its own day, a run is not checked, never passed."""
    assert overall(given) is state


def test_a_failed_runs_label_has_no_alerts() -> None:
    """People open its mail anyway."""
    assert label(report(bad("failed", warnings=("Odd.",)), needs_action=("Look.",))) == "FAILED"


@pytest.mark.parametrize("outcome", OF_DAYS)
def test_the_headline_says_what_became_of_the_runs_day(outcome: Outcome) -> None:
    """Every outcome has a sentence; only those of verified outcomes say verified or safe."""
    own = bad(outcome, state="passed" if outcome.verified else "failed")
    sentence = headline(report(own))
    assert sentence.startswith("Day 2026-268 ")
    assert sentence.endswith(".")
    assert ("safe" in sentence or "verified" in sentence) is outcome.verified


def test_the_headline_counts_the_other_days() -> None:
    """What is wrong comes first."""
    days = (copied(), safe("2026-267"), bad("missing", "2026-266"))
    assert (
        headline(report(*days))
        == "Day 2026-268 was copied and verified. Other days: 1 missing, 1 already safe."
    )


def test_the_headline_says_that_a_dry_run_changed_nothing() -> None:
    """First of all."""
    assert (
        headline(report(planned(), dry_run=True))
        == "This was a dry run: nothing was copied and nothing was changed. Day 2026-268 would be copied."
    )


def test_the_headline_says_if_the_runs_day_was_not_checked() -> None:
    """An empty report is not good news."""
    assert headline(report(items=())) == "Day 2026-268 was not checked; its state is unknown."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (report(), "412 MB copied in 31 s."),
        (report(planned(), dry_run=True), "412 MB would be copied."),
        (report(bad("failed", size_bytes=7)), "The run took 31 s."),
        (report(copied(size_bytes=None)), "The run took 31 s."),
    ],
)
def test_only_bytes_that_were_published_count_as_copied(given: Report, expected: str) -> None:
    """A copy that failed its verification backed up nothing."""
    assert amount_sentence(given) == expected


def test_the_runs_day_comes_first_and_then_what_is_wrong() -> None:
    """The rest keeps its order."""
    names = ["2026-265", "2026-264", "2026-263", "2026-262"]
    days = [
        safe(names[0]),
        bad("incomplete", names[1], "not checked"),
        bad("missing", names[2]),
        safe(names[3]),
    ]
    assert [item.name for item in by_urgency([*days, copied()])] == [
        "2026-268",
        "2026-263",
        "2026-264",
        "2026-265",
        "2026-262",
    ]


def test_the_coverage_is_summed_up_in_a_sentence() -> None:
    """With only the states that occur."""
    days = [covered("2026-266"), covered("2026-267", "missing"), covered("2026-268")]
    assert coverage_sentence(report(coverage=days)) == "Of 3 days: 2 safe, 1 missing."
    assert coverage_sentence(report(coverage=[])) == "The coverage was not checked."
