"""``make bench``: measure, print a table, write bench/results.json."""

import json
import logging
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench import dag_cost, day_copy, vault_listing
from bench.row import Row

RESULTS = Path(__file__).with_name("results.json")
ROUNDS = 5


def main() -> None:
    """Measure everything."""
    logging.disable(logging.WARNING)  # what the servers tell of each connection is no measurement
    measured: list[Row] = []
    _print(("what", "ours", "against", "theirs", "ratio", "limit", "holds"))
    for part in (vault_listing, day_copy, dag_cost):
        with tempfile.TemporaryDirectory(prefix="inpe-bench-", dir=os.environ.get("BENCH_FOLDER")) as scratch:
            for row in part.rows(Path(scratch), ROUNDS):
                measured.append(row)
                seconds = (f"{row.ours:.3f} s", row.against, f"{row.theirs:.3f} s")
                _print(
                    (row.name, *seconds, f"{row.ratio:.2f}", f"{row.limit:.2f}", "yes" if row.holds else "NO")
                )
    RESULTS.write_text(json.dumps([row.facts() for row in measured], indent=1) + "\n", encoding="utf-8")


def _print(cells: Iterable[str]) -> None:
    widths = (56, 9, 32, 9, 6, 6, 5)
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)  # noqa: T201


main()
