"""The listing of ten years of published days."""

from collections.abc import Iterator
from pathlib import Path

from bench.row import Row, medians
from include.days.archive import DayArchive
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault

DAYS = 3_650
LIMIT_S = 0.3


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure the listing of a vault with ten years of days."""
    vault = Vault.create(scratch / "vault")
    for back in range(DAYS):
        published = DayArchive(vault).next_revision(OrdinalDay(2026, 300) - back)
        published.folder.mkdir(parents=True)
        published.sums.touch()
        published.record_file.touch()
    if len(DayArchive(vault).published()) != DAYS:
        raise AssertionError("Nothing was measured: the listing is incomplete.")
    took = medians({"ours": DayArchive(vault).published}, rounds)
    yield Row(f"{DAYS:,} published days listed", took["ours"], "the limit", LIMIT_S, 1.0)
