"""The site file's section for machines: what is merged, what is refused, and in which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from include.errors import ConfigError
from include.machines.facts import LifeSigns
from include.machines.section import MachinesSection


def section(**facts: object) -> MachinesSection:
    """Give a section."""
    return MachinesSection.model_validate(facts)


def refused(**facts: object) -> str:
    """Give the words with which a section is refused."""
    with pytest.raises(ValidationError) as wrong:
        section(**facts)
    return str(wrong.value)


def test_what_a_special_treatment_doesnt_say_is_as_usual() -> None:
    """In the signs of life, too."""
    usual = {"method": "live", "lease_s": 900, "proof": {"timeout_s": 300, "ports": [22]}}
    special = {"machines": "maq7*", "on_timeout": "destroy", "proof": {"guest_agent": True}}
    found = section(**usual, special=[special])
    treatment = found.treatment("maq71")
    assert (treatment.method, treatment.lease_s, treatment.on_timeout) == ("live", 900, "destroy")
    assert treatment.proof == LifeSigns(guest_agent=True, timeout_s=300, ports=(22,))
    assert found.treatment("maq1").proof == LifeSigns(timeout_s=300, ports=(22,))
    assert found.treatment("maq1").on_timeout == "leave"


def test_the_first_pattern_that_fits_counts() -> None:
    """Alone: the others aren't merged into it."""
    special = [{"machines": "maq71", "lease_s": 500}, {"machines": "maq7*", "on_timeout": "destroy"}]
    treatment = section(special=special).treatment("maq71")
    assert (treatment.lease_s, treatment.on_timeout) == (500, "leave")


@pytest.mark.parametrize(
    "facts",
    [
        {"lease_s": 419},
        {"shutdown_timeout_s": 1681},
        {"proof": {"timeout_s": 1501}},
        {"shutdown_timeout_s": 1000, "proof": {"timeout_s": 801}},
    ],
)
def test_a_lease_that_ends_before_a_stop_can_is_refused(facts: dict[str, object]) -> None:
    """The host would start the machine while it's still being frozen."""
    assert "must be at least shutdown_timeout_s and proof.timeout_s together" in refused(**facts)
    assert "lease_s for maq7* is" in refused(special=[{"machines": "maq7*", **facts}])


def test_a_lease_that_is_just_long_enough_is_taken() -> None:
    """The guest may take all of its time to stop, and to be proven."""
    assert section(lease_s=420).lease_s == 420


def test_a_connection_is_named_once() -> None:
    """Two entries for one host would image it twice at a time."""
    hosts: list[dict[str, Any]] = [{"machines": ["a"]}, {"machines": ["b"]}]
    assert "hosts names the connection kvm_host twice" in refused(hosts=hosts)
    found = section(hosts=[hosts[0], {"connection": "kvm2", **hosts[1]}])
    assert found.host("kvm2").machines == ["b"]
    with pytest.raises(ConfigError, match="names no host kvm3 under"):
        found.host("kvm3")
