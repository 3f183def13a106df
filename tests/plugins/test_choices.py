"""The forms suggest the days, VMs and images that the vault has, and take others, too."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk import Param, Variable

from include.config import site_file
from include.errors import RequestError
from include.ordinal_day import OrdinalDay
from include.status.parts import DaysPart
from inpe_backup import choices, form_checks, params
from inpe_backup.choices import DAYS, VARIABLE, image_of, publish_days, suggested_images
from tests import sample_status

IMAGES = {
    "maq1": ["2026-11-15T05-00-03Z", "2026-11-22T05-00-03Z"],
    "maq2": ["2026-11-22T05-20-00Z"],
    "maq3": [],
}
NEWEST_FIRST = ["maq2/2026-11-22T05-20-00Z", "maq1/2026-11-22T05-00-03Z", "maq1/2026-11-15T05-00-03Z"]


@pytest.fixture(autouse=True)
def _formats() -> None:
    """The formats, as the plugin registers them."""
    form_checks.register()


def forms() -> dict[str, params.Form]:
    """Return the forms that name VMs."""
    site = site_file.load(Path("include/site.yaml"))
    return {
        "vm_restore": params.vm_restore(site),
        "vm_boot_test": params.vm_boot_test(),
        "vm_protect": params.vm_protect(),
    }


def day_form(monkeypatch: pytest.MonkeyPatch, days: str) -> params.Form:
    """Return the form of ``supim_restore``, with a Variable as it was published, or as somebody wrote it."""
    monkeypatch.setenv(f"AIRFLOW_VAR_{DAYS.upper()}", days)
    return params.supim_restore(site_file.load(Path("include/site.yaml")))


def test_days_are_suggested_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both fields, of all years; others may be typed, as dates too."""
    form = day_form(monkeypatch, '{"2025": [[363, 365]], "2026": [[1, 2], [5, 5]]}')
    for name in ("day", "last"):
        assert form[name].schema["examples"] == [
            "2026-005", "2026-002", "2026-001", "2025-365", "2025-364", "2025-363",
        ]  # fmt: skip
        assert form[name].resolve("2019-04-10") == "2019-04-10"
    assert len(day_form(monkeypatch, '{"2026": [[1, 365]]}')["day"].schema["examples"]) == 300


def test_days_are_published_as_ranges_beside_those_of_other_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daily run reads the years of its own days only."""
    written: dict[str, str] = {}
    monkeypatch.setattr(Variable, "set", lambda name, value, **_: written.update({name: value}))
    monkeypatch.setenv(f"AIRFLOW_VAR_{DAYS.upper()}", '{"2024": [[366, 366]], "2026": [[1, 9]]}')
    now = datetime(2026, 11, 27, tzinfo=UTC)
    days = tuple(sample_status.day(OrdinalDay(2026, number), now) for number in (1, 2, 3, 7))
    publish_days([DaysPart(year=2026, days=days), DaysPart(year=2025, days=())])
    assert json.loads(written[DAYS]) == {"2024": [[366, 366]], "2025": [], "2026": [[1, 3], [7, 7]]}


@pytest.mark.parametrize(
    "wrong", ["nonsense", "[]", '{"2026": 5}', '{"2026": [[1]]}', '{"x": [[1, 2]]}', '{"2026": [[1, "a"]]}',
              '{"2026": [[1, 999]]}']
)  # fmt: skip
def test_days_that_somebody_changed_break_no_form(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """Nor ``supim_restore``."""
    assert "examples" not in day_form(monkeypatch, wrong)["day"].schema


def test_the_forms_suggest_what_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow reads a Variable from the environment first, as here; images newest first, each with its VM."""
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", json.dumps(IMAGES))
    found = forms()
    for form in found.values():
        assert form["vm"].schema["examples"] == ["maq1", "maq2", "maq3"]
    for form in (found["vm_restore"], found["vm_protect"]):
        assert form["generation"].schema["examples"] == NEWEST_FIRST


def test_before_anything_was_published_a_form_suggests_nothing() -> None:
    """And takes what is typed."""
    for form in forms().values():
        assert "examples" not in form["vm"].schema
        assert form["vm"].resolve("maq9") == "maq9"


@pytest.mark.parametrize("wrong", ["nonsense", "[]", '{"maq1": 5}', '{"maq1": [1, "a"]}', '{"maq1": null}'])
def test_a_variable_that_somebody_changed_breaks_no_form(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """Nor their DAGs, which could restore nothing."""
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", wrong)
    assert set(forms()) == {"vm_restore", "vm_boot_test", "vm_protect"}


def test_an_airflow_that_cant_be_asked_or_written_to_breaks_neither_forms_nor_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every task loads its DAG file with its form, and most runs publish."""

    def refused(*_: object, **__: object) -> str:
        raise RuntimeError("The API server is busy.")

    monkeypatch.setattr(Variable, "get", refused)
    monkeypatch.setattr(Variable, "set", refused)
    assert set(forms()) == {"vm_restore", "vm_boot_test", "vm_protect"}
    choices.publish([])
    assert "The forms go on suggesting what they did." in caplog.messages


@pytest.mark.parametrize("image", ["2026-11-22T05-00-03Z", "maq1/2026-11-22T05-00-03Z"])
def test_an_image_may_be_typed_or_chosen(image: str) -> None:
    """As its folder in the vault is named, or with its VM."""
    field: Param = forms()["vm_protect"]["generation"]
    assert field.resolve(image) == image
    assert image_of("maq1", image) == "2026-11-22T05-00-03Z"


@pytest.mark.parametrize("wrong", ["maq1", "maq1/", "/2026", "yesterday"])
def test_other_text_is_no_image(wrong: str) -> None:
    """The form refuses it."""
    with pytest.raises(RequestError, match=r"is not a generation\. Write its name"):
        forms()["vm_protect"]["generation"].resolve(wrong)


def test_an_image_of_another_vm_is_refused() -> None:
    """Chosen from the list by mistake."""
    with pytest.raises(RequestError, match="is an image of 'maq2', not of 'maq1'"):
        image_of("maq1", NEWEST_FIRST[0])


def test_only_the_newest_images_are_suggested() -> None:
    """Of hundreds of VMs."""
    many = {f"vm{number}": [f"{datetime(2026, 1, 1, tzinfo=UTC):%Y}-{number:03d}"] for number in range(500)}
    examples = suggested_images(many)["examples"]
    assert (len(examples), examples[0]) == (300, "vm499/2026-499")


def test_both_forms_of_a_restore_in_place_say_that_the_disks_are_replaced() -> None:
    """By default the old ones are kept beside: nothing is overwritten."""
    how = forms()["vm_restore"]["how"].schema["values_display"]["in place"]
    page = Path("plugins/inpe_backup/ui/templates/dialogs.html.j2").read_text()
    assert how == "In place: its current disks are replaced; it must be off"
    assert how in page
    assert "disks are overwritten" not in page
