"""The days of a run: its key decides, and a field that it overrules isn't ignored silently."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from include.config import site_file
from include.vault.vault import Vault
from inpe_backup.operators.days.choose_days import ChooseDaysOperator
from tests.plugins.operators import FakeTask


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site file and its vault."""
    site = {
        "mail": {"to": "backup@institute.example"},
        "vaults": {"main": {"path": str(Vault.create(tmp_path / "vault").root)}},
        "datasets": {"supim": {"source": {"root": "/data/supim"}}},
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(tmp_path / "site.yaml"))
    site_file.current.cache_clear()
    yield
    site_file.current.cache_clear()


@pytest.mark.parametrize("typed", [None, "2026-200"])
def test_a_backfill_takes_its_own_days_and_logs_that_it_ignores_the_field(
    capsys: pytest.CaptureFixture[str], typed: str | None
) -> None:
    """Each of its runs has a key."""
    context = FakeTask(day=typed).context(partition_key="2026-268")
    context["dag_run"].run_type, context["dag_run"].conf = "backfill", {}
    chosen = ChooseDaysOperator(task_id="choose_days").work(context)
    assert chosen["own"] == "2026-268"
    ignored = "The field day, 2026-200, is ignored: this run's partition key is 2026-268."
    assert (ignored in capsys.readouterr().out) is bool(typed)
