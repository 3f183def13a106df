"""Removals in the weekly report: what a dry run would remove, and what people protect."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.config import site_file
from include.config.vms import KeepRules
from include.report import render_html, render_text
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.plan import VmAction, VmPlan
from tests.include.report.weekly_runs import NOW, done, failed, of_maq1, planned, reported
from tests.include.vms.sample_vms import lay

WEEK = timedelta(weeks=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def due(vault: Vault, *vms: VmPlan, **fields: object) -> list[str]:
    """Return what a dry run says would be removed, by rules that keep one image."""
    site = site_file.load(site_file.DEFAULT_PATH)
    keep = KeepRules(last=1, weekly=0, monthly=0, yearly=0)
    section = site.vms.model_copy(update={"keep": keep})
    report = reported(
        vault, *vms, **{"site": site.model_copy(update={"vms": section}), "dry_run": True, **fields}
    )
    assert "Would be removed" in render_html(report)
    assert "WOULD BE REMOVED" in render_text(report).upper()
    assert "was removed" not in render_text(report)
    return [f"{one.name}: {one.reason}" for one in report.removed]


def test_a_dry_run_lists_what_would_be_removed(vault: Vault) -> None:
    """Of the VMs that it would image, once their new images are verified; it removes nothing."""
    old = [lay(vault, vm, NOW - weeks * WEEK) for vm in ("maq1", "maq2") for weeks in (2, 1)]
    found = due(vault, planned(), planned("maq2", VmAction.EXCLUDE))
    assert [line.split(": It would go once the new image is verified. Not kept: ")[0] for line in found] == [
        f"maq1 {one.name}" for one in old[:2]
    ]
    assert len(VmArchive(vault).of("maq1")) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"unlisted_hosts": {"kvm_2": None}},
        {"failures": [failed("list_vms", "HostError")]},
        {"planned": [planned(), planned("maq2", VmAction.REFUSE)]},
    ],
)
def test_a_dry_run_of_a_run_that_would_fail_removes_nothing(vault: Vault, fields: dict[str, object]) -> None:
    """A run that can't back up every VM removes no generation."""
    lay(vault, instant=NOW - WEEK)
    assert due(vault, planned()) != []
    assert due(vault, planned(), **fields) == []


def test_a_protected_generation_is_listed_with_who_and_why(vault: Vault) -> None:
    """In every weekly report, also where it is the only image."""
    image = lay(vault, instant=NOW - WEEK)
    VmArchive(vault).protect("maq1", image.name, who="ana", why="before the patch")
    report = of_maq1(vault, done())
    line = f"maq1 {image.name}: Kept: protected by ana: before the patch."
    assert [f"{one.name}: {one.reason}" for one in report.protected] == [line]
    assert " ".join(line.split()) in " ".join(render_text(report).split())
    assert "Kept: protected by ana: before the patch." in render_html(report)
    assert due(vault, planned()) == []
