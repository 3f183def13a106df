"""A manifest is made of entries as they come, in order, and only of those that belong to the day."""

from typing import Any

import pytest

from include.days.folder_scan import DESCRIPTORS_LIMIT
from include.days.manifest_builder import ManifestBuilder
from include.shapes import ShapeError

FILE = ["file", 3, 7, None, None, 9]
DESCRIPTOR = "descriptor.ctl.2026.268.0.0h"


def test_entries_come_with_texts_and_with_what_cant_be_read() -> None:
    """A descriptor has its text, what can't be read its reason."""
    builder = ManifestBuilder()
    builder.take({"entries": [["a", *FILE], ["b", "unreadable", 0, 0, "a reason", None, 0]]})
    builder.take({"entries": []})
    builder.take({"entries": [[DESCRIPTOR, *FILE, "dset ^a"]]})
    manifest = builder.manifest()
    assert [entry.path for entry in manifest] == ["a", DESCRIPTOR]
    assert builder.descriptors == {DESCRIPTOR: "dset ^a"}
    assert str(manifest.unreadable) == "'b'"


def test_what_is_excluded_is_named_and_counts_for_nothing() -> None:
    """Not as a file, not as a descriptor, and not if it can't be read."""
    builder = ManifestBuilder(["*.tmp", "descriptor*"])
    for fields in (["a", *FILE], ["b.tmp", "folder", 0, 0, None, None, 0], ["b.tmp/c", *FILE]):
        builder.add(fields)
    builder.add(["b.tmp/c", "unreadable", 0, 0, "a reason", None, 0])
    builder.add([DESCRIPTOR, *FILE, "dset ^a"])
    manifest = builder.manifest()
    assert [entry.path for entry in manifest] == ["a"]
    assert (builder.descriptors, bool(manifest.unreadable)) == ({}, False)
    assert manifest.totals.warnings == (
        f"Left out by name (exclude in the site file): 'b.tmp', 'b.tmp/c', '{DESCRIPTOR}'.",
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"entries": None},
        {"entries": {}},
        {"entries": "ab"},
        {"entries": [None]},
        {"entries": [["b", *FILE], ["a", *FILE]]},
        {"entries": [["a", *FILE], ["a", *FILE]]},
        {"entries": [["a-b", *FILE], ["a/b", *FILE]]},
        {"entries": [["a", *FILE, "the text of no descriptor"]]},
        {"entries": [[DESCRIPTOR, *FILE, 7]]},
        {"entries": [[DESCRIPTOR, "folder", 0, 0, None, None, 0, "dset"]]},
        {"entries": [[DESCRIPTOR, *FILE, "x" * (DESCRIPTORS_LIMIT + 1)]]},
        {"entries": [[7, "unreadable", 0, 0, "why", None, 0]]},
        {"entries": [["\ud800", "unreadable", 0, 0, "why", None, 0]]},
    ],
)
def test_another_form_or_order_is_refused(answer: dict[str, Any]) -> None:
    """Out of order, a file could be there twice."""
    with pytest.raises(ShapeError):
        ManifestBuilder().take(answer)
