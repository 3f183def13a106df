"""Both renderings: complete, the same facts in both, and fit for mail clients and terminals."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay, window
from include.report import (
    Coverage,
    CoveredDay,
    Outcome,
    Removed,
    Report,
    State,
    render_html,
    render_text,
)
from include.report import render as rendering
from include.report.render import COVERAGE_LOOKS, STATE_LOOKS, WIDTH, linkable, ran, shares, split, trend
from tests.include.report.facts import GB, OF_DAYS, bad, copied, covered, planned, report, safe, space

TEMPLATE = (Path(rendering.__file__).parent / "templates" / "report.html.j2").read_text()
GMAIL_CUTS_AT = 102_000


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("&nbsp;", " ").replace("&#39;", "'").replace("&amp;", "&"))


def _both(given: Report) -> tuple[str, str]:
    return _squeezed(render_html(given)), _squeezed(render_text(given))


@pytest.mark.parametrize(
    "said",
    [
        "Day 2026-268 was copied and proven. Other days: 2 already safe.",
        "412 MB copied in 31 s.",
        "The vault lacked it.",
        "48 files",
        "22 s",
        "Proof: SHA-256 of 48 files equal at both ends; 24 of 24 descriptors hold.",
        "Friday, 25 September 2026",
        "Of 29 days: 29 safe.",
        "5.0 TB used · 2.0 TB to fill · 1.0 TB in reserve",
        "It grew by 1.0 GB a day over the last 30 days; at this pace there is room for about 5 years.",
        "Nothing was removed.",
        "/backup/supim",
        "cd /backup/supim/2026 && (cd 268 && sha256sum -c ../268.sha256)",
        "INPE backup ran for 31 s, from 2026-09-27 06:00:03 to 06:00:34 (America/Sao_Paulo).",
        "https://airflow.example/run",
        "https://airflow.example/log",
    ],
)
def test_both_parts_say_the_same(said: str) -> None:
    """Who reads mail in a terminal misses nothing."""
    html, text = _both(report())
    assert said in html
    assert said in text


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"items": ()}, "No day was looked at."),
        ({"coverage": ()}, "The coverage was not checked."),
        ({"space": None}, "The vault's space was not measured."),
        ({"space": space(growth_bytes_per_day=None)}, "How fast it fills is not known yet."),
        ({"needs_person": ("Ask the SUPIM team.",)}, "Ask the SUPIM team."),
        ({"removed": (Removed(name="2020-001", reason="older than ten years"),)}, "older than ten years"),
        ({"items": (copied(warnings=("One file is odd.",)),)}, "Warning:"),
        ({"items": (copied(outcome="new revision", revision=2),)}, "revision 2"),
        ({"dry_run": True, "items": (planned(),)}, "This was a dry run"),
    ],
)
def test_what_is_unusual_is_said_in_both_parts(facts: dict[str, object], said: str) -> None:
    """And what nobody looked at is said to be so."""
    html, text = _both(report(**facts))
    assert said in html
    assert said in text


def test_what_needs_a_person_leads_and_is_left_out_when_nothing_does() -> None:
    """After the verdict, before the days."""
    for whole in _both(report(needs_person=("Ask.",))):
        assert whole.index("copied and proven") < whole.index("Needs a person") < whole.index("Days")
    assert all("Needs a person" not in whole for whole in _both(report()))


@pytest.mark.parametrize(
    ("state", "outcome"),
    [(state, outcome) for state in State for outcome in OF_DAYS if outcome.proven == (state is State.PASSED)],
)
def test_every_state_has_a_sign_and_every_outcome_a_word(state: State, outcome: Outcome) -> None:
    """Colour never speaks alone."""
    sign = "→" if outcome is Outcome.WOULD_COPY else STATE_LOOKS[state].sign
    html, text = _both(report(bad(outcome, "2026-200", state)))
    assert f"{sign} {outcome}" in html
    assert f"{sign} 2026-200 {outcome}" in text


def test_only_what_passed_is_green() -> None:
    """Not checked least of all."""
    assert [state for state, look in STATE_LOOKS.items() if look.tone == "good"] == [State.PASSED]
    green = [state for state, look in COVERAGE_LOOKS.items() if look.tone == "good"]
    assert green == [Coverage.SAFE, Coverage.REVISED]


@pytest.mark.parametrize(
    ("given", "tone"),
    [
        (report(), "good"),
        (report(needs_person=("Look.",)), "open"),
        (report(items=()), "open"),
        (report(bad("missing"), needs_person=("Look.",)), "bad"),
        (report(planned(), dry_run=True), "plan"),
        (report(bad("missing"), dry_run=True), "bad"),
    ],
)
def test_the_verdict_is_green_only_when_nobody_has_to_do_anything(given: Report, tone: str) -> None:
    """The first thing that is seen."""
    assert re.findall(r'class="(\w+)" style="padding:14px', render_html(given)) == [tone]


@pytest.mark.parametrize("state", Coverage)
def test_a_calendar_cell_shows_its_number_and_its_sign(state: Coverage) -> None:
    """And the HTML tells its state to whoever can't see either."""
    html, text = _both(report(coverage=[covered("2026-267", state)]))
    sign = COVERAGE_LOOKS[state].sign
    assert f'title="2026-267: {state}"' in html
    assert f">267<br>{sign}</td>" in html
    assert f" 267 {sign} " in text


def test_the_calendar_has_a_legend_for_every_sign() -> None:
    """Signs are only known to those who were told."""
    html, text = _both(report())
    for state, look in COVERAGE_LOOKS.items():
        assert f"{look.sign}</span> {state}" in html
        assert f"{look.sign} {state}" in text


def test_the_own_day_stands_out_in_the_calendar() -> None:
    """By a frame, not by colour."""
    given = report()
    assert "[268 ✓]" in render_text(given)
    assert len(re.findall(r"<td[^>]*border:2px solid;[^>]*>268<br>", render_html(given))) == 1


def test_a_new_year_has_its_own_line_in_the_calendar() -> None:
    """The numbers start again at 1 there."""
    days = [CoveredDay(day=day, state=Coverage.SAFE) for day in window(OrdinalDay(2027, 3), 10)]
    text = render_text(report(coverage=days))
    years = [line.split()[0] for line in text.splitlines() if re.match(r" 20\d\d\b", line)]
    assert years == ["2026", "2027"]
    assert re.findall(r">(202\d)</td>", render_html(report(coverage=days))) == years


def test_the_text_fits_a_terminal() -> None:
    """78 columns, no blanks at the ends, and every sentence wrapped."""
    long = "This sentence goes on and on. " * 20
    days = (bad("failed", reason=long, proof=long, warnings=(long, long)), safe("2026-267", revision=12))
    given = report(*days, needs_person=(long,), removed=(Removed(name="2020-001", reason=long),))
    lines = render_text(given).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


def test_a_long_name_stays_whole_in_the_text() -> None:
    """A path broken in two can't be copied."""
    path = "/backup/.staging/" + "x" * 90
    text = render_text(report(bad("failed", "y" * 300, reason=f"Left in {path} for a look.")))
    assert path in text
    assert "y" * 300 in text


def test_the_html_asks_for_nothing_from_outside() -> None:
    """No pictures, scripts, fonts or style sheets; links only to Airflow."""
    html = render_html(report())
    assert re.findall(r"<(script|img|link|iframe|object|form|input|svg)\b|url\(|@import|\ssrc=", html) == []
    assert re.findall(r'href="([^"]*)"', html) == [
        "https://airflow.example/run",
        "https://airflow.example/log",
    ]


def test_the_html_needs_its_style_element_only_for_a_dark_screen() -> None:
    """Clients that drop it show the same report in its light colours."""
    html = render_html(report())
    assert '<html lang="en">' in html
    assert "max-width:640px" in html
    without = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    plain = re.findall(r'<(?:p|h1|h2)(?![^>]*style="[^"]*font-size)[^>]*>', without)
    assert plain == []


def test_a_month_of_days_is_not_cut_by_gmail() -> None:
    """It hides whatever comes after 102 kB."""
    long = "A sentence of the length that the plan writes about a day, with its reasons. "
    days = [
        copied(str(day), own=False, reason=long, warnings=(long,))
        for day in window(OrdinalDay(2026, 268), 31)
    ]
    cells = [CoveredDay(day=day, state=Coverage.SAFE) for day in window(OrdinalDay(2026, 268), 70)]
    assert len(render_html(report(*days, coverage=cells)).encode()) < GMAIL_CUTS_AT


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        *re.findall(r"[\"{] ?color: ?(#\w{6})(?: !important)?; ?background-color: ?(#\w{6})", TEMPLATE),
        *((ink, "#ffffff") for ink in re.findall(r'"color:(#\w{6});"', TEMPLATE)),
        *((ink, "#1b2128") for ink in re.findall(r"\.[isa] \{ color: (#\w{6})", TEMPLATE)),
    ],
)
def test_every_colour_can_be_read_on_its_ground(ink: str, ground: str) -> None:
    """At least 4.5 to 1, as WCAG 2.2 asks of body text (success criterion 1.4.3), light and dark."""
    light, dark = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_contrast_is_measured_on_all_tones() -> None:
    """Five tones, each for light and for dark screens."""
    pairs = re.findall(r"color: ?#\w{6}(?: !important)?; ?background-color", TEMPLATE)
    assert len(pairs) == 10


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"growth_bytes_per_day": 0}, "It has not grown over the last 30 days."),
        ({"growth_bytes_per_day": -GB}, "It has not grown over the last 30 days."),
        ({"free_bytes": 10 * GB}, "No room is left: the reserve is 1.0 TB."),
        ({"growth_bytes_per_day": 200 * GB}, "It grew by 200 GB a day over the last 30 days; "),
    ],
)
def test_the_trend_is_told_as_far_as_it_is_known(facts: dict[str, object], said: str) -> None:
    """Never a date made from nothing."""
    assert trend(space(**facts)).startswith(said)


@pytest.mark.parametrize(
    ("facts", "parts"),
    [
        ({}, [62, 26, 12]),
        ({"free_bytes": 10 * GB}, [100, 0, 0]),
        ({"used_bytes": 0, "free_bytes": 0}, [0, 100, 0]),
        ({"used_bytes": 995 * GB, "free_bytes": 1005 * GB}, [50, 0, 50]),
    ],
)
def test_the_bar_always_adds_up(facts: dict[str, object], parts: list[int]) -> None:
    """Used, free to use, and reserve in whole percents."""
    assert list(shares(space(**facts)).values()) == parts
    assert sum(parts) == 100


def test_a_touched_reserve_is_told_as_what_is_left_of_it() -> None:
    """The parts add up to what there is."""
    assert split(space(free_bytes=10 * GB)) == "5.0 TB used · 0 B to fill · 10 GB in reserve"


def test_a_run_over_midnight_tells_both_dates() -> None:
    """On the institute's clock, not in UTC."""
    late = report(finished=datetime(2026, 9, 28, 4, 0, 0, tzinfo=UTC))
    assert ran(late).endswith("from 2026-09-27 06:00:03 to 2026-09-28 01:00:00 (America/Sao_Paulo)")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://[", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    """Anything else is shown as it is."""
    assert not linkable(url)
    assert "href" not in render_html(report(run_url=url, log_url=None))
