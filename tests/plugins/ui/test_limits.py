"""The page's limits: accessibility, narrow windows, ten years of days, and hostile names."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from include.ordinal_day import OrdinalDay
from include.results.states import Kind
from include.status.parts import DaysPart, Part, VmsPart
from tests import sample_status
from tests.dags import Daily
from tests.plugins.ui.page import cell, open_framed, open_page, shifts, watch_shifts
from tests.sample_status import day, published, rules, run, vm
from tests.site.publish import publish, publish_raw

pytestmark = pytest.mark.worker_group("days")

HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "'; document.title='owned'; //",
    "\u202egnp.exe",
    "{{ 7 * 7 }}{% raw %}",
    "a/../../b c?d#e%2f",
]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violations(
    daily: Daily, new_window: Callable[..., Page], sample_vault: datetime, theme: str
) -> None:
    """In either theme, on the page, the records of a day and a VM, and the forms."""
    page = new_window(color_scheme=theme)
    open_page(page, daily.airflow)
    _is_accessible(page)
    cell(page, str(OrdinalDay.of(sample_vault.date()) - 20)).click()
    expect(page.get_by_role("dialog")).to_contain_text("At the source")
    _is_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Back it up …").click()
    expect(page.get_by_role("dialog", name="Back up days")).to_be_visible()
    _is_accessible(page)
    page.keyboard.press("Escape")
    cell(page, str(OrdinalDay.of(sample_vault.date()) - 42)).click()
    page.get_by_role("dialog").get_by_role("button", name="Restore it …").click()
    expect(page.get_by_role("dialog", name="Restore days")).to_contain_text("supim_restore verifies")
    _is_accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="maq2", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("over NBD (vda: qcow2, not a raw file)")
    expect(page.get_by_role("dialog")).to_contain_text("Removed next")
    _is_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Restore it …").click()
    expect(page.get_by_role("dialog", name="Restore a VM")).to_contain_text("vm_restore makes a new VM")
    _is_accessible(page)


def _is_accessible(page: Page) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.slow
@pytest.mark.usefixtures("sample_vault")
def test_the_page_follows_airflows_theme_when_it_changes(daily: Daily, admin: Page) -> None:
    """Whatever the system's theme is."""
    frame = open_framed(admin, daily.airflow)
    root = frame.locator("html")
    for theme in ("dark", "light"):
        admin.evaluate(
            "theme => { const root = document.documentElement; root.classList.remove('dark', 'light');"
            " root.classList.add(theme); }",
            theme,
        )
        expect(root).to_have_attribute("data-theme", theme)


@pytest.mark.usefixtures("sample_vault")
def test_a_narrow_window_only_scrolls_vertically(daily: Daily, new_window: Callable[..., Page]) -> None:
    """Wide tables scroll inside the page, and first show their newest days."""
    page = new_window(viewport={"width": 360, "height": 740})
    open_page(page, daily.airflow)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    stop = page.locator(".cal td[tabindex='0']").first
    stop.scroll_into_view_if_needed()
    box = stop.bounding_box()
    assert box
    assert 0 <= box["x"] <= 340


@pytest.mark.slow
def test_ten_years_and_500_vms_load_below_500_kb_without_layout_shift(
    daily: Daily, new_window: Callable[..., Page]
) -> None:
    """With style, script and screenshots, on load and after a refresh."""
    now = datetime.now(UTC)
    publish(daily.airflow, sample_status.vault(now, years=10, vms=500), clear=True)
    page = new_window()
    sizes: list[int] = []
    page.on(
        "response",
        lambda response: sizes.append(len(response.body())) if "/backups/" in response.url else None,
    )
    watch_shifts(page)
    open_page(page, daily.airflow)
    page.wait_for_load_state("networkidle")
    expect(page.locator("table.cal")).to_have_count(10)
    expect(page.locator(".vms tbody tr")).to_have_count(500)
    assert sum(sizes) < 500_000
    publish(daily.airflow, [published(rules(), now)])
    before = page.locator("#page").get_attribute("data-event")
    expect(page.locator("#page")).not_to_have_attribute("data-event", str(before))
    assert shifts(page) == 0


def test_hostile_names_are_shown_as_text(daily: Daily, admin: Page) -> None:
    """In VMs, runs, warnings and paths, wherever the page shows them."""
    now = datetime.now(UTC)
    day_of = OrdinalDay.of(now.date()) - 2
    warned = day(day_of, now).model_copy(update={"warnings": tuple(HOSTILE), "run": HOSTILE[1]})
    vms = tuple(vm(name, now) for name in HOSTILE)
    events: list[Part] = [
        rules(),
        DaysPart(year=day_of.year, days=(warned,)),
        VmsPart(vms=vms),
    ]
    events += [run(HOSTILE[0], Kind.DAYS, name, now, needs_action=(name,), good=False) for name in HOSTILE]
    publish(daily.airflow, [published(part, now, path=HOSTILE[0]) for part in events], clear=True)
    open_page(admin, daily.airflow)
    cell(admin, str(day_of)).click()
    expect(admin.get_by_role("dialog")).to_contain_text(HOSTILE[0])
    admin.keyboard.press("Escape")
    for name in HOSTILE:
        shown = name.replace("\u202e", "\\u202e")
        admin.locator(".vms th button", has_text=shown).click()
        expect(admin.get_by_role("dialog")).to_contain_text("kvm_host")
        admin.keyboard.press("Escape")
    assert admin.title() == "Backups"
    assert admin.locator("img[src=x], #page script").count() == 0


@pytest.mark.usefixtures("sample_vault")
def test_an_unreadable_event_is_left_out_and_counted(daily: Daily, admin: Page) -> None:
    """An event from a later version, or from somebody else, doesn't break the page."""
    publish_raw(daily.airflow, [("backup_status/x/vms", {"version": 9, "new": True})])
    open_page(admin, daily.airflow)
    expect(admin.locator("footer")).to_contain_text("can't read 1 published event")
