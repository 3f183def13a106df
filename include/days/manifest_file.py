"""A manifest in a file of staging: compressed lines of JSON; the first of them is about the others."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from include.agent.durable_files import write_parts
from include.days.manifest import Manifest, PackedLines, SavedLines
from include.days.manifest_totals import ManifestTotals
from include.errors import VaultError


class SavedManifest(NamedTuple):
    """What is in such a file: what belongs to the manifest, and the manifest, read when it's needed."""

    about: dict[str, Any]
    manifest: Manifest


def save(path: Path, about: dict[str, Any], manifest: Manifest) -> None:
    """Write a manifest that was made just now, durably and as a whole."""
    if not isinstance(manifest.lines, PackedLines):
        raise TypeError("a saved manifest is in its file already")
    first = json.dumps({"about": about, "totals": manifest.totals.model_dump(mode="json")}).encode() + b"\n"
    write_parts(path, [gzip.compress(first, mtime=0), *manifest.lines.packed])


def load(path: Path) -> SavedManifest:
    """Read what :func:`save` wrote.

    Raises:
        VaultError: the file is damaged.
    """
    try:
        with gzip.open(path) as lines:
            first = json.loads(next(lines, b""))
        about, totals = dict(first["about"]), ManifestTotals.model_validate(first["totals"])
    except (EOFError, KeyError, OSError, TypeError, ValueError, RecursionError, zlib.error) as damaged:
        raise VaultError(f"{path} can't be read ({damaged!r}). Clear the day's copy task.") from damaged
    return SavedManifest(about, Manifest(SavedLines(path, totals.entries), totals))
