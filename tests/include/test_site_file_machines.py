"""The site file's section about machines: wrong keys are told by their paths, as deep as they stand."""

from pathlib import Path

import pytest

from tests.include.test_site_file import changed, load, refused


# Each: what stands in the section ``machines``, and the path that is complained about.
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
        ({"window_s": 0}, "window_s"),
        ({"retry_delay_s": 0}, "retry_delay_s"),
        ({"method": "copy"}, "method"),
        ({"on_timeout": "kill"}, "on_timeout"),
        ({"shutdown_timeout_s": 0}, "shutdown_timeout_s"),
        ({"lease_s": 19}, "lease_s"),
        ({"lease_s": 86401}, "lease_s"),
        ({"downtime_budget_s": 0}, "downtime_budget_s"),
        ({"proof": {"ports": [0]}}, "proof.ports[0]"),
        ({"proof": {"ports": [22, 65536]}}, "proof.ports[1]"),
        ({"proof": {"timeout_s": -1}}, "proof.timeout_s"),
        ({"proof": {"ping": True}}, "proof.ping"),
        ({"keep": {"weekly": -1, "monthly": 1, "yearly": 1}}, "keep.weekly"),
        ({"keep": {"daily": 1, "weekly": 1, "monthly": 1, "yearly": 1}}, "keep.daily"),
        ({"hosts": [{}]}, "hosts[0].machines"),
        ({"hosts": [{"machines": []}]}, "hosts[0].machines"),
        ({"hosts": [{"machines": "maq*"}]}, "hosts[0].machines"),
        ({"hosts": [{"machines": ["*"], "uri": "qemu system"}]}, "hosts[0].uri"),
        ({"hosts": [{"machines": ["*"], "uri": "qemu:///system\n"}]}, "hosts[0].uri"),
        ({"hosts": [{"machines": ["*"], "state": "inpe"}]}, "hosts[0].state"),
        ({"hosts": [{"machines": ["*"], "scratch": "/a/../b"}]}, "hosts[0].scratch"),
        ({"hosts": [{"machines": ["*"], "host": "kvm1"}]}, "hosts[0].host"),
        ({"special": [{"method": "live"}]}, "special[0].machines"),
        ({"special": [{"machines": "maq7", "keep": {}}]}, "special[0].keep"),
        (
            {"special": [{"machines": "maq7", "lease_s": 21, "proof": {"ports": ["ssh"]}}]},
            "special[0].proof.ports[0]",
        ),
        ({"drill": {"schedule": "0 12 * * 0"}}, "drill.schedule"),
        ({"drill": {"boot": False}}, "drill.boot"),
        ({"drill": {"proof": {"screen_s": 0}}}, "drill.proof.screen_s"),
        ({"special": [{"machines": "maq7", "drill": True}]}, "special[0].drill"),
        ({"special": [{"machines": "maq7", "drill": "off"}]}, "special[0].drill"),
        ({"special": [{"machines": "maq7", "drill": {"per_run": 2}}]}, "special[0].drill.per_run"),
        ({"special": [{"machines": "maq7", "drill": {"memory_max": "9 kB"}}]}, "special[0].drill.memory_max"),
        (
            {"special": [{"machines": "maq7", "drill": {"proof": {"serial": ""}}}]},
            "special[0].drill.proof.serial",
        ),
        ({"machines": ["maq1"]}, "machines"),
    ],
    ids=str,
)
def test_a_wrong_key_about_machines_is_told_by_its_path(
    tmp_path: Path, keys: dict[str, object], path: str
) -> None:
    """As deep as it stands."""
    told = refused(tmp_path, changed("machines", **keys))
    assert told.splitlines()[0].endswith("has 1 wrong key:")
    assert told.splitlines()[1].startswith(f"  machines.{path}: ")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"lease_s": 100}, "lease_s is 100, and must be at least"),
        ({"hosts": [{"machines": ["a"]}, {"machines": ["b"]}]}, "the connection kvm_host twice"),
        ({"special": [{"machines": "maq7", "shutdown_timeout_s": 7000}]}, "lease_s for maq7 is 1800"),
    ],
)
def test_keys_about_machines_that_dont_fit_together_are_told(
    tmp_path: Path, keys: dict[str, object], words: str
) -> None:
    """The section is named, and which of them."""
    line = refused(tmp_path, changed("machines", **keys)).splitlines()[1]
    assert line.startswith("  machines: ")
    assert words in line


@pytest.mark.parametrize("schedule", ["0 2 * * 0", "59 23 * * SUN", "5 05 * * 7", "0 0 * * FRI"])
def test_machines_have_a_schedule_of_once_a_week(tmp_path: Path, schedule: str) -> None:
    """Each generation is a week's."""
    assert load(tmp_path, changed("machines", schedule=schedule)).machines.schedule == schedule
