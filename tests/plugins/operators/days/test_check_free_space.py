"""The free space for days: the run's own day comes first, and what is staged isn't needed twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.days.archive import DayArchive
from include.days.plan import DayAction, DayPlan
from include.days.source import SourceDay, SourceState
from include.errors import NoSpaceError
from include.ordinal_day import OrdinalDay
from include.vault.free_space import FreeSpace
from include.vault.vault import Vault
from inpe_backup.operators.days.check_free_space import CheckFreeSpaceForDaysOperator
from inpe_backup.xcom import REFUSED
from tests.include.days.sample_days import lay
from tests.plugins.operators import FakeTask

OWN = OrdinalDay.parse("2026-002")
MIB = 2**20
FINGERPRINT = "of the source"


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A vault with 100 MiB free, of which nothing is reserved."""
    vault = Vault.create(tmp_path / "vault")
    space = FreeSpace(vault.root, 200 * MIB, 100 * MIB, 1000)
    monkeypatch.setattr(FreeSpace, "of", staticmethod(lambda _path: space))
    site = {
        "mail": {"to": "backup@institute.example"},
        "vaults": {"main": {"path": str(vault.root), "reserve": "0 B"}},
        "datasets": {"supim": {"source": {"root": "/data/supim"}}},
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(site), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    yield vault
    site_file.current.cache_clear()


def plan(day: OrdinalDay, size_mib: int, action: DayAction = DayAction.COPY) -> dict[str, Any]:
    """Return the plan of a day, as JSON."""
    surveyed = SourceDay(
        day=day, state=SourceState.COMPLETE, disk_bytes=size_mib * MIB, files=2, fingerprint=FINGERPRINT
    )
    return DayPlan(day=day, action=action, reason="", at_source=surveyed).model_dump(mode="json")


def check(task: FakeTask, *plans: dict[str, Any]) -> list[str]:
    """Run the task for the day 2026-002."""
    operator = CheckFreeSpaceForDaysOperator(task_id="check_free_space", plans=plans)
    return operator.work(task.context(partition_key=str(OWN)))


def test_the_runs_own_day_comes_first_then_the_newest() -> None:
    """Older days must not take its space, nor its turn."""
    plans = [plan(OWN - 3, 1), plan(OWN - 1, 1, DayAction.NOTHING), plan(OWN, 1), plan(OWN + 1, 1)]
    assert check(FakeTask(), *plans) == ["2026-002", "2026-003", "2025-364"]


def test_an_older_day_without_space_is_refused_and_the_others_are_copied() -> None:
    """It stays in the report, with what is missing."""
    task = FakeTask()
    assert check(task, plan(OWN - 2, 30), plan(OWN - 1, 50), plan(OWN, 60)) == ["2026-002", "2025-365"]
    assert list(task.left[REFUSED]) == ["2026-001"]
    assert "52 MB for the copy, 63 MB for others of this run" in task.left[REFUSED]["2026-001"]


def test_without_space_for_its_own_day_a_run_copies_nothing() -> None:
    """Smaller ones would only make it worse."""
    with pytest.raises(NoSpaceError, match="needs 106 MB for the copy and 0 B in reserve"):
        check(FakeTask(), plan(OWN - 1, 1), plan(OWN, 101))


def test_what_is_staged_already_isnt_needed_again(vault: Vault) -> None:
    """A day of which nine tenths are copied needs the last tenth."""
    staged = DayArchive(vault).staged(OWN)
    staged.data.mkdir(parents=True)
    with (staged.data / "SUPIM.dat").open("wb") as file:
        file.truncate(90 * MIB)
    assert check(FakeTask(), plan(OWN, 101)) == ["2026-002"]


def test_what_is_published_isnt_refused_when_the_task_is_cleared(vault: Vault) -> None:
    """The plan is from before; the day isn't copied again."""
    lay(vault, OWN, fingerprint=FINGERPRINT)
    task = FakeTask()
    assert check(task, plan(OWN - 1, 60), plan(OWN, 60)) == ["2026-002", "2026-001"]
    assert task.left == {}
    lay(vault, OWN, revision=2, fingerprint="of a later copy")
    assert check(task, plan(OWN - 1, 60), plan(OWN, 60)) == ["2026-002"]


def test_a_dry_run_lists_nothing_and_still_refuses() -> None:
    """Its mail says what a run would do."""
    task = FakeTask(dry_run=True)
    assert check(task, plan(OWN - 1, 50), plan(OWN, 60)) == []
    assert list(task.left[REFUSED]) == ["2026-001"]
