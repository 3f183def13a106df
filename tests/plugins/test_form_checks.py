"""A wrong value is refused by the form and the API, with what is wrong, before a run exists."""

from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.sdk import Param
from airflow.serialization.definitions.param import SerializedParam, SerializedParamsDict

from include.config import site_file
from inpe_backup import form_checks, params

SITE = site_file.load(site_file.DEFAULT_PATH)
FORMS: dict[str, dict[str, Param]] = {
    "supim_daily": params.supim_daily(SITE),
    "vm_weekly": params.vm_weekly(),
    "vm_boot_test": params.vm_boot_test(),
    "vault_scrub": params.vault_scrub(),
    "supim_restore": params.supim_restore(SITE),
    "vm_restore": params.vm_restore(SITE),
}
NEEDED = {"supim_restore": {"day": "2026-268", "folder": "/data"}, "vm_restore": {"vm": "maq1"}}


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    """As the plugin file does in every Airflow process."""
    form_checks.register()


def sent(dag: str, **fields: object) -> dict[str, Any]:
    """Send a form, and return the params of its run, validated as Airflow does when it creates one."""
    form = {
        name: SerializedParam(param.value, param.description, **param.schema)
        for name, param in FORMS[dag].items()
    }
    return SerializedParamsDict(form).deep_merge(NEEDED.get(dag, {}) | fields).validate()


@pytest.mark.parametrize("dag", FORMS)
def test_a_form_passes_as_it_is(dag: str) -> None:
    """With the fields that it requires."""
    assert sent(dag)["dry_run"] is False


@pytest.mark.parametrize("day", ["2026-268", "2026-09-25", "2024-366", "2024-02-29"])
@pytest.mark.parametrize(
    ("dag", "field"), [("supim_daily", "day"), ("supim_restore", "day"), ("supim_restore", "last")]
)
def test_a_day_may_be_typed_in_both_forms(dag: str, field: str, day: str) -> None:
    """Year and day of the year, or the date."""
    assert sent(dag, **{field: day})[field] == day


WRONG = {
    "day 366": ("supim_daily", "day", "2026-366", "There is no day 366 in 2026; its days go from 1 to 365."),
    "no leap day": ("supim_daily", "day", "2026-02-29", "its month has the days 01 to 28."),
    "no day": ("supim_daily", "day", "2026-68", "'2026-68' is not a day. Write year and day of the year"),
    "future": ("supim_daily", "day", "2999-001", "There is no day 2999-001 (2999-01-01) yet."),
    "restored from the future": (
        "supim_restore",
        "last",
        "2999-01-01",
        "There is no day 2999-001 (2999-01-01) yet.",
    ),
    "empty": ("supim_daily", "day", "", "'' is not a day."),
    "restored": ("supim_restore", "day", "2026-366", "There is no day 366 in 2026"),
    "last": ("supim_restore", "last", "2026-000", "There is no day 0 in 2026"),
    "relative": ("supim_restore", "folder", "data", "'data' must be an absolute path without '..'"),
    "up": ("supim_restore", "folder", "/data/../etc", "must be an absolute path without '..'"),
    "wildcard": ("supim_restore", "folder", "/data/*", "must not contain * ? [ or a backslash"),
    "no host": ("supim_restore", "ssh_conn_id", "", "'' should be non-empty"),
    "no files": ("supim_restore", "pattern", "", "'' should be non-empty"),
    "revision 0": ("supim_restore", "revision", 0, "0 is less than the minimum of 1"),
    "empty line": ("vm_weekly", "vms", ["maq1", " "], "A line is empty. Write a VM's name or a pattern"),
    "one name": ("vm_weekly", "vms", "maq1", "'maq1' is not of type 'null', 'array'"),
    "a path": ("vm_boot_test", "vm", "../maq1", "'../maq1' can't be a name in the vault."),
    "no VM": ("vm_boot_test", "vm", "", "'' should be non-empty"),
    "hidden": ("vm_restore", "vm", ".maq1", "'.maq1' can't be a name in the vault."),
    "how": ("vm_restore", "how", "over it", "'over it' is not one of ['beside', 'in place']"),
    "line end": ("vm_restore", "new_name", "a\nb", "can't be a VM's name. Choose one of at most 200 bytes"),
    "month 13": ("vm_restore", "generation", "2026-13-22T05-00-03Z", "is not a generation. Write its name,"),
    "date": ("vm_restore", "generation", "2026-11-22", "such as 2026-11-22T05-00-03Z."),
    "other host": ("vm_restore", "host", "elsewhere", "'elsewhere' is not one of [None, "),
    "dotted": ("vm_restore", "folder", "/vms/../etc", "isn't a plain absolute path."),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_refused(case: str) -> None:
    """The message names the field and says what is wrong; a check of ours says nothing else."""
    dag, field, value, message = WRONG[case]
    with pytest.raises(ParamValidationError) as refused:
        sent(dag, **{field: value})

    assert str(refused.value).startswith(f"Invalid input for param {field}: ")
    assert message in str(refused.value)
    by_schema = case in ("no host", "no files", "revision 0", "no VM", "how", "other host", "one name")
    assert ("in schema" in str(refused.value)) == by_schema


def test_every_format_of_a_form_is_registered() -> None:
    """One that isn't would let everything pass."""
    formats = {param.schema.get("format") for form in FORMS.values() for param in form.values()}
    assert formats - {None} <= form_checks.CHECKS.keys()
