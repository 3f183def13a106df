"""The site file's section about VMs: wrong keys are reported by their paths."""

from pathlib import Path

import pytest

from tests.include.config.test_site_file import changed, load, refused


# Keys of the section ``vms``, and the path that is reported.
@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"schedule": "0 2 * * *"}, "schedule"),
        ({"schedule": "0 2 1 * 0"}, "schedule"),
        ({"schedule": "0 2 * * 8"}, "schedule"),
        ({"schedule": "0 2 * * sunday"}, "schedule"),
        ({"schedule": "60 2 * * 0"}, "schedule"),
        ({"schedule": "0 24 * * 0"}, "schedule"),
        ({"schedule": "0 2 * * 0,3"}, "schedule"),
        ({"schedule": "0 2 * * 0\n"}, "schedule"),
        ({"schedule": "@weekly"}, "schedule"),
        ({"start_deadline_s": 0}, "start_deadline_s"),
        ({"retry_delay_s": 0}, "retry_delay_s"),
        ({"method": "copy"}, "method"),
        ({"managed_save": "keep"}, "managed_save"),
        ({"on_timeout": "kill"}, "on_timeout"),
        ({"shutdown_timeout_s": 0}, "shutdown_timeout_s"),
        ({"watchdog_s": 19}, "watchdog_s"),
        ({"watchdog_s": 86401}, "watchdog_s"),
        ({"downtime_budget_s": 0}, "downtime_budget_s"),
        ({"health_check": {"ports": [0]}}, "health_check.ports[0]"),
        ({"health_check": {"ports": [22, 65536]}}, "health_check.ports[1]"),
        ({"health_check": {"timeout_s": -1}}, "health_check.timeout_s"),
        ({"health_check": {"ping": True}}, "health_check.ping"),
        ({"keep": {"weekly": -1, "monthly": 1, "yearly": 1}}, "keep.weekly"),
        ({"keep": {"daily": 1, "weekly": 1, "monthly": 1, "yearly": 1}}, "keep.daily"),
        ({"hosts": [{}]}, "hosts[0].vms"),
        ({"hosts": [{"vms": []}]}, "hosts[0].vms"),
        ({"hosts": [{"vms": "maq*"}]}, "hosts[0].vms"),
        ({"hosts": [{"vms": ["*"], "uri": "qemu system"}]}, "hosts[0].uri"),
        ({"hosts": [{"vms": ["*"], "uri": "qemu:///system\n"}]}, "hosts[0].uri"),
        ({"hosts": [{"vms": ["*"], "state": "inpe"}]}, "hosts[0].state"),
        ({"hosts": [{"vms": ["*"], "scratch": "/a/../b"}]}, "hosts[0].scratch"),
        ({"hosts": [{"vms": ["*"], "host": "kvm1"}]}, "hosts[0].host"),
        ({"overrides": [{"method": "live"}]}, "overrides[0].vms"),
        ({"overrides": [{"vms": "maq7", "keep": {}}]}, "overrides[0].keep"),
        (
            {"overrides": [{"vms": "maq7", "watchdog_s": 21, "health_check": {"ports": ["ssh"]}}]},
            "overrides[0].health_check.ports[0]",
        ),
        ({"overrides": [{"vms": "maq7", "boot_test": True}]}, "overrides[0].boot_test"),
        ({"overrides": [{"vms": "maq7", "boot_test": "off"}]}, "overrides[0].boot_test"),
        ({"overrides": [{"vms": "maq7", "boot_test": {"per_run": 2}}]}, "overrides[0].boot_test.per_run"),
        (
            {"overrides": [{"vms": "maq7", "boot_test": {"memory_max": "9 kB"}}]},
            "overrides[0].boot_test.memory_max",
        ),
        (
            {"overrides": [{"vms": "maq7", "boot_test": {"checks": {"serial": ""}}}]},
            "overrides[0].boot_test.checks.serial",
        ),
        ({"boot_test": {}}, "boot_test"),
        ({"vms": ["maq1"]}, "vms"),
    ],
    ids=str,
)
def test_a_wrong_key_about_vms_is_reported_by_its_path(
    tmp_path: Path, keys: dict[str, object], path: str
) -> None:
    """However deep it is."""
    message = refused(tmp_path, changed("vms", **keys))
    assert message.splitlines()[0].endswith("has 1 wrong key:")
    assert message.splitlines()[1].startswith(f"  vms.{path}: ")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"watchdog_s": 100}, "watchdog_s is 100, and must be at least"),
        ({"hosts": [{"vms": ["a"]}, {"vms": ["b"]}]}, "the connection kvm_host twice"),
        ({"overrides": [{"vms": "maq7", "shutdown_timeout_s": 7000}]}, "watchdog_s for maq7 is 1800"),
    ],
)
def test_keys_about_vms_that_contradict_each_other_are_reported(
    tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    """With the section's name and their own."""
    line = refused(tmp_path, changed("vms", **keys)).splitlines()[1]
    assert line.startswith("  vms: ")
    assert message in line


@pytest.mark.parametrize("schedule", ["0 2 * * 0", "59 23 * * SUN", "5 05 * * 7", "0 0 * * FRI"])
def test_vms_have_a_schedule_of_once_a_week(tmp_path: Path, schedule: str) -> None:
    """There is one generation per week."""
    assert load(tmp_path, changed("vms", schedule=schedule)).vms.schedule == schedule


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"schedule": "0 12 * * 0"}, "schedule"),
        ({"boot": False}, "boot"),
        ({"checks": {"screen_s": 0}}, "checks.screen_s"),
    ],
    ids=str,
)
def test_a_wrong_key_about_boot_tests_is_reported_by_its_path(
    tmp_path: Path, keys: dict[str, object], path: str
) -> None:
    """They have a section of their own."""
    message = refused(tmp_path, changed("boot_test", **keys))
    assert message.splitlines()[0].endswith("has 1 wrong key:")
    assert message.splitlines()[1].startswith(f"  boot_test.{path}: ")
