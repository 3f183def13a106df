"""Both renderings of a weekly run: each VM, its downtime, and its generations."""

import re
from collections.abc import Iterator

import pytest

from include.report import Report, render_html, render_text
from include.report.render import WEEK_STYLES, WIDTH, budget, downtime_text, share_of_budget, trend, wrap
from include.results.item import Downtime
from include.results.states import Outcome, State, WeekState
from tests.include.report.sample_items import (
    GB,
    MONDAYS,
    OF_VMS,
    STATES,
    imaged,
    row,
    space,
    vm,
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
    """Return one section of the report, as HTML and as text."""
    html = re.search(rf">{heading}</h2>(.*?)(<h2|$)", render_html(given), re.DOTALL)
    text = re.search(rf"── {heading} ─+\n(.*?)\n──", render_text(given), re.DOTALL)
    assert html
    assert text
    return _squeezed(html.group(1)), text.group(1)


@pytest.mark.parametrize(
    "expected",
    [
        "All 2 VMs were imaged and verified.",
        "16 GB imaged in 31 s, 800 MB sent; longest downtime 14 s.",
        "Sunday, 27 September 2026",
        "cold: 14 s down · 8.0 GB · 400 MB sent · 1 min 32 s",
        "Consistency: the guest had shut down.",
        "Verified: SHA-256 of 48 files equal",
        "14 s of 1 min 0 s",
        "2 of 2 VMs have a verified image from this week.",
        "This run added 16 GB and removed 6.0 GB; there is space for 200 more runs like it.",
        "cd /backup/vm/maq1/2026-09-27T09-00-13Z && sha256sum --check --quiet SHA256SUMS",
    ],
)
def test_both_parts_have_the_same_content_for_vms(expected: str) -> None:
    """Nobody who reads mail in a terminal misses anything."""
    given = weekly(*(imaged(name, evidence="the guest had shut down.") for name in ("maq1", "maq2")))
    assert [expected in part for part in _both(given)] == [True, True]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (weekly(items=()), "No VM was imaged."),
        (weekly(items=()), "No VM was stopped."),
        (weekly(items=(), dry_run=True), "No VM would be stopped."),
        (weekly(generations=()), "The vault holds no generation."),
        (weekly(generations=(), requested=("maqX",)), "no generation of the VMs that were asked for."),
        (weekly(generations=(), mondays=(), space=None), "The generations were not checked."),
        (weekly(imaged(warnings=("It ignored the shutdown.",))), "It ignored the shutdown."),
        (weekly(imaged(left_out=("CD-ROM hda (/a.iso).",))), "CD-ROM hda (/a.iso)."),
        (weekly(would_image(left_out=("CD-ROM hda (/a.iso).",)), dry_run=True), "CD-ROM hda (/a.iso)."),
        (weekly(vm("maq1", "NOT BACK")), "maq1 did not come back. Check this now"),
        (weekly(would_image(), dry_run=True), "cold: about 14 s down · 8.0 GB"),
    ],
)
def test_both_parts_show_what_is_unusual_about_vms(given: Report, expected: str) -> None:
    """And what was not checked."""
    assert [expected in part for part in _both(given)] == [True, True]


@pytest.mark.parametrize("outcome", OF_VMS)
def test_every_outcome_of_a_vm_is_shown_with_a_sign_and_its_name(outcome: Outcome) -> None:
    """Planned and excluded VMs look neither good nor bad."""
    odd = {Outcome.WOULD_IMAGE: "→", Outcome.EXCLUDED: "–"}  # noqa: RUF001 - the report's own sign
    sign = odd.get(outcome, SIGNS[STATES[outcome]])
    html, text = _both(weekly(vm("maq1", outcome)))
    assert f"{sign} {outcome}" in html
    assert f"{sign} maq1 {outcome}" in text


@pytest.mark.parametrize(
    ("given", "tone"),
    [
        (weekly(), "good"),
        (weekly(needs_action=("Look.",)), "open"),
        (weekly(items=()), "open"),
        (weekly(vm("old", "excluded")), "open"),
        (weekly(vm("maq1", "NOT BACK"), imaged()), "bad"),
        (weekly(would_image(), dry_run=True), "plan"),
        (weekly(would_image(), vm("kvm2", "not listed"), dry_run=True), "bad"),
    ],
)
def test_the_result_for_vms_is_green_only_if_no_action_is_needed(given: Report, tone: str) -> None:
    """It is at the top of the mail."""
    assert re.findall(r'class="(\w+)" style="padding:14px', render_html(given)) == [tone]


def test_a_vm_that_is_down_comes_first() -> None:
    """In both parts, whatever the order of the plan."""
    given = weekly(imaged(), vm("maq2", "not imaged"), vm("maq3", "NOT BACK"))
    for part in _part("VMs", given):
        assert part.index("maq3") < part.index("maq2") < part.index("maq1")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"method": "cold", "downtime_s": 14}, "cold: 14 s down"),
        ({"method": "cold"}, "cold: downtime unknown"),
        ({"method": "cold", "expected": True}, "cold: downtime unknown"),
        ({"method": "copy", "downtime_s": 700, "expected": True}, "copy: about 11 min 40 s down"),
        ({"method": "live", "downtime_s": 0}, "live: not stopped"),
        ({"method": "live", "downtime_s": 0.2}, "live: 0.2 s down"),
        ({"method": "offline", "was": "off", "downtime_s": 0}, "was off"),
    ],
)
def test_a_vms_line_says_how_it_was_imaged_and_how_long_it_was_down(
    fields: dict[str, object], expected: str
) -> None:
    """Or is expected to be, by its last downtime."""
    assert downtime_text(Downtime.model_validate({"was": "running", **fields})) == expected


@pytest.mark.parametrize(
    ("fields", "expected", "share"),
    [
        ({"downtime_s": 14, "budget_s": 60}, "14 s of 1 min 0 s", 23),
        ({"downtime_s": 75, "budget_s": 60}, "1 min 15 s of 1 min 0 s, 15 s over budget", 100),
        ({"downtime_s": 14}, "14 s", 0),
        ({"budget_s": 60}, "unknown", 0),
        ({"budget_s": 60, "expected": True}, "unknown", 0),
        ({"downtime_s": 14, "budget_s": 60, "expected": True}, "about 14 s of 1 min 0 s", 23),
    ],
)
def test_a_downtime_is_shown_with_its_budget(fields: dict[str, object], expected: str, share: int) -> None:
    """With a bar of the share that it used."""
    item = imaged(downtime={"method": "cold", "was": "running", **fields})
    assert item.downtime
    assert (budget(item), share_of_budget(item.downtime)) == (expected, share)


def test_a_vm_that_is_not_back_has_an_alarm_instead_of_a_downtime() -> None:
    """Whatever was measured before."""
    given = weekly(imaged(), vm("maq2", "NOT BACK"))
    assert budget(given.items[1]) == "did not come back"
    html, text = _part("Downtime", given)
    assert re.findall(r'<span class="(\w+)"', html) == ["bad", "idle"]
    assert text.index("maq2") < text.index("maq1")
    assert re.findall(r"did not come back", text) == ["did not come back"]


def test_a_downtime_over_its_budget_stands_out() -> None:
    """By its text, its colour, and a full bar."""
    down = {"method": "cold", "was": "running", "downtime_s": 75, "budget_s": 60}
    html, text = _part("Downtime", weekly(imaged(downtime=down)))
    assert '<span class="bad"' in html
    assert '<td class="bad" width="100%"' in html
    assert text.strip() == f"maq1          {'█' * 20}  1 min 15 s of 1 min 0 s, 15 s over budget"


@pytest.mark.parametrize(
    "down", [{"method": "live", "was": "running"}, {"method": "offline", "was": "off"}, None]
)
def test_a_vm_that_was_not_stopped_isnt_listed_with_a_downtime(down: dict[str, str] | None) -> None:
    """It had none."""
    html, text = _part("Downtime", weekly(imaged(downtime=down)))
    assert "No VM was stopped." in html
    assert text.strip() == "No VM was stopped."


@pytest.mark.parametrize("state", WeekState)
def test_a_week_of_a_vm_shows_its_sign_below_its_monday(state: WeekState) -> None:
    """And both as a title in the HTML, for screen readers."""
    given = weekly(generations=(row("maq1", state, *["kept"] * 2, count=17),))
    html, text = _part("Generations", given)
    assert f'title="week of 2026-09-07: {state}"' in html
    header, line = (found for found in text.splitlines() if "Sep" in found or found.startswith(" maq1"))
    assert line[header.index("7 Sep") - 1 :][:4].strip() == WEEK_STYLES[state].sign
    assert line.endswith("17")
    assert header.endswith("total")


def test_the_generations_have_a_legend_for_every_sign() -> None:
    """In both parts."""
    html, text = _part("Generations", weekly())
    for state, look in WEEK_STYLES.items():
        assert f"{look.sign}</span> {state}" in html
        assert f"{look.sign} {state}" in text


def test_the_text_about_vms_fits_a_terminal() -> None:
    """78 columns, also with long names, and every sentence wrapped."""
    long = "This sentence goes on and on. " * 20
    name = "the-institutes-mail-server-" + "x" * 38
    items = (
        imaged(name, reason=long, verification=long, evidence=long, warnings=(long,), left_out=(long,)),
        vm("maq2", "NOT BACK", reason=long),
        vm("maq3", "can't be backed up", reason=long),
    )
    rows = (row(name, count=12345), row("maq2", "failed", count=1))
    lines = render_text(
        weekly(*items, generations=rows, needs_action=(long,), verification_command=None)
    ).splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert all(line == line.rstrip() for line in lines)
    assert f" {name}" in lines


def test_a_long_list_of_what_an_image_lacks_is_cut() -> None:
    """As are very many snapshots of one disk; the subject counts all, and the log of List VMs has them."""
    snapshots = "internal snapshots " + ", ".join(f"day {number}" for number in range(5000))
    lacks = (snapshots, *(f"shared folder data{number}." for number in range(200)))
    for text in _both(weekly(imaged(left_out=lacks))):
        assert len(text) < 20_000
        assert text.count("Not in the image:") == 11
        assert "shared folder data8." in text
        assert "191 more, which the log of List VMs names." in text
    for text in _both(weekly(imaged(left_out=lacks[1:11]))):
        assert "shared folder data9." in text
        assert "more, which" not in text


def test_gmail_shows_two_dozen_vms_in_full() -> None:
    """It hides what comes after 102 kB; each VM has eight weeks and a warning."""
    long = "A sentence of the length that is said of a VM, with its reasons. "
    names = [f"maq{number}" for number in range(24)]
    items = [imaged(name, reason=long, warnings=(long,)) for name in names]
    rows = [row(name) for name in names]
    size = len(render_html(weekly(*items, generations=rows)).encode())
    assert size < GMAIL_CUTS_AT


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"added_bytes": 0}, "This run added nothing."),
        ({"added_bytes": 0, "gone_bytes": GB}, "This run added 0 B and removed 1.0 GB."),
        (
            {"added_bytes": GB, "gone_bytes": 2 * GB},
            "This run added 1.0 GB and removed 2.0 GB.",
        ),
        ({"added_bytes": 500 * GB}, "This run added 500 GB; there is space for 4 more runs like it."),
        ({"added_bytes": 1500 * GB}, "This run added 1.5 TB; there is space for 1 more run like it."),
        ({"added_bytes": 9}, "This run added 9 B; there is space for more than 1,000 runs like it."),
        ({"added_bytes": 9, "free_bytes": GB}, "No free space is left beyond the reserve of 1.0 TB."),
    ],
)
def test_the_trend_of_images_is_what_a_run_added_and_removed(
    fields: dict[str, object], expected: str
) -> None:
    """A daily rate would be misleading, as each run also removes images."""
    assert trend(space(growth_bytes_per_day=None, **fields)) == expected


def test_the_weeks_are_labelled_with_their_mondays() -> None:
    """Oldest first."""
    html, text = _part("Generations", weekly())
    assert re.findall(r">(\d+)<br>(\w+)</th>", html) == [(str(day.day), f"{day:%b}") for day in MONDAYS]
    assert re.findall(r"(\d+) (Aug|Sep)", text) == [(str(day.day), f"{day:%b}") for day in MONDAYS]


def test_a_number_stays_with_its_unit_in_the_text() -> None:
    """Wherever the line breaks."""
    for width in range(40, 80):
        text = wrap(f"{'x' * width} took 13 s, 1 min 5 s, 2 h 7 min and 6.0 GB of 20 B.")
        assert not re.search(r"\d\n", text)
        assert "\xa0" not in text
