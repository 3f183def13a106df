"""``make bench``: measure, print, and write results.json and results.md; all parts, or those named."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench import (
    dag_cost,
    day_copy,
    day_files,
    memory,
    page,
    scrub,
    vault_listing,
    vm_delta,
    vm_downtime,
    vm_guest,
    vm_image,
    vm_restore,
)
from bench.row import Row
from bench.table import markdown

RESULTS = Path(__file__).with_name("results.json")
PARTS = {
    part.__name__.removeprefix("bench."): (part.rows, rounds)
    for part, rounds in (
        (vault_listing, 5),
        (day_copy, 5),
        (day_files, 1),
        (dag_cost, 5),
        (scrub, 5),
        (vm_downtime, 3),
        (vm_image, 3),
        (vm_delta, 3),
        (vm_guest, 3),
        (vm_restore, 3),
        (page, 15),
        (memory, 1),
    )
}


def main(parts: Iterable[str]) -> None:
    """Measure these parts; the others keep their rows in the results."""
    logging.disable(logging.WARNING)  # of the servers, about each connection
    results = _last_results()
    _print(("what", "ours", "against", "theirs", "ratio", "limit", "holds"))
    for part in parts:
        results[part] = []
        for row in _rows(part):
            results[part].append({"part": part, **row.fields()})
            _print(row.cells())
    rows = [row for part in PARTS for row in results.get(part, [])]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(markdown(rows), encoding="utf-8")


def _last_results() -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(RESULTS.read_bytes()) if RESULTS.exists() else []:
        results.setdefault(row["part"], []).append(row)
    return results


def _rows(part: str) -> Iterator[Row]:
    rows, rounds = PARTS[part]
    with tempfile.TemporaryDirectory(prefix="inpe-bench-", dir=os.environ.get("BENCH_FOLDER")) as scratch:
        yield from rows(Path(scratch), rounds)


def _print(cells: Iterable[str]) -> None:
    widths = (56, 11, 32, 11, 6, 7, 5)
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)  # noqa: T201


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - PARTS.keys():
        sys.exit(f"Unknown: {', '.join(sorted(unknown))}. Choose from: {', '.join(PARTS)}.")
    main(sys.argv[1:] or PARTS)
