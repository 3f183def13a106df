"""Ten years of published days, listed."""

from collections.abc import Iterator
from pathlib import Path

from bench.row import Row, medians
from include.ordinal_day import OrdinalDay
from include.vault import Vault

DAYS = 3_650
LIMIT_S = 0.3


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """List a vault of ten years."""
    vault = Vault.create(scratch / "vault")
    for back in range(DAYS):
        published = vault.next_revision(OrdinalDay(2026, 300) - back)
        published.folder.mkdir(parents=True)
        published.sums.touch()
        published.record_file.touch()
    if len(vault.published()) != DAYS:
        raise AssertionError("The listing isn't whole: nothing was measured.")
    took = medians({"ours": vault.published}, rounds)
    yield Row(f"{DAYS:,} published days listed", took["ours"], "the limit", LIMIT_S, 1.0)
