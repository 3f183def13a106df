"""Both renderings of a report: complete, with the same content, and fit for mail clients and terminals."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay, window
from include.report import CoveredDay, GenerationNote, Report, render_html, render_text
from include.report import render as rendering
from include.report.render import COVERAGE_STYLES, STATE_STYLES, WIDTH, linkable, ran, shares, split, trend
from include.results.states import Coverage, Outcome, State
from tests.include.report.sample_items import GB, OF_DAYS, bad, copied, covered, planned, report, safe, space

TEMPLATE = (Path(rendering.__file__).parent / "templates" / "report.html.j2").read_text()
GMAIL_CUTS_AT = 102_000


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("&nbsp;", " ").replace("&#39;", "'").replace("&amp;", "&"))


def _both(given: Report) -> tuple[str, str]:
    return _squeezed(render_html(given)), _squeezed(render_text(given))


@pytest.mark.parametrize(
    "expected",
    [
        "Day 2026-268 was copied and verified. Other days: 2 already safe.",
        "412 MB copied in 31 s.",
        "The vault lacked it.",
        "48 files",
        "22 s",
        "Verified: SHA-256 of 48 files equal at both ends; 24 descriptors match.",
        "Friday, 25 September 2026",
        "Of 29 days: 29 safe.",
        "5.0 TB used · 2.0 TB available · 1.0 TB in reserve",
        "Growing by 1.0 GB a day over the last 30 days; at this rate there is space for about 5 years.",
        "Nothing was removed.",
        "/backup/supim",
        "cd /backup/supim/2026 && (cd 268 && sha256sum -c ../268.sha256)",
        "INPE backup ran for 31 s, from 2026-09-27 06:00:03 to 06:00:34 (America/Sao_Paulo).",
        "https://airflow.example/run",
        "https://airflow.example/log",
    ],
)
def test_both_parts_have_the_same_content(expected: str) -> None:
    """Nobody who reads mail in a terminal misses anything."""
    html, text = _both(report())
    assert expected in html
    assert expected in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"items": ()}, "No day was checked."),
        ({"coverage": ()}, "The coverage was not checked."),
        ({"space": None}, "The vault's space was not measured."),
        ({"space": space(growth_bytes_per_day=None)}, "Growth is not known yet: it takes a week"),
        ({"needs_action": ("Ask the SUPIM team.",)}, "Ask the SUPIM team."),
        (
            {"removed": (GenerationNote(name="2020-001", reason="older than ten years"),)},
            "older than ten years",
        ),
        ({"items": (copied(warnings=("One file is odd.",)),)}, "Warning:"),
        ({"items": (copied(outcome="new revision", revision=2),)}, "revision 2"),
        ({"dry_run": True, "items": (planned(),)}, "This was a dry run"),
    ],
)
def test_both_parts_show_what_is_unusual(fields: dict[str, object], expected: str) -> None:
    """And what was not checked."""
    html, text = _both(report(**fields))
    assert expected in html
    assert expected in text


def test_what_needs_action_comes_first_and_only_if_anything_does() -> None:
    """After the headline, before the days."""
    for part in _both(report(needs_action=("Ask.",))):
        assert part.index("copied and verified") < part.index("Action needed") < part.index("Days")
    assert all("Action needed" not in part for part in _both(report()))


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (state, outcome)
        for state in State
        for outcome in OF_DAYS
        if outcome.verified == (state is State.PASSED)
    ],
)
def test_every_outcome_is_shown_with_a_sign_and_its_name(state: State, outcome: Outcome) -> None:
    """No meaning depends on colour alone."""
    sign = "→" if outcome is Outcome.WOULD_COPY else STATE_STYLES[state].sign
    html, text = _both(report(bad(outcome, "2026-200", state)))
    assert f"{sign} {outcome}" in html
    assert f"{sign} 2026-200 {outcome}" in text


def test_only_passed_and_safe_are_green() -> None:
    """Not checked is not."""
    assert [state for state, look in STATE_STYLES.items() if look.tone == "good"] == [State.PASSED]
    green = [state for state, look in COVERAGE_STYLES.items() if look.tone == "good"]
    assert green == [Coverage.SAFE, Coverage.REVISED]


@pytest.mark.parametrize(
    ("given", "tone"),
    [
        (report(), "good"),
        (report(needs_action=("Look.",)), "open"),
        (report(items=()), "open"),
        (report(bad("missing"), needs_action=("Look.",)), "bad"),
        (report(planned(), dry_run=True), "plan"),
        (report(bad("missing"), dry_run=True), "bad"),
    ],
)
def test_the_result_is_green_only_if_no_action_is_needed(given: Report, tone: str) -> None:
    """It is at the top of the mail."""
    assert re.findall(r'class="(\w+)" style="padding:14px', render_html(given)) == [tone]


@pytest.mark.parametrize("state", Coverage)
def test_a_calendar_cell_shows_its_number_and_its_sign(state: Coverage) -> None:
    """And its state as a title in the HTML, for screen readers."""
    html, text = _both(report(coverage=[covered("2026-267", state)]))
    sign = COVERAGE_STYLES[state].sign
    assert f'title="2026-267: {state}"' in html
    assert f">267<br>{sign}</td>" in html
    assert f" 267 {sign} " in text


def test_the_calendar_has_a_legend_for_every_sign() -> None:
    """In both parts."""
    html, text = _both(report())
    for state, look in COVERAGE_STYLES.items():
        assert f"{look.sign}</span> {state}" in html
        assert f"{look.sign} {state}" in text


def test_the_runs_day_is_framed_in_the_calendar() -> None:
    """It doesn't depend on colour."""
    given = report()
    assert "[268 ✓]" in render_text(given)
    assert len(re.findall(r"<td[^>]*border:2px solid;[^>]*>268<br>", render_html(given))) == 1


def test_a_new_year_has_its_own_line_in_the_calendar() -> None:
    """There the numbers start again at 1."""
    days = [CoveredDay(day=day, state=Coverage.SAFE) for day in window(OrdinalDay(2027, 3), 10)]
    text = render_text(report(coverage=days))
    years = [line.split()[0] for line in text.splitlines() if re.match(r" 20\d\d\b", line)]
    assert years == ["2026", "2027"]
    assert re.findall(r">(202\d)</td>", render_html(report(coverage=days))) == years


def test_the_text_fits_a_terminal() -> None:
    """78 columns, no trailing spaces, and every sentence wrapped."""
    long = "This sentence goes on and on. " * 20
    days = (
        bad("failed", reason=long, verification=long, warnings=(long, long)),
        safe("2026-267", revision=12),
    )
    given = report(*days, needs_action=(long,), removed=(GenerationNote(name="2020-001", reason=long),))
    lines = render_text(given).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


def test_a_long_name_stays_whole_in_the_text() -> None:
    """So that a path can be copied."""
    path = "/backup/.staging/" + "x" * 90
    text = render_text(report(bad("failed", "y" * 300, reason=f"Left in {path}.")))
    assert path in text
    assert "y" * 300 in text


def test_the_html_loads_nothing() -> None:
    """No remote pictures, scripts, fonts or style sheets; it links only to Airflow."""
    html = render_html(report())
    assert re.findall(r"<(script|img|link|iframe|object|form|input|svg)\b|url\(|@import|\ssrc=", html) == []
    assert re.findall(r'href="([^"]*)"', html) == [
        "https://airflow.example/run",
        "https://airflow.example/log",
    ]


def test_the_html_needs_its_style_element_only_for_a_dark_screen() -> None:
    """Clients that drop it show the report in its light colours."""
    html = render_html(report())
    assert '<html lang="en">' in html
    assert "max-width:640px" in html
    without = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    plain = re.findall(r'<(?:p|h1|h2)(?![^>]*style="[^"]*font-size)[^>]*>', without)
    assert plain == []


def test_gmail_shows_a_month_of_days_in_full() -> None:
    """It hides what comes after 102 kB."""
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
def test_every_colour_has_enough_contrast(ink: str, ground: str) -> None:
    """At least 4.5 to 1, as WCAG 2.2 requires of body text (success criterion 1.4.3), light and dark."""
    light, dark = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_contrast_is_tested_for_all_tones() -> None:
    """Five tones, each for light and for dark screens."""
    pairs = re.findall(r"color: ?#\w{6}(?: !important)?; ?background-color", TEMPLATE)
    assert len(pairs) == 10


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"growth_bytes_per_day": 0}, "No growth over the last 30 days."),
        ({"growth_bytes_per_day": -GB}, "No growth over the last 30 days."),
        ({"free_bytes": 10 * GB}, "No free space is left beyond the reserve of 1.0 TB."),
        ({"growth_bytes_per_day": 200 * GB}, "Growing by 200 GB a day over the last 30 days; "),
    ],
)
def test_the_trend_is_reported_only_as_far_as_it_is_known(fields: dict[str, object], expected: str) -> None:
    """It is never made up."""
    assert trend(space(**fields)).startswith(expected)


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({}, [62, 26, 12]),
        ({"free_bytes": 10 * GB}, [100, 0, 0]),
        ({"used_bytes": 0, "free_bytes": 0}, [0, 100, 0]),
        ({"used_bytes": 995 * GB, "free_bytes": 1005 * GB}, [50, 0, 50]),
    ],
)
def test_the_bar_always_adds_up(fields: dict[str, object], parts: list[int]) -> None:
    """Used, available and reserve, in whole percent."""
    assert list(shares(space(**fields)).values()) == parts
    assert sum(parts) == 100


def test_the_reserve_shows_only_what_is_left_of_it() -> None:
    """The parts add up to the disk's size."""
    assert split(space(free_bytes=10 * GB)) == "5.0 TB used · 0 B available · 10 GB in reserve"


def test_a_run_past_midnight_shows_both_dates() -> None:
    """In the institute's time zone, not in UTC."""
    late = report(finished=datetime(2026, 9, 28, 4, 0, 0, tzinfo=UTC))
    assert ran(late).endswith("from 2026-09-27 06:00:03 to 2026-09-28 01:00:00 (America/Sao_Paulo)")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://[", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    """Any other text is shown as it is."""
    assert not linkable(url)
    assert "href" not in render_html(report(run_url=url, log_url=None))
