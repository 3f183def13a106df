"""The subject alone tells whether to open the mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.report import Outcome, Report, State, headline, label, overall, subject
from include.report.verdict import by_urgency, coverage_sentence, moved
from tests.include.report.facts import OF_DAYS, bad, copied, covered, planned, report, safe

ANY_TEXT = st.text(st.characters(exclude_categories=()))
REVISED = copied(outcome="new revision", revision=2, size_bytes=36_000_000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (report(), "OK · 1 copied · 2 already safe · 412 MB"),
        (report(bad("missing"), safe("2026-267"), safe("2026-266")), "FAILED · 1 missing · 2 already safe"),
        (report(planned(), dry_run=True), "DRY RUN · 1 would be copied · 412 MB"),
        (report(safe("2026-268", own=True)), "OK · 1 already safe"),
        (report(REVISED), "OK · 1 new revision · 36 MB"),
        (report(copied(warnings=("Odd.",))), "OK, 1 warning · 1 copied · 412 MB"),
        (
            report(copied(warnings=("Odd.",)), safe("2026-267", warnings=("Odd.",)), needs_person=("Look.",)),
            "OK, needs a person, 2 warnings · 1 copied · 1 already safe · 412 MB",
        ),
        (report(items=()), "NOT CHECKED"),
        (report(items=(), needs_person=("No route to host.",)), "NOT CHECKED, needs a person"),
        (report(bad("not checked", state="not checked")), "NOT CHECKED · 1 not checked"),
        (
            report(bad("failed"), copied("2026-267"), bad("incomplete", "2026-266", "not checked")),
            "FAILED · 1 failed · 1 incomplete · 1 copied · 412 MB",
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
def test_the_subject_tells_how_the_run_went(given: Report, said: str) -> None:
    """Verdict first, then what is wrong, then what was done, then how much."""
    assert subject(given) == f"[INPE backup] SUPIM 2026-268 {said}"


def test_the_subject_takes_another_prefix() -> None:
    """A test installation shouldn't look like the real one."""
    assert subject(report(), prefix="Test").startswith("[Test] SUPIM 2026-268 OK")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_nothing_from_outside_can_break_the_subject(prefix: str, title: str, name: str) -> None:
    """No line break, control character or bidi override: a mail header is one line."""
    said = subject(report(copied(name), title=title), prefix=prefix)
    assert said.isprintable()
    assert said.encode()


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
    """Silence about the run's own day is not checked, never passed."""
    assert overall(given) is state


def test_a_failed_run_needs_no_more_reasons_to_be_opened() -> None:
    """Its label stays short."""
    assert label(report(bad("failed", warnings=("Odd.",)), needs_person=("Look.",))) == "FAILED"


@pytest.mark.parametrize("outcome", OF_DAYS)
def test_the_headline_tells_what_became_of_the_own_day(outcome: Outcome) -> None:
    """Every outcome has its sentence, and only proven ones sound like it."""
    own = bad(outcome, state="passed" if outcome.proven else "failed")
    said = headline(report(own))
    assert said.startswith("Day 2026-268 ")
    assert said.endswith(".")
    assert ("safe" in said or "proven" in said) is outcome.proven


def test_the_headline_counts_the_other_days() -> None:
    """What is wrong comes first."""
    days = (copied(), safe("2026-267"), bad("missing", "2026-266"))
    assert (
        headline(report(*days))
        == "Day 2026-268 was copied and proven. Other days: 1 missing, 1 already safe."
    )


def test_the_headline_says_that_a_dry_run_changed_nothing() -> None:
    """Before anything else."""
    said = headline(report(planned(), dry_run=True))
    assert (
        said
        == "This was a dry run: nothing was copied and nothing was changed. Day 2026-268 would be copied."
    )


def test_the_headline_misses_the_own_day_when_nobody_looked_at_it() -> None:
    """An empty report is no good news."""
    assert headline(report(items=())) == "Day 2026-268 was not checked: nothing is known about it."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (report(), "412 MB copied in 31 s."),
        (report(planned(), dry_run=True), "412 MB would be copied."),
        (report(bad("failed", size_bytes=7)), "The run took 31 s."),
        (report(copied(size_bytes=None)), "The run took 31 s."),
    ],
)
def test_only_bytes_that_were_published_count_as_copied(given: Report, said: str) -> None:
    """A copy that failed its proof moved bytes, but backed none up."""
    assert moved(given) == said


def test_the_own_day_comes_first_and_then_what_is_wrong() -> None:
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


def test_the_coverage_is_told_in_a_sentence() -> None:
    """With only the states that there are."""
    days = [covered("2026-266"), covered("2026-267", "missing"), covered("2026-268")]
    assert coverage_sentence(report(coverage=days)) == "Of 3 days: 2 safe, 1 missing."
    assert coverage_sentence(report(coverage=[])) == "The coverage was not checked."
