"""Which VMs a run boots from their images, and in which order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.boot_test.plan import BootTestCandidate, by_name, candidates, due
from include.errors import NotInVaultError, RequestError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from tests.include.vault.test_verification_log import found
from tests.include.vms.sample_vms import INSTANT, lay

THERE = ZoneInfo("America/Sao_Paulo")
OLD, NEW = datetime(2026, 10, 11, 2, tzinfo=UTC), datetime(2026, 11, 10, 12, tzinfo=UTC)
IMAGE = "2026-11-22T05-00-03Z"


def vm(name: str, last: datetime | None = None, **changes: object) -> BootTestCandidate:
    """Return a VM whose newest image is due for a boot test, with changes."""
    usual = {"name": name, "generation": IMAGE, "passed": False, "last": last}
    return BootTestCandidate.model_validate({**usual, **changes})


def chosen(*vms: BootTestCandidate, per_run: int = 9) -> list[str]:
    """Return the names of the VMs that a run boots."""
    return [boot_test.name for boot_test in due(vms, per_run, THERE)]


def test_vms_never_tested_come_first_then_the_longest_untested() -> None:
    """Equals are sorted by name."""
    vms = [vm("b", NEW), vm("a", NEW), vm("c", OLD), vm("z")]
    assert chosen(*vms) == ["z", "c", "a", "b"]
    assert chosen(*vms, per_run=2) == ["z", "c"]
    assert [boot_test.reason for boot_test in due(vms, 2, THERE)] == [
        "z was never boot-tested.",
        "c was last boot-tested on 2026-10-10.",
    ]


def test_a_boot_test_in_the_future_doesnt_count(tmp_path: Path) -> None:
    """Or a wrong clock could postpone the next one for years."""
    vault = Vault.create(tmp_path / "vault")
    log = lay(vault).verification_log
    log.append(found("boot_test").model_copy(update={"when": datetime(2099, 1, 1, tzinfo=UTC)}))
    [candidate] = candidates(VmArchive(vault), lambda _: False)
    assert (candidate.passed, candidate.last) == (True, None)


def test_vms_without_an_image_or_excluded_are_not_booted() -> None:
    """They don't count for ``per_run`` either."""
    others = [vm("b", generation=None), vm("c", off=True)]
    assert chosen(*others, vm("d"), per_run=1) == ["d"]
    assert chosen(*others) == []


def test_images_that_passed_already_come_last() -> None:
    """So a run without new images boots the longest untested again, and isn't empty."""
    vms = [vm("a", OLD, passed=True), vm("b", NEW, passed=True), vm("c", NEW)]
    assert chosen(*vms) == ["c", "a", "b"]
    assert chosen(*vms, per_run=1) == ["c"]


def test_a_vm_requested_by_name_is_booted_even_if_it_passed_before() -> None:
    """But not without an undamaged image, nor if the site file excludes it."""
    vms = [vm("a", passed=True), vm("b", generation=None), vm("c", off=True)]
    assert by_name(vms, "a").generation == IMAGE
    for name, message in (("b", "no undamaged image"), ("c", "excludes c")):
        with pytest.raises(RequestError, match=message):
            by_name(vms, name)


def test_a_vm_that_the_vault_doesnt_have_is_named_in_the_subject() -> None:
    """As of a restore: nothing is wrong with the configuration."""
    with pytest.raises(NotInVaultError, match="no image of a VM named 'x'") as refused:
        by_name([vm("a")], "x")
    assert refused.value.about == "'x'"


def test_candidates_are_read_from_the_vault(tmp_path: Path) -> None:
    """From the newest undamaged image; the last boot test may have been of an older one."""
    vault = Vault.create(tmp_path / "vault")
    older = lay(vault, instant=INSTANT - timedelta(weeks=1))
    newer = lay(vault)
    older.verification_log.append(found("boot_test"))
    generations = VmArchive(vault)

    [candidate] = candidates(generations, lambda _: False)
    assert (candidate.name, candidate.generation, candidate.passed) == ("maq1", newer.name, False)
    assert candidate.last == older.verification_log.read()[0].when

    newer.verification_log.append(found(result="failed"))
    [candidate] = candidates(generations, lambda name: name == "maq1")
    assert (candidate.generation, candidate.passed, candidate.off) == (older.name, True, True)


def test_a_boot_test_that_failed_or_was_not_checked_is_due_again(tmp_path: Path) -> None:
    """The next run tries the VM again."""
    vault = Vault.create(tmp_path / "vault")
    image = lay(vault)
    for result in ("not checked", "failed"):
        image.verification_log.append(found("boot_test", result))
        [candidate] = candidates(VmArchive(vault), lambda _: False)
        assert not candidate.passed
        assert chosen(candidate) == ["maq1"]
