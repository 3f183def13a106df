"""The site file's section of drills: what is merged, what is refused."""

import pytest
from pydantic import ValidationError

from include.machines.drill_section import BootSigns, DrillSection
from include.machines.section import MachinesSection


def machines(special: object, **drill: object) -> MachinesSection:
    """Give the section of machines, with a special drill of ``maq7*``."""
    return MachinesSection.model_validate(
        {"drill": drill, "special": [{"machines": "maq7*", "drill": special}]}
    )


@pytest.mark.parametrize("schedule", ["0 12 10 * *", "59 23 28 * *", "5 05 1 * *"])
def test_drills_have_a_schedule_of_once_a_month(schedule: str) -> None:
    """On a day that each month has."""
    assert DrillSection(schedule=schedule).schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    ["0 12 * * 0", "0 12 29 * *", "0 12 0 * *", "0 24 1 * *", "60 1 1 * *", "0 1 1 1 *", "@monthly"],
)
def test_another_schedule_is_refused(schedule: str) -> None:
    """With what to write."""
    with pytest.raises(ValidationError, match="must be once a month"):
        DrillSection(schedule=schedule)


@pytest.mark.parametrize(
    ("signs", "asked"),
    [({}, False), ({"serial": "login:"}, True), ({"guest_agent": True}, True), ({"screen_s": 5}, True)],
)
def test_one_sign_is_enough_to_be_asked_for(signs: dict[str, object], *, asked: bool) -> None:
    """And with none nothing is proven."""
    assert BootSigns.model_validate(signs).asked is asked


def test_what_a_special_drill_doesnt_say_is_as_usual() -> None:
    """In its proof, too."""
    found = machines(
        {"timeout_s": 900, "proof": {"guest_agent": True}}, memory_max="1 GB", proof={"serial": "login:"}
    )
    special, usual = found.drill_of("maq71"), found.drill_of("maq1")
    assert special is not None
    assert usual is not None
    assert (special.timeout_s, special.memory_max) == (900, 10**9)
    assert special.proof == BootSigns(serial="login:", guest_agent=True)
    assert (usual.timeout_s, usual.proof) == (600, BootSigns(serial="login:"))


@pytest.mark.parametrize("off", [False, {"boot": False}], ids=["off", "boot: false"])
def test_a_machine_can_be_left_out_of_drills(off: object) -> None:
    """Then its images don't wait for a drill that never comes."""
    found = machines(off, required=True)
    assert found.drill_of("maq71") is None
    assert not found.drill_required("maq71")
    assert found.drill_of("maq1") is not None
    assert found.drill_required("maq1")


def test_a_special_drill_changes_nothing_of_how_the_machine_is_imaged() -> None:
    """Nor is a drill lost where something else is special."""
    found = machines({"timeout_s": 900})
    assert found.treatment("maq71") == found.treatment("maq1")
    other = MachinesSection.model_validate({"special": [{"machines": "maq7*", "method": "live"}]})
    assert other.drill_of("maq71") == other.drill_of("maq1")
