"""Both renderings of a weekly run: each machine, its downtime, and what the vault holds of it."""

import re
from collections.abc import Iterator

import pytest

from include.report import Outcome, Report, Standstill, State, WeekState, render_html, render_text
from include.report.render import WEEK_LOOKS, WIDTH, budget, share_of_budget, stillness, trend, wrap
from tests.include.report.facts import (
    GB,
    MONDAYS,
    OF_MACHINES,
    STATES,
    imaged,
    machine,
    row,
    space,
    weekly,
    would_image,
)

GMAIL_CUTS_AT = 102_000
SIGNS = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_CHECKED: "?"}


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("&nbsp;", " ").replace("&#39;", "'").replace("&amp;", "&"))


def _both(given: Report) -> Iterator[str]:
    yield _squeezed(render_html(given))
    yield _squeezed(render_text(given))


def _part(heading: str, given: Report) -> tuple[str, str]:
    """Give one part of the report, of the HTML and of the text."""
    html = re.search(rf">{heading}</h2>(.*?)(<h2|$)", render_html(given), re.DOTALL)
    text = re.search(rf"── {heading} ─+\n(.*?)\n──", render_text(given), re.DOTALL)
    assert html
    assert text
    return _squeezed(html.group(1)), text.group(1)


@pytest.mark.parametrize(
    "said",
    [
        "All 2 machines were imaged and proven.",
        "16 GB imaged in 31 s, 800 MB sent; longest downtime 14 s.",
        "Sunday, 27 September 2026",
        "cold: 14 s down · 8.0 GB · 400 MB sent · 1 min 32 s",
        "Consistency: the guest shut down by itself.",
        "Proof: SHA-256 of 48 files equal",
        "14 s of 1 min 0 s",
        "Of 2 machines, 2 have a proven image of this week.",
        "This run added 16 GB and gave back 6.0 GB by removals; there is room for 200 more runs like it.",
        "cd /backup/vm/maq1/2026-09-27T09-00-13Z && sha256sum --check --quiet SHA256SUMS",
    ],
)
def test_both_parts_say_the_same_of_machines(said: str) -> None:
    """Who reads mail in a terminal misses nothing."""
    given = weekly(*(imaged(name, evidence="the guest shut down by itself.") for name in ("maq1", "maq2")))
    assert [said in whole for whole in _both(given)] == [True, True]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (weekly(items=()), "No machine was looked at."),
        (weekly(items=()), "No machine was stopped."),
        (weekly(items=(), dry_run=True), "No machine would be stopped."),
        (weekly(generations=()), "The vault holds none."),
        (weekly(generations=(), mondays=(), space=None), "The generations were not checked."),
        (weekly(imaged(warnings=("It ignored the shutdown.",))), "It ignored the shutdown."),
        (weekly(machine("maq1", "NOT BACK")), "maq1 did not come back. Look now"),
        (weekly(would_image(), dry_run=True), "cold: about 14 s down · 8.0 GB"),
    ],
)
def test_what_is_unusual_of_machines_is_said_in_both_parts(given: Report, said: str) -> None:
    """And what nobody looked at is said to be so."""
    assert [said in whole for whole in _both(given)] == [True, True]


@pytest.mark.parametrize("outcome", OF_MACHINES)
def test_every_outcome_of_a_machine_has_a_sign_and_a_word(outcome: Outcome) -> None:
    """What is planned or left out looks neither good nor bad."""
    odd = {Outcome.WOULD_IMAGE: "→", Outcome.EXCLUDED: "–"}  # noqa: RUF001 - the report's own sign
    sign = odd.get(outcome, SIGNS[STATES[outcome]])
    html, text = _both(weekly(machine("maq1", outcome)))
    assert f"{sign} {outcome}" in html
    assert f"{sign} maq1 {outcome}" in text


@pytest.mark.parametrize(
    ("given", "tone"),
    [
        (weekly(), "good"),
        (weekly(needs_person=("Look.",)), "open"),
        (weekly(items=()), "open"),
        (weekly(machine("old", "excluded")), "open"),
        (weekly(machine("maq1", "NOT BACK"), imaged()), "bad"),
        (weekly(would_image(), dry_run=True), "plan"),
        (weekly(would_image(), machine("kvm2", "not asked"), dry_run=True), "bad"),
    ],
)
def test_the_verdict_on_machines_is_green_only_when_nobody_has_to_do_anything(
    given: Report, tone: str
) -> None:
    """The first thing that is seen."""
    assert re.findall(r'class="(\w+)" style="padding:14px', render_html(given)) == [tone]


def test_what_is_down_stands_first_among_the_machines() -> None:
    """In both parts, wherever the plan had it."""
    given = weekly(imaged(), machine("maq2", "not imaged"), machine("maq3", "NOT BACK"))
    for part in _part("Machines", given):
        assert part.index("maq3") < part.index("maq2") < part.index("maq1")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"method": "cold", "downtime_s": 14}, "cold: 14 s down"),
        ({"method": "cold"}, "cold: downtime not known"),
        ({"method": "cold", "expected": True}, "cold: downtime not known yet"),
        ({"method": "copy", "downtime_s": 700, "expected": True}, "copy: about 11 min 40 s down"),
        ({"method": "live", "downtime_s": 0}, "live: not stopped"),
        ({"method": "offline", "was": "off", "downtime_s": 0}, "off, and stays off"),
    ],
)
def test_it_is_told_how_a_machine_was_imaged_and_how_long_it_was_down(
    facts: dict[str, object], said: str
) -> None:
    """Or would be, by the last time's measure."""
    assert stillness(Standstill.model_validate({"was": "running", **facts})) == said


@pytest.mark.parametrize(
    ("facts", "said", "share"),
    [
        ({"downtime_s": 14, "budget_s": 60}, "14 s of 1 min 0 s", 23),
        ({"downtime_s": 75, "budget_s": 60}, "1 min 15 s of 1 min 0 s, 15 s too long", 100),
        ({"downtime_s": 14}, "14 s", 0),
        ({"budget_s": 60}, "not known", 0),
        ({"budget_s": 60, "expected": True}, "not known yet", 0),
        ({"downtime_s": 14, "budget_s": 60, "expected": True}, "about 14 s of 1 min 0 s", 23),
    ],
)
def test_a_downtime_is_told_against_its_budget(facts: dict[str, object], said: str, share: int) -> None:
    """With a bar that is full when it's used up."""
    item = imaged(standstill={"method": "cold", "was": "running", **facts})
    assert item.standstill
    assert (budget(item), share_of_budget(item.standstill)) == (said, share)


def test_a_machine_that_is_not_back_has_no_downtime_but_an_alarm() -> None:
    """Whatever was measured before."""
    given = weekly(imaged(), machine("maq2", "NOT BACK"))
    assert budget(given.items[1]) == "it did not come back"
    html, text = _part("Downtime", given)
    assert re.findall(r'<span class="(\w+)"', html) == ["bad", "idle"]
    assert text.index("maq2") < text.index("maq1")
    assert re.findall(r"it did not come back", text) == ["it did not come back"]


def test_a_downtime_over_its_budget_is_seen() -> None:
    """By its words, its colour, and a full bar."""
    stop = {"method": "cold", "was": "running", "downtime_s": 75, "budget_s": 60}
    html, text = _part("Downtime", weekly(imaged(standstill=stop)))
    assert '<span class="bad"' in html
    assert '<td class="bad" width="100%"' in html
    assert text.strip() == f"maq1          {'█' * 20}  1 min 15 s of 1 min 0 s, 15 s too long"


@pytest.mark.parametrize(
    "still", [{"method": "live", "was": "running"}, {"method": "offline", "was": "off"}, None]
)
def test_a_machine_that_was_not_stopped_has_no_place_among_downtimes(still: dict[str, str] | None) -> None:
    """It had none."""
    html, text = _part("Downtime", weekly(imaged(standstill=still)))
    assert "No machine was stopped." in html
    assert text.strip() == "No machine was stopped."


@pytest.mark.parametrize("state", WeekState)
def test_a_week_of_a_machine_shows_its_sign_below_its_monday(state: WeekState) -> None:
    """And the HTML tells both to whoever can't see either."""
    given = weekly(generations=(row("maq1", state, *["kept"] * 2, count=17),))
    html, text = _part("Generations", given)
    assert f'title="week of 2026-09-07: {state}"' in html
    header, line = (found for found in text.splitlines() if "Sep" in found or found.startswith(" maq1"))
    assert line[header.index("7 Sep") - 1 :][:4].strip() == WEEK_LOOKS[state].sign
    assert line.endswith("17")
    assert header.endswith("in all")


def test_the_generations_have_a_legend_for_every_sign() -> None:
    """Signs are only known to those who were told."""
    html, text = _part("Generations", weekly())
    for state, look in WEEK_LOOKS.items():
        assert f"{look.sign}</span> {state}" in html
        assert f"{look.sign} {state}" in text


def test_the_text_on_machines_fits_a_terminal() -> None:
    """78 columns, names of any usual length, and every sentence wrapped."""
    long = "This sentence goes on and on. " * 20
    name = "the-institutes-mail-server-" + "x" * 38
    items = (
        imaged(name, reason=long, proof=long, evidence=long, warnings=(long,)),
        machine("maq2", "NOT BACK", reason=long),
        machine("maq3", "can't be backed up", reason=long),
    )
    rows = (row(name, count=12345), row("maq2", "failed", count=1))
    lines = render_text(
        weekly(*items, generations=rows, needs_person=(long,), proof_command=None)
    ).splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert all(line == line.rstrip() for line in lines)
    assert f" {name}" in lines


def test_two_dozen_machines_are_not_cut_by_gmail() -> None:
    """It hides whatever comes after 102 kB; each of these has eight weeks and a warning."""
    long = "A sentence of the length that is said of a machine, with its reasons. "
    names = [f"maq{number}" for number in range(24)]
    items = [imaged(name, reason=long, warnings=(long,)) for name in names]
    rows = [row(name) for name in names]
    size = len(render_html(weekly(*items, generations=rows)).encode())
    assert size < GMAIL_CUTS_AT


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"added_bytes": 0}, "This run added nothing to it."),
        ({"added_bytes": 0, "gone_bytes": GB}, "This run added 0 B and gave back 1.0 GB by removals."),
        (
            {"added_bytes": GB, "gone_bytes": 2 * GB},
            "This run added 1.0 GB and gave back 2.0 GB by removals.",
        ),
        ({"added_bytes": 500 * GB}, "This run added 500 GB; there is room for 4 more runs like it."),
        ({"added_bytes": 1500 * GB}, "This run added 1.5 TB; there is room for 1 more run like it."),
        ({"added_bytes": 9}, "This run added 9 B; there is room for more than 1,000 runs like it."),
        ({"added_bytes": 9, "free_bytes": GB}, "No room is left: the reserve is 1.0 TB."),
    ],
)
def test_the_trend_of_images_is_what_a_run_took_and_gave_back(facts: dict[str, object], said: str) -> None:
    """A pace by the day says nothing where each week removes what the last one added."""
    assert trend(space(growth_bytes_per_day=None, **facts)) == said


def test_the_weeks_are_told_by_their_mondays() -> None:
    """Oldest first."""
    html, text = _part("Generations", weekly())
    assert re.findall(r">(\d+)<br>(\w+)</th>", html) == [(str(day.day), f"{day:%b}") for day in MONDAYS]
    assert re.findall(r"(\d+) (Aug|Sep)", text) == [(str(day.day), f"{day:%b}") for day in MONDAYS]


def test_a_number_stays_with_its_unit_in_the_text() -> None:
    """Wherever the line ends."""
    for width in range(40, 80):
        text = wrap(f"{'x' * width} took 13 s, 1 min 5 s, 2 h 7 min and 6.0 GB of 20 B.")
        assert not re.search(r"\d\n", text)
        assert "\xa0" not in text
