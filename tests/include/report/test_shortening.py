"""A mail that Gmail shows whole: verdict and what failed first, long lists shortened."""

from collections.abc import Callable

import pytest

from include.ordinal_day import OrdinalDay, window
from include.report import Report, render_html, render_text
from include.report.shortening import LARGEST_BYTES, Limits, shown
from tests.include.report.sample_items import backup, imaged, of_backups, report, row, safe, vm, weekly

LONG = "A sentence of the length that a VM needs, with all its reasons. "
DAYS = [str(day) for day in window(OrdinalDay(2026, 365), 365)]
VMS = [f"maq{number}" for number in range(150)]


def backfill() -> Report:
    """Return the report of a year's backfill, with a failed day in the middle."""
    items = [backup(day, "copied", reason=LONG, files=48, verification=LONG) for day in DAYS]
    items[200] = backup(DAYS[200], "failed", reason=LONG * 40, warnings=(LONG,) * 90)
    return of_backups("backfill", *items, needs_action=(LONG,) * 400)


def many_vms() -> Report:
    """Return the report of 150 VMs, of which the last failed."""
    items = [imaged(name, reason=LONG * 4, warnings=(LONG,) * 3, evidence=LONG) for name in VMS[:-1]]
    rows = [*(row(name) for name in VMS[:-1]), row(VMS[-1], "failed")]
    removed = [{"name": name, "reason": LONG} for name in VMS]
    items.append(vm(VMS[-1], "not imaged", reason=LONG))
    return weekly(*items, generations=rows, removed=removed, needs_action=(LONG * 5,) * 150)


def all_lost() -> Report:
    """Return the report of VMs that are all down, on hosts that couldn't be listed, asked for one by one."""
    down = [vm(f"{name}-{LONG * 2}", "NOT BACK") for name in VMS]
    hosts = [vm(f"kvm-{number}-{LONG * 2}", "not listed") for number in range(150)]
    return weekly(*down, *hosts, requested=[f"{number}-{LONG * 2}" for number in range(1000)])


def restored() -> Report:
    """Return the report of a restore of a thousand days, all with warnings as long as they come."""
    names = [f"{2020 + number // 365}-{1 + number % 365:03}" for number in range(1000)]
    return of_backups("restore", *(backup(name, "restored", warnings=(LONG * 200,) * 10) for name in names))


@pytest.mark.parametrize("render", [render_html, render_text])
@pytest.mark.parametrize(
    "long", [backfill, many_vms, all_lost, restored], ids=["backfill", "VMs", "all lost", "restore"]
)
def test_a_mail_stays_below_the_size_at_which_gmail_cuts_it(
    long: Callable[[], Report], render: Callable[[Report], str]
) -> None:
    """HTML and text each; it ends as every mail does, and says how much is left out."""
    text = render(long())
    assert len(text.encode()) <= LARGEST_BYTES
    assert "https://airflow.example/log" in text
    assert "more: " in text
    assert "The whole report is on the page Backups, with its run." in " ".join(text.split())


def test_what_failed_is_shown_first_of_many() -> None:
    """Also the row of a VM without an image of this week."""
    assert DAYS[200] in render_text(backfill()).split(DAYS[0])[0]
    few = shown(many_vms(), Limits(2, 200))
    assert few.items[0].name == VMS[-1] == few.generations[0].name
    assert few.more_items.startswith("And 148 more: 148 imaged. ")
    assert few.more_generations.startswith("And 148 more VMs. ")
    assert (len(few.needs_action), few.more_actions[:21]) == (2, "And 148 more actions.")


def test_a_usual_mail_is_shown_whole() -> None:
    """Nothing is said of what isn't left out."""
    for given in (report(), report(*(safe(day) for day in DAYS[:33])), weekly(*map(imaged, VMS[:24]))):
        assert "whole report" not in render_text(given)
        assert all(item.name in render_html(given) for item in given.items)


@pytest.mark.parametrize("render", [render_html, render_text])
def test_a_shortened_mail_links_to_the_whole_report(render: Callable[[Report], str]) -> None:
    """Which the page shows of each run; below a path, too, as where Airflow is behind a proxy."""
    run = "https://airflow.example/site/dags/supim_restore/runs/manual__2026-11-28T03%3A00"
    given = backfill().model_copy(update={"run_url": run})
    page = "https://airflow.example/site/backups/runs/supim_restore/manual__2026-11-28T03%3A00"
    assert page in render(given)
    assert page not in render(report().model_copy(update={"run_url": run}))


def test_the_page_shows_a_report_whole() -> None:
    """Each item, action, warning and sentence."""
    html = render_html(backfill(), is_whole=True)
    assert [day for day in DAYS if day not in html] == []
    assert html.count(LONG) >= 400 + 2 * 364 + 40 + 90
    assert "more" not in html.replace("one more", "")
