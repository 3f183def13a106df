"""The plan: which machines are imaged and how, which aren't and why, and what room that takes."""

from typing import Any

import pytest

from include.errors import ConfigError, NoSpaceError
from include.machines.facts import Machine, Survey
from include.machines.plan import Action, Planned, decide, require_scratch, require_unique, room_needed
from include.machines.section import HostSection, MachinesSection
from tests.include.machines.machines import UUID

MIB = 1 << 20
GB = 10**9


def disk(seen: int = 100 * MIB, allocated: int = 50 * MIB, name: str = "vda") -> dict[str, Any]:
    """Give a disk."""
    path = {"kind": "file", "format": "raw", "path": f"/vms/{name}", "chain": [f"/vms/{name}"]}
    return {"name": name, "bytes": seen, "allocated": allocated, **path}


def machine(name: str, *disks: dict[str, Any], **facts: object) -> Machine:
    """Give a machine that runs."""
    about = {"name": name, "uuid": UUID, "state": "running", "autostart": False, "persistent": True}
    return Machine.model_validate({**about, "disks": list(disks or [disk()]), **facts})


def survey(*machines: Machine, backup: bool = True, free_bytes: int = 100 * GB) -> Survey:
    """Give what a host has."""
    scratch = {"path": "/var/lib/inpe-backup", "free_bytes": free_bytes}
    about = {"host": "kvm1", "libvirt": "9.0.0", "backup": backup, "scratch": scratch}
    return Survey.model_validate({**about, "machines": list(machines)})


def section(**facts: object) -> MachinesSection:
    """Give the site file's section."""
    return MachinesSection.model_validate(facts)


def host(*machines: str, exclude: tuple[str, ...] = ()) -> HostSection:
    """Give the site file's host."""
    return HostSection(machines=list(machines or ["*"]), exclude=list(exclude))


def decided(found: Survey, *patterns: str, exclude: tuple[str, ...] = (), **facts: object) -> list[Planned]:
    """Decide about a host's machines."""
    return decide(section(**facts), host(*patterns, exclude=exclude), found)


def the_one(found: Machine, *, backup: bool = True, **facts: object) -> Planned:
    """Decide about one machine."""
    (planned,) = decide(section(**facts), host(), survey(found, backup=backup))
    return planned


def test_machines_are_chosen_by_patterns_in_the_order_of_their_names() -> None:
    """What no pattern matches isn't the backup's business."""
    found = survey(*(machine(name) for name in ("maq10", "maq2", "other", "maq1", "MAQ3", "x-maq")))
    assert [one.name for one in decided(found, "maq?", "x*")] == ["maq1", "maq2", "x-maq"]
    assert [one.name for one in decided(found, "maq[12]", "maq1*")] == ["maq1", "maq10", "maq2"]


def test_an_excluded_machine_is_told_to_be() -> None:
    """Rather than not at all, and whatever else is wrong with it."""
    found = survey(machine("maq1"), machine("maq2", state="paused", problems=["It is odd."]))
    one, two = decided(found, exclude=("maq2",))
    assert (one.action, two.action) == (Action.IMAGE, Action.EXCLUDE)
    assert two.reason == "The site file excludes it."


def test_an_exclusion_that_matches_nothing_is_an_error() -> None:
    """By a slip of the pen a machine would be stopped that nobody wants stopped."""
    with pytest.raises(ConfigError, match=r"'mag2' matches no machine of kvm_host\. It has 'maq1', 'maq2'\."):
        decided(survey(machine("maq1"), machine("maq2")), exclude=("mag2",))


@pytest.mark.parametrize(
    ("machines", "told"),
    [(("web", "db"), r"It has 'db', 'web'\."), ((), r"It has no machine at all\.")],
)
def test_a_pattern_that_matches_nothing_is_an_error(machines: tuple[str, ...], told: str) -> None:
    """A machine that was renamed mustn't drop out of the backup unseen."""
    found = survey(*(machine(name) for name in machines))
    with pytest.raises(ConfigError, match=f"'maq7\\*' matches no machine of kvm_host. {told}"):
        decided(found, "*eb" if machines else "maq7*", "maq7*")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"problems": ["vda is on Ceph.", "It has no definition."]}, "vda is on Ceph. It has no definition."),
        ({"state": "paused"}, "It is paused, neither running nor off."),
        ({"state": "other"}, "It is other, neither running nor off."),
        ({"name": ".."}, "'..' can't be a name in the vault: rename it (virsh domrename)."),
        ({"name": ".hidden"}, "'.hidden' can't be a name in the vault: rename it (virsh domrename)."),
        ({"name": "a/b"}, "'a/b' can't be a name in the vault: rename it (virsh domrename)."),
        ({"name": "é" * 101}, f"'{'é' * 101}' can't be a name in the vault: rename it (virsh domrename)."),
    ],
)
def test_what_cant_be_imaged_is_refused_with_the_reason(facts: dict[str, object], reason: str) -> None:
    """A person must mend it; the other machines have their turn."""
    planned = the_one(machine(**{"name": "maq1", **facts}))  # type: ignore[arg-type]
    assert (planned.action, planned.reason) == (Action.REFUSE, reason)


@pytest.mark.parametrize(
    ("state", "wanted", "can", "method", "reason"),
    [
        ("running", "cold", "backup", "cold", "It runs: it is stopped for seconds"),
        ("running", "live", "backup", "live", "It runs, and goes on running"),
        ("running", "cold", "nothing", "copy", "It runs: it is down while its disks are copied"),
        ("off", "cold", "backup", "offline", "It is off, and stays off."),
        ("off", "live", "nothing", "offline", "It is off, and stays off."),
    ],
)
def test_how_a_machine_is_frozen_follows_from_what_it_does_and_what_its_host_can(
    state: str, wanted: str, can: str, method: str, reason: str
) -> None:
    """And it's told beforehand."""
    planned = the_one(machine("maq1", state=state), backup=can == "backup", method=wanted)
    assert (planned.action, planned.method, planned.was) == (Action.IMAGE, method, state)
    assert planned.reason.startswith(reason)


def test_a_machine_that_must_not_stop_isnt_stopped_where_its_host_cant_do_better() -> None:
    """It's refused, rather than copied while it's down."""
    planned = the_one(machine("maq1"), backup=False, method="live")
    assert planned.action is Action.REFUSE
    assert "can't image it live (backup-begin)" in planned.reason


def test_a_machine_can_have_a_treatment_of_its_own() -> None:
    """The first whose pattern fits."""
    special = [{"machines": "maq1*", "method": "live"}, {"machines": "maq*", "method": "cold"}]
    found = decided(survey(*(machine(name) for name in ("maq1", "maq12", "maq2"))), special=special)
    assert [one.method for one in found] == ["live", "live", "cold"]


@pytest.mark.parametrize(
    ("method", "state", "disks", "need"),
    [
        ("cold", "running", [disk(100 * GB)], 5 * GB),
        ("live", "running", [disk(60 * GB), disk(40 * GB, name="vdb")], 5 * GB),
        ("cold", "running", [disk(MIB)], 64 * MIB),
        ("cold", "off", [disk(100 * GB)], 0),
    ],
)
def test_guests_need_scratch_room_for_a_twentieth_of_their_disks(
    method: str, state: str, disks: list[dict[str, Any]], need: int
) -> None:
    """At least 64 MiB, and none when they're off."""
    assert the_one(machine("maq1", *disks, state=state), method=method).scratch_bytes == need


def test_a_machine_that_is_copied_needs_room_for_the_copy() -> None:
    """Of what it takes, not of what the guest sees."""
    planned = the_one(machine("maq1", disk(100 * GB, 7 * GB), disk(9, 5, "vdb")), backup=False)
    assert planned.scratch_bytes == 7 * GB + 5


def test_scratch_room_is_asked_for_one_machine_at_a_time() -> None:
    """The largest counts; those that aren't imaged don't."""
    machines = [machine("maq1", disk(40 * GB)), machine("maq2", disk(60 * GB))]
    refused = machine("maq3", disk(900 * GB), problems=["It is odd."])
    enough, short = (survey(*machines, refused, free_bytes=3 * GB - lacking) for lacking in (0, 1))
    require_scratch(enough, decided(enough))
    with pytest.raises(
        NoSpaceError, match=r"^kvm1 has 3.0 GB free in /var/lib/inpe-backup .* No machine was stopped\."
    ):
        require_scratch(short, decided(short))
    require_scratch(survey(free_bytes=0), [])


def test_room_is_what_hosts_have_allocated_and_a_tenth_more() -> None:
    """Never more than the guests see, and nothing for those that aren't imaged."""
    disks = [disk(), disk(100 * MIB, 99 * MIB, "vdb"), disk(100 * MIB, 0, "vdc"), disk(0, 0, "vdd")]
    planned = the_one(machine("maq1", *disks))
    assert room_needed([planned]) == 155 * MIB
    assert room_needed([planned, planned]) == 310 * MIB
    assert room_needed([planned.model_copy(update={"action": Action.REFUSE})]) == 0
    assert room_needed([]) == 0


def test_a_name_on_two_hosts_is_refused() -> None:
    """The vault keeps machines by their names; excluding one of them mends it."""
    here = the_one(machine("maq1"))
    there = here.model_copy(update={"host": "kvm_host_2"})
    told = r"^'maq1' is on kvm_host and kvm_host_2\. Exclude it on all hosts but one"
    with pytest.raises(ConfigError, match=told):
        require_unique([here, there])
    require_unique([here, there.model_copy(update={"action": Action.EXCLUDE})])
    require_unique([here, there.model_copy(update={"name": "maq2"})])
