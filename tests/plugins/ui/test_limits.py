"""What the page must bear: all eyes and windows, ten years of days, and names that attack it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from include.ordinal_day import OrdinalDay
from include.report import Kind
from include.standing.facts import DaysPart, MachinesPart, Part
from tests import published
from tests.dags import Daily
from tests.plugins.ui.page import cell, open_framed, open_page, shifts, watch_shifts
from tests.published import day, machine, rules, run, said
from tests.site.publish import publish, publish_raw

pytestmark = pytest.mark.xdist_group("ui")

HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "'; document.title='owned'; //",
    "\u202egnp.exe",
    "{{ 7 * 7 }}{% raw %}",
    "a/../../b c?d#e%2f",
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong(
    daily: Daily, another: Callable[..., Page], usual: datetime, theme: str
) -> None:
    """In either theme: the page, the records of a day and of a machine, and the forms."""
    page = another(color_scheme=theme)
    open_page(page, daily.airflow)
    _is_accessible(page)
    cell(page, str(OrdinalDay.of(usual.date()) - 20)).click()
    expect(page.get_by_role("dialog")).to_contain_text("At the source")
    _is_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Back it up …").click()
    expect(page.get_by_role("dialog", name="Back up days")).to_be_visible()
    _is_accessible(page)
    page.keyboard.press("Escape")
    cell(page, str(OrdinalDay.of(usual.date()) - 42)).click()
    page.get_by_role("dialog").get_by_role("button", name="Restore it …").click()
    expect(page.get_by_role("dialog", name="Restore days")).to_contain_text("restore_day proves")
    _is_accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="maq2", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Restore: open its DAG")
    _is_accessible(page)


def _is_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_page_follows_airflows_theme_when_it_changes(daily: Daily, admin: Page, usual: datetime) -> None:  # noqa: ARG001
    """Whatever the system's own is."""
    frame = open_framed(admin, daily.airflow)
    root = frame.locator("html")
    for theme in ("dark", "light"):
        admin.evaluate(
            "theme => { const root = document.documentElement; root.classList.remove('dark', 'light');"
            " root.classList.add(theme); }",
            theme,
        )
        expect(root).to_have_attribute("data-theme", theme)


@pytest.mark.usefixtures("usual")
def test_a_narrow_window_scrolls_only_up_and_down(daily: Daily, another: Callable[..., Page]) -> None:
    """Wide tables scroll by themselves, and show their newest days first."""
    page = another(viewport={"width": 360, "height": 740})
    open_page(page, daily.airflow)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    stop = page.locator(".cal td[tabindex='0']").first
    stop.scroll_into_view_if_needed()
    box = stop.bounding_box()
    assert box
    assert 0 <= box["x"] <= 340


def test_ten_years_and_500_machines_are_light_and_lie_still(
    daily: Daily, another: Callable[..., Page]
) -> None:
    """Below 500 kB with everything it needs, and nothing moves while it loads or is renewed."""
    now = datetime.now(UTC)
    publish(daily.airflow, published.vault(now, years=10, machines=500), anew=True)
    page = another()
    sizes: list[int] = []
    page.on(
        "response", lambda answer: sizes.append(len(answer.body())) if "/backups/" in answer.url else None
    )
    watch_shifts(page)
    open_page(page, daily.airflow)
    page.wait_for_load_state("networkidle")
    expect(page.locator("table.cal")).to_have_count(10)
    expect(page.locator(".fleet tbody tr")).to_have_count(500)
    assert sum(sizes) < 500_000
    publish(daily.airflow, [said(rules(), now)])
    before = page.locator("#page").get_attribute("data-event")
    expect(page.locator("#page")).not_to_have_attribute("data-event", str(before))
    assert shifts(page) == 0


def test_hostile_names_are_only_ever_text(daily: Daily, admin: Page) -> None:
    """Of machines, runs, warnings and damage; wherever they're shown, and whoever made them."""
    now = datetime.now(UTC)
    day_of = OrdinalDay.of(now.date()) - 2
    warned = day(day_of, now).model_copy(update={"warnings": tuple(HOSTILE), "run": HOSTILE[1]})
    machines = tuple(machine(name, now) for name in HOSTILE)
    events: list[Part] = [
        rules(),
        DaysPart(year=day_of.year, days=(warned,)),
        MachinesPart(machines=machines),
    ]
    events += [run(HOSTILE[0], Kind.DAYS, name, now, needs_person=(name,), good=False) for name in HOSTILE]
    publish(daily.airflow, [said(part, now, path=HOSTILE[0]) for part in events], anew=True)
    open_page(admin, daily.airflow)
    cell(admin, str(day_of)).click()
    expect(admin.get_by_role("dialog")).to_contain_text(HOSTILE[0])
    admin.keyboard.press("Escape")
    for name in HOSTILE:
        shown = name.replace("\u202e", "\\u202e")
        admin.locator(".fleet th button", has_text=shown).click()
        expect(admin.get_by_role("dialog")).to_contain_text("kvm_host")
        admin.keyboard.press("Escape")
    assert admin.title() == "Backups"
    assert admin.locator("img[src=x], #page script").count() == 0


def test_what_is_not_understood_is_left_out_and_counted(daily: Daily, admin: Page, usual: datetime) -> None:  # noqa: ARG001
    """A later version's facts, or somebody else's, don't break the page."""
    publish_raw(daily.airflow, [("backup_facts/x/machines", {"version": 9, "new": True})])
    open_page(admin, daily.airflow)
    expect(admin.locator("footer")).to_contain_text("1 published fact can't be read")
