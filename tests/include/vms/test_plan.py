"""The plan: which VMs are backed up and how, and which aren't and why."""

import pytest

from include.errors import ConfigError, RequestError
from include.vms.left_out import LeftOut
from include.vms.plan import VmAction, decide, of_all_hosts, require_requested
from include.vms.reference_timer import ReferenceTimer
from tests.include.vms.surveys import decided, host, planned_of, section, survey, vm

NEITHER = "It is neither running, nor paused, nor off"
EXCLUDE = "shut it down, or exclude it in the site file (vms.hosts, exclude)."


def test_vms_are_chosen_by_patterns_in_the_order_of_their_names() -> None:
    """A VM that no pattern matches isn't listed."""
    found = survey(*(vm(name) for name in ("maq10", "maq2", "other", "maq1", "MAQ3", "x-maq")))
    assert [one.name for one in decided(found, "maq?", "x*")] == ["maq1", "maq2", "x-maq"]
    assert [one.name for one in decided(found, "maq[12]", "maq1*")] == ["maq1", "maq10", "maq2"]


def test_a_run_may_be_asked_for_some_vms() -> None:
    """By name or pattern; the site file's exclusions hold, and the others are skipped, fit or not."""
    found = survey(vm("db"), vm("web1"), vm("web2"), vm("web3"), vm("tape", state="paused"))
    plans = decide(section(), host(exclude=("web2",)), found, ["web*", "db"])
    assert {plan.name: plan.action for plan in plans} == {
        "db": VmAction.IMAGE,
        "tape": VmAction.SKIP,
        "web1": VmAction.IMAGE,
        "web2": VmAction.EXCLUDE,
        "web3": VmAction.IMAGE,
    }


def test_what_a_run_was_asked_for_must_match_a_vm() -> None:
    """The message lists the VMs that there are, and the hosts that may have others."""
    plans = decided(survey(vm("db"), vm("web1"), vm("web2")), exclude=("web2",))
    require_requested(plans, ["web*", "db"])
    require_requested(plans, [])
    with pytest.raises(
        RequestError, match=r"'maq9', 'x\*' matches no VM\. There are 'db', 'web1'\. No VM was stopped\."
    ):
        require_requested(plans, ["maq9", "db", "x*"])
    with pytest.raises(RequestError, match=r"There are .*\. The VMs of kvm_2 could not be listed\. No VM"):
        require_requested(plans, ["maq9"], ["kvm_2"])
    with pytest.raises(RequestError, match="The site file excludes 'web2'"):
        require_requested(plans, ["web2"])


@pytest.mark.parametrize(("backup", "method"), [(True, "cold"), (False, "copy")])
def test_a_vm_that_a_restart_would_change_is_refused_unless_the_site_file_allows_it(
    method: str, *, backup: bool
) -> None:
    """It would lose what only the running VM has, or take up an edit that nobody tried."""
    changed = vm("maq1", restart_changes=["hostdev 0x1234:0xbeef is only in the running VM"])
    planned = planned_of(changed, backup=backup)
    assert (planned.action, planned.method) == (VmAction.REFUSE, method)
    assert planned.reason.startswith(
        "A restart would change it: hostdev 0x1234:0xbeef is only in the running"
    )
    overrides = [{"vms": "maq*", "restart_changes": "allow"}]
    assert planned_of(changed, backup=backup, overrides=overrides).action is VmAction.IMAGE


def test_a_vm_that_isnt_restarted_may_differ_from_its_definition() -> None:
    """A live backup doesn't stop it."""
    assert planned_of(vm("maq1", restart_changes=["memory is 1 KiB"]), method="live").action is VmAction.IMAGE


def test_an_excluded_vm_is_listed_as_excluded() -> None:
    """Whatever else is wrong with it."""
    found = survey(vm("maq1"), vm("maq2", state="paused", problems=["It is odd."]))
    one, two = decided(found, exclude=("maq2",))
    assert (one.action, two.action) == (VmAction.IMAGE, VmAction.EXCLUDE)
    assert two.reason == "The site file excludes it."


def test_a_copy_that_a_restore_made_is_left_out_by_name() -> None:
    """``maq*`` matches it, but whoever wrote that didn't mean it: a running copy would be stopped."""
    found = survey(vm("maq1"), vm("maq1-restored", copy_of="2026-11-22T05-00-03Z", problems=["It is odd."]))
    one, two = decided(found, "maq*")
    assert (one.action, two.action) == (VmAction.IMAGE, VmAction.EXCLUDE)
    assert two.reason.startswith("It is a copy that a restore made of the image 2026-11-22T05-00-03Z.")


def test_a_copy_whose_exact_name_is_in_the_site_file_is_backed_up() -> None:
    """Unless it is excluded; a pattern that looks like a name has wildcards."""
    found = survey(vm("maq1"), vm("maq1-restored", copy_of="2026-11-22T05-00-03Z"))
    assert decided(found, "maq*", "maq1-restored")[1].action is VmAction.IMAGE
    assert decided(found, "maq*", "maq1-restore[d]")[1].action is VmAction.EXCLUDE
    excluded = decided(found, "maq*", "maq1-restored", exclude=("*-restored",))[1]
    assert excluded.reason == "The site file excludes it."


def test_a_copy_on_another_host_keeps_no_vm_of_its_name_out() -> None:
    """It isn't backed up, so the name isn't there twice."""
    here, there = (vm("maq1"), vm("maq1", copy_of="2026-11-22T05-00-03Z"))
    plans = [*decided(survey(here)), *decided(survey(there))]
    assert [plan.action for plan in of_all_hosts([plans])] == [VmAction.IMAGE, VmAction.EXCLUDE]


def test_an_exclusion_that_matches_nothing_is_an_error() -> None:
    """Because of a typo, a VM would be stopped that mustn't be."""
    with pytest.raises(ConfigError, match=r"'mag2' matches no VM of kvm_host\. It has 'maq1', 'maq2'\."):
        decided(survey(vm("maq1"), vm("maq2")), exclude=("mag2",))


@pytest.mark.parametrize(
    ("vms", "found"),
    [(("web", "db"), r"It has 'db', 'web'\."), ((), r"It has no VM at all\.")],
)
def test_a_pattern_that_matches_nothing_is_an_error(vms: tuple[str, ...], found: str) -> None:
    """A renamed VM must not drop out of the backup unnoticed."""
    surveyed = survey(*(vm(name) for name in vms))
    with pytest.raises(ConfigError, match=f"'maq7\\*' matches no VM of kvm_host. {found}"):
        decided(surveyed, "*eb" if vms else "maq7*", "maq7*")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"problems": ["vda is on Ceph.", "It has no definition."]}, "vda is on Ceph. It has no definition."),
        ({"state": "paused"}, f"It is paused, neither running nor off. Resume it (virsh resume), {EXCLUDE}"),
        ({"state": "other"}, f"{NEITHER} (see virsh domstate). Have it run, {EXCLUDE}"),
        ({"name": ".."}, "'..' can't be a name in the vault. Rename it (virsh domrename)."),
        ({"name": ".hidden"}, "'.hidden' can't be a name in the vault. Rename it (virsh domrename)."),
        ({"name": "a/b"}, "'a/b' can't be a name in the vault. Rename it (virsh domrename)."),
        ({"name": "é" * 101}, f"'{'é' * 101}' can't be a name in the vault. Rename it (virsh domrename)."),
    ],
)
def test_a_vm_that_cant_be_backed_up_is_refused_with_the_reason(
    fields: dict[str, object], reason: str
) -> None:
    """The other VMs are backed up."""
    planned = planned_of(vm(**{"name": "maq1", **fields}))  # type: ignore[arg-type]
    assert (planned.action, planned.reason) == (VmAction.REFUSE, reason)


def test_a_vm_with_saved_memory_is_refused_unless_the_site_file_allows_it() -> None:
    """Its memory holds what its disks lack."""
    saved = vm("maq1", state="off", saved=True)
    refused = planned_of(saved)
    assert refused.action is VmAction.REFUSE
    assert "off with saved memory (virsh managedsave)" in refused.reason
    allowed = planned_of(saved, overrides=[{"vms": "maq1", "managed_save": "disks_only"}])
    assert (allowed.action, allowed.method) == (VmAction.IMAGE, "offline")
    assert allowed.reason == "It is off, and stays off. Its saved memory isn't backed up."
    problem = planned_of(saved.model_copy(update={"problems": ("vda is on Ceph.",)}))
    assert problem.reason == "vda is on Ceph."


@pytest.mark.parametrize(
    ("state", "configured", "can", "method", "reason"),
    [
        ("running", "cold", "backup", "cold", "It runs: it is stopped for seconds"),
        ("running", "live", "backup", "live", "It runs, and keeps running"),
        ("running", "cold", "nothing", "copy", "It runs: it is down while its disks are copied"),
        ("off", "cold", "backup", "offline", "It is off, and stays off."),
        ("off", "live", "nothing", "offline", "It is off, and stays off."),
    ],
)
def test_the_method_depends_on_the_state_of_the_vm_and_on_its_host(
    state: str, configured: str, can: str, method: str, reason: str
) -> None:
    """The reason says what will happen."""
    planned = planned_of(vm("maq1", state=state), backup=can == "backup", method=configured)
    assert (planned.action, planned.method, planned.was) == (VmAction.IMAGE, method, state)
    assert planned.reason.startswith(reason)


@pytest.mark.parametrize("backup", [True, False])
def test_a_vm_whose_disks_can_be_cloned_needs_no_scratch_space_and_no_live_backup(*, backup: bool) -> None:
    """It is stopped, or suspended for a moment."""
    clonable = vm("maq1", unclonable="")
    cold, live = (planned_of(clonable, backup=backup, method=method) for method in ("cold", "live"))
    assert (cold.action, cold.method, cold.scratch_bytes) == (VmAction.IMAGE, "cold", 0)
    assert (live.action, live.method, live.scratch_bytes) == (VmAction.IMAGE, "live", 0)
    assert (
        live.reason
        == "It runs: it is suspended while its disks are cloned, and transferred while it runs on."
    )


def test_a_hosts_timer_that_doesnt_run_is_said_with_its_plans() -> None:
    """While clones wait there for a backup."""
    timer = {"every_s": 30, "last_run": None, "quiet_s": 86_400}
    found = survey(vm("maq1")).model_copy(update={"reference_timer": ReferenceTimer.model_validate(timer)})
    (warned,), (quiet,) = decided(found), decided(survey(vm("maq1")))
    assert "hasn't run on kvm_host for 24 h 0 min" in warned.host_warning
    assert quiet.host_warning == ""


def test_a_vm_that_must_not_stop_is_refused_on_a_host_without_live_backup() -> None:
    """It isn't copied while it is down."""
    planned = planned_of(vm("maq1"), backup=False, method="live")
    assert planned.action is VmAction.REFUSE
    assert "lacks backup-begin" in planned.reason


def test_a_vm_can_have_its_own_method() -> None:
    """By the first pattern that matches."""
    override = [{"vms": "maq1*", "method": "live"}, {"vms": "maq*", "method": "cold"}]
    found = decided(survey(*(vm(name) for name in ("maq1", "maq12", "maq2"))), overrides=override)
    assert [one.method for one in found] == ["live", "live", "cold"]


def test_a_name_on_two_hosts_is_refused_and_the_other_vms_are_backed_up() -> None:
    """The vault keeps VMs by their names; one of the two must be excluded, or was left by a migration."""
    here, other = planned_of(vm("maq1")), planned_of(vm("maq2"))
    there = here.model_copy(update={"host": "kvm_host_2"})
    plans = of_all_hosts([[here, other], None, [there.model_dump(mode="json")]])
    assert [(plan.name, plan.action) for plan in plans] == [
        ("maq1", VmAction.REFUSE), ("maq2", VmAction.IMAGE), ("maq1", VmAction.REFUSE),
    ]  # fmt: skip
    assert {plan.reason.partition(", and")[0] for plan in plans if plan.name == "maq1"} == {
        "'maq1' is on kvm_host and kvm_host_2"
    }


def test_a_name_whose_other_vm_is_excluded_is_backed_up() -> None:
    """As the message advises."""
    here = planned_of(vm("maq1"))
    there = here.model_copy(update={"host": "kvm_host_2", "action": VmAction.EXCLUDE})
    assert of_all_hosts([[here], [there]]) == [here, there]


def test_a_plan_names_what_wont_be_in_the_image() -> None:
    """Before the VM is stopped; also of one that is refused."""
    usb = LeftOut(kind="usb", where="046d:0825")
    assert planned_of(vm("maq1", left_out=[usb])).left_out == (usb,)
    assert planned_of(vm("maq1", left_out=[usb], problems=["It is odd."])).left_out == (usb,)
