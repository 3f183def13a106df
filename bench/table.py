"""The results as a Markdown page."""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.row import limit_cell

_HEAD = """# What was measured last

By `make bench`, on one machine with two cores that plays both ends: medians, and ratios beside what people
would use instead, in one run. **NO**: a limit that isn't kept. There, the machine's CPU is what is short: two
SHA-256 over all that is imaged take longer than a wire inside one machine; at 1 Gbit/s they don't.

| what | ours | against | theirs | ratio | limit | holds |
|---|--:|---|--:|--:|--:|---|
"""


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the rows of results.json as a page."""
    return _HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    unit = row["unit"]
    return (
        row["name"],
        f"{row['ours']:.3f} {unit}",
        row["against"],
        f"{row['theirs']:.3f} {unit}",
        f"{row['ratio']:.2f}",
        limit_cell(row["limit"], row.get("least")),
        {None: "", True: "yes", False: "**NO**"}[row["holds"]],
    )
