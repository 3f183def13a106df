"""What pictures show, in sentences: always in the text, in the HTML only without the picture."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from include.report import CoveredYear, DowntimeHistory, Report, render_html, render_text
from include.report.inline_pictures import Pictures, content_id
from include.report.trends import ranges
from include.results.states import Coverage
from include.status.space import CopiedBytes
from tests.include.report.sample_items import GB, OWN, copied, report, space, weekly

YEAR = CoveredYear.of(
    2026,
    dict.fromkeys(range(100, 366), Coverage.NOT_DUE)
    | dict.fromkeys(range(100, 269), Coverage.SAFE)
    | {120: Coverage.MISSING, 121: Coverage.MISSING, 130: Coverage.MISSING, 140: Coverage.FAILED},
)
COPIED = tuple(CopiedBytes(on=date(2026, 9, 20 + day), bytes=day * GB) for day in range(4))
SENTENCES = {
    "coverage": "2026 by day of the year: 165 safe, 3 missing (120 to 121, 130), 1 failed (140), 97 not due.",
    "space": "6.0 GB copied into the vault on 4 days of the last 30, most on 2026-09-23 (3.0 GB).",
    "downtime": "maq1, last 3 images: down 12 s to 15 s; 14 s of 1 min 0 s for the latest.",
}


def downtimes(*seconds: float, name: str = "maq1") -> DowntimeHistory:
    """Return a VM's downtimes, one per week."""
    instants = tuple(datetime(2026, 9, 6, tzinfo=UTC) + timedelta(weeks=week) for week in range(len(seconds)))
    return DowntimeHistory(name=name, budget_s=60, instants=instants, seconds=seconds)


DAILY = report(years=(YEAR,), space=space(copied=COPIED))
WEEKLY = weekly(downtimes=(downtimes(12, 15, 14), downtimes(1, 2, name="new")))


def squeezed(text: str) -> str:
    """Return a text with its white space collapsed."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("given", "name"), [(DAILY, "coverage"), (DAILY, "space"), (WEEKLY, "downtime")], ids=list(SENTENCES)
)
def test_what_a_picture_shows_is_also_a_sentence(given: Report, name: str) -> None:
    """In the text; in the HTML as the picture's alternative text, or instead of the picture."""
    pictured = render_html(given, {name})

    assert SENTENCES[name] in squeezed(render_text(given))
    assert re.findall(r'<img[^>]* src="cid:([^"]*)"[^>]* alt="([^"]*)"', pictured) == [
        (content_id(name), SENTENCES[name])
    ]
    assert pictured.count(SENTENCES[name]) == 1
    assert "<img" not in render_html(given)
    assert f">{SENTENCES[name]}</p>" in render_html(given)


@pytest.mark.parametrize(
    "given", [report(space=space(copied=COPIED[:2])), weekly(downtimes=(downtimes(1, 2),))]
)
def test_two_points_are_not_a_trend(given: Report) -> None:
    """They aren't mentioned."""
    assert "of the last 30, most" not in render_text(given)
    assert "last 2 images" not in render_text(given)


def test_a_map_is_described_by_its_caption_and_its_place() -> None:
    """The caption is in both parts, the place only in the text."""
    day = copied(picture="/backup/supim/2026/268.png", picture_caption='TEC of 2026-268: 1 to 2 "TECU".')
    html, text = render_html(report(day)), squeezed(render_text(report(day)))

    assert 'alt="TEC of 2026-268: 1 to 2 &#34;TECU&#34;."' in html
    assert 'TEC of 2026-268: 1 to 2 "TECU". The map is in the vault, beside the day: 268.png.' in text


def test_a_missing_map_isnt_mentioned() -> None:
    """The vault may not be mounted when the mail is sent."""
    day = copied(picture="/nowhere/268.png", picture_caption="TEC of 2026-268.")
    pictures = Pictures.of(report(day), {"coverage": b"drawn"})

    assert pictures.by_id == {content_id("coverage"): b"drawn"}
    assert "TEC of" not in render_html(pictures.report) + render_text(pictures.report)


def test_of_many_maps_the_runs_own_day_has_one(tmp_path: Path) -> None:
    """A mail has three: the first that it shows."""
    names = ["2026-264", "2026-265", "2026-266", "2026-267", OWN]
    for name in names:
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    days = [copied(name, picture=str(tmp_path / name), picture_caption="TEC.") for name in names]
    given = Pictures.of(report(*days, archive=str(tmp_path)))

    assert [item.name for item in given.report.items if item.picture] == [OWN, "2026-264", "2026-265"]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], ""),
        ([7], "007"),
        ([3, 1, 2, 9], "001 to 003, 009"),
        (range(1, 367), "001 to 366"),
        (range(2, 20, 2), "002, 004, 006, 008, 010, 012 and 3 more ranges"),
    ],
)
def test_days_are_shown_as_ranges(numbers: list[int], expected: str) -> None:
    """At most six."""
    assert ranges(numbers) == expected


def test_a_year_is_stored_as_a_letter_per_day() -> None:
    """And is unchanged by JSON."""
    stored = YEAR.model_dump_json()

    assert len(stored) < 400
    assert CoveredYear.model_validate_json(stored).by_number == YEAR.by_number
    assert 99 not in YEAR.by_number


@pytest.mark.parametrize("fields", [{"year": 2024, "states": "s" * 365}, {"year": 2026, "states": "x" * 365}])
def test_a_year_has_a_known_letter_for_each_day(fields: dict[str, object]) -> None:
    """Leap years have a day more."""
    with pytest.raises(ValidationError, match=r"one known letter for each of its 36[56] days"):
        CoveredYear.model_validate(fields)


def test_a_history_has_one_downtime_per_image() -> None:
    """Neither more nor fewer."""
    with pytest.raises(ValidationError, match="maq1: 0 images, 1 downtimes"):
        DowntimeHistory(name="maq1", budget_s=1, instants=(), seconds=(1,))
