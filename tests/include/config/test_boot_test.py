"""The site file's section ``boot_test``: how overrides are merged, and what is refused."""

import pytest
from pydantic import ValidationError

from include.config.boot_test import BootChecks, BootTestSection
from include.config.site_file import Site


def site(override: object, **boot_test: object) -> Site:
    """Return a site file with an override of the boot test of ``maq7*``."""
    needed = {
        "mail": {"to": "a@b.example"},
        "vaults": {"main": {"path": "/vault"}},
        "datasets": {"supim": {"source": {"root": "/data"}}},
    }
    vms = {"overrides": [{"vms": "maq7*", "boot_test": override}]}
    return Site.model_validate({**needed, "vms": vms, "boot_test": boot_test})


@pytest.mark.parametrize("schedule", ["0 12 10 * *", "59 23 28 * *", "5 05 1 * *"])
def test_boot_tests_have_a_schedule_of_once_a_month(schedule: str) -> None:
    """On a day that every month has."""
    assert BootTestSection(schedule=schedule).schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    ["0 12 * * 0", "0 12 29 * *", "0 12 0 * *", "0 24 1 * *", "60 1 1 * *", "0 1 1 1 *", "@monthly"],
)
def test_another_schedule_is_refused(schedule: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValidationError, match="must be once a month"):
        BootTestSection(schedule=schedule)


@pytest.mark.parametrize(
    ("checks", "system"),
    [({}, True), ({"serial": "login:"}, False), ({"guest_agent": True}, False), ({"screen_s": 5}, False)],
)
def test_a_single_check_is_enough(checks: dict[str, object], *, system: bool) -> None:
    """Without any, some sign of its system is looked for."""
    requested = BootChecks.model_validate(checks).requested()
    assert requested == {"serial": None, "guest_agent": False, "screen_s": None, "system": system, **checks}


def test_keys_that_an_override_leaves_out_keep_their_usual_values() -> None:
    """Including those of the checks."""
    found = site(
        {"timeout_s": 900, "checks": {"guest_agent": True}},
        memory_max="1 GB",
        checks={"serial": "login:"},
    )
    override, usual = found.boot_test_of("maq71"), found.boot_test_of("maq1")
    assert override is not None
    assert usual is not None
    assert (override.timeout_s, override.memory_max) == (900, 10**9)
    assert override.checks == BootChecks(serial="login:", guest_agent=True)
    assert (usual.timeout_s, usual.checks) == (600, BootChecks(serial="login:"))


@pytest.mark.parametrize("off", [False, {"boot": False}], ids=["off", "boot: false"])
def test_a_vm_can_be_left_out_of_boot_tests(off: object) -> None:
    """Then its images aren't kept for a boot test that never comes."""
    found = site(off, required=True)
    assert found.boot_test_of("maq71") is None
    assert not found.boot_test_required("maq71")
    assert found.boot_test_of("maq1") is not None
    assert found.boot_test_required("maq1")


def test_an_override_of_the_boot_test_leaves_the_backup_as_it_is() -> None:
    """And an override of the backup leaves the boot test as it is."""
    found = site({"timeout_s": 900})
    assert found.vms.settings("maq71") == found.vms.settings("maq1")
    vms = found.vms.model_validate({"overrides": [{"vms": "maq7*", "method": "live"}]})
    other = found.model_copy(update={"vms": vms})
    assert other.boot_test_of("maq71") == other.boot_test_of("maq1")
