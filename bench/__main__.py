"""``make bench``: measure, print, write results.json and results.md; named parts only, if any are named."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench import (
    audit,
    dag_cost,
    day_copy,
    machine_delta,
    machine_downtime,
    machine_guest,
    machine_image,
    machine_restore,
    page,
    vault_listing,
)
from bench.row import Row
from bench.table import markdown

RESULTS = Path(__file__).with_name("results.json")
PARTS = {
    part.__name__.removeprefix("bench."): (part.rows, rounds)
    for part, rounds in (
        (vault_listing, 5),
        (day_copy, 5),
        (dag_cost, 5),
        (audit, 5),
        (machine_downtime, 3),
        (machine_image, 3),
        (machine_delta, 3),
        (machine_guest, 3),
        (machine_restore, 3),
        (page, 15),
    )
}


def main(wanted: Iterable[str]) -> None:
    """Measure what is wanted; other parts keep their rows in the results."""
    logging.disable(logging.WARNING)  # what the servers tell of each connection is no measurement
    kept = _kept()
    _print(("what", "ours", "against", "theirs", "ratio", "limit", "holds"))
    for part in wanted:
        kept[part] = []
        for row in _rows(part):
            kept[part].append({"part": part, **row.facts()})
            _print(row.cells())
    rows = [row for part in PARTS for row in kept.get(part, [])]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(markdown(rows), encoding="utf-8")


def _kept() -> dict[str, list[dict[str, Any]]]:
    kept: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(RESULTS.read_bytes()) if RESULTS.exists() else []:
        kept.setdefault(row["part"], []).append(row)
    return kept


def _rows(part: str) -> Iterator[Row]:
    rows, rounds = PARTS[part]
    with tempfile.TemporaryDirectory(prefix="inpe-bench-", dir=os.environ.get("BENCH_FOLDER")) as scratch:
        yield from rows(Path(scratch), rounds)


def _print(cells: Iterable[str]) -> None:
    widths = (56, 11, 32, 11, 6, 6, 5)
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)  # noqa: T201


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - PARTS.keys():
        sys.exit(f"There is no {', '.join(sorted(unknown))} here. There are: {', '.join(PARTS)}.")
    main(sys.argv[1:] or PARTS)
