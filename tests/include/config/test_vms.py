"""The site file's section ``vms``: how overrides are merged, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from include.config.vms import HealthChecks, VmsSection
from include.errors import ConfigError


def section(**keys: object) -> VmsSection:
    """Return a section."""
    return VmsSection.model_validate(keys)


def refused(**keys: object) -> str:
    """Return the message with which a section is refused."""
    with pytest.raises(ValidationError) as wrong:
        section(**keys)
    return str(wrong.value)


def test_keys_that_an_override_leaves_out_keep_their_usual_values() -> None:
    """Including those of the health check."""
    usual = {"method": "live", "watchdog_s": 900, "health_check": {"timeout_s": 300, "ports": [22]}}
    override = {"vms": "maq7*", "on_timeout": "destroy", "health_check": {"guest_agent": True}}
    found = section(**usual, overrides=[override])
    settings = found.settings("maq71")
    assert (settings.method, settings.watchdog_s, settings.on_timeout) == ("live", 900, "destroy")
    assert settings.health_check == HealthChecks(guest_agent=True, timeout_s=300, ports=(22,))
    assert found.settings("maq1").health_check == HealthChecks(timeout_s=300, ports=(22,))
    assert found.settings("maq1").on_timeout == "leave"


def test_the_first_override_whose_pattern_matches_counts() -> None:
    """The other overrides aren't merged into it."""
    overrides = [{"vms": "maq71", "watchdog_s": 500}, {"vms": "maq7*", "on_timeout": "destroy"}]
    settings = section(overrides=overrides).settings("maq71")
    assert (settings.watchdog_s, settings.on_timeout) == (500, "leave")


@pytest.mark.parametrize(
    "keys",
    [
        {"watchdog_s": 419},
        {"shutdown_timeout_s": 1681},
        {"health_check": {"timeout_s": 1501}},
        {"shutdown_timeout_s": 1000, "health_check": {"timeout_s": 801}},
    ],
)
def test_a_watchdog_shorter_than_shutdown_and_health_check_is_refused(keys: dict[str, object]) -> None:
    """The host would start the VM while its backup is still beginning."""
    assert "must be at least shutdown_timeout_s and health_check.timeout_s together" in refused(**keys)
    assert "watchdog_s for maq7* is" in refused(overrides=[{"vms": "maq7*", **keys}])


def test_a_watchdog_of_just_enough_seconds_is_accepted() -> None:
    """The guest may use all of its time to shut down, and to pass its health check."""
    assert section(watchdog_s=420).watchdog_s == 420


def test_a_connection_may_be_named_once_only() -> None:
    """Two entries for one host would back it up twice at a time."""
    hosts: list[dict[str, Any]] = [{"vms": ["a"]}, {"vms": ["b"]}]
    assert "hosts has the connection kvm_host twice" in refused(hosts=hosts)
    found = section(hosts=[hosts[0], {"ssh_conn_id": "kvm2", **hosts[1]}])
    assert found.host("kvm2").vms == ["b"]
    with pytest.raises(ConfigError, match="has no host kvm3 under"):
        found.host("kvm3")


def test_the_uri_of_a_host_is_the_usual_one_if_the_host_is_gone() -> None:
    """An alarm about its VM goes out whatever the site file has by now."""
    found = section(hosts=[{"ssh_conn_id": "kvm_1", "uri": "test:///x", "vms": ["*"]}])
    assert (found.uri("kvm_1"), found.uri("kvm_2")) == ("test:///x", "qemu:///system")
